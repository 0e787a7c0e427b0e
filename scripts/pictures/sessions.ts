/**
 * What the pictures in docs/images show: commands whose output is the same every time. They are run
 * one by one in an empty directory.
 */

/** A picture. */
export interface Session {
  /** Name of its file, without the ending. */
  name: string;
  title: string;
  commands: readonly string[];
}

export const SESSIONS: readonly Session[] = [
  {
    name: "session",
    title: "A store is a directory: write, read, list, and never overwrite by mistake",
    commands: [
      'cairn set user:ada "Ada Lovelace"',
      `cairn set session:42 '{"cart": [7, 12]}' --ttl 15m`,
      "cairn get user:ada",
      "cairn list --values",
      'cairn set user:ada "somebody else" --if-absent',
      "cairn del session:42 && cairn get session:42",
      "cairn verify",
    ],
  },
  {
    name: "damage",
    title: "One damaged byte: nothing wrong is handed out, and everything else can be saved",
    commands: [
      'for n in 1 2 3 4 5; do cairn set order:$n "tea, $n kg"; done',
      "printf X | dd of=cairn-data/wal/0000000001.log bs=1 seek=320 conv=notrunc status=none",
      "cairn get order:1",
      "cairn repair --db cairn-data --out rescued",
      "cairn list --db rescued --values",
    ],
  },
];
