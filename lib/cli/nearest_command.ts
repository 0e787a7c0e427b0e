/** What people who know other stores, or mistype, are likely to have meant. */

const USUAL_NAMES: Record<string, string> = {
  put: "set",
  add: "set",
  write: "set",
  read: "get",
  cat: "get",
  rm: "del",
  delete: "del",
  remove: "del",
  purge: "del",
  ls: "list",
  keys: "list",
  scan: "list",
  load: "import",
  dump: "export",
  follow: "watch",
  subscribe: "watch",
  changes: "watch",
  tail: "watch",
  info: "stats",
  status: "stats",
  sync: "flush",
  merge: "compact",
  compaction: "compact",
  vacuum: "compact",
  defrag: "compact",
  check: "verify",
  fsck: "verify",
  salvage: "repair",
  recover: "repair",
  snapshot: "backup",
  benchmark: "bench",
  perf: "bench",
  start: "serve",
  server: "serve",
};

const USUAL_OPTIONS: Record<string, string[]> = {
  "--dir": ["--db"],
  "--directory": ["--db"],
  "--path": ["--db"],
  "--data": ["--db"],
  "--database": ["--db"],
  "--server": ["--url"],
  "--host": ["--http", "--url"],
  "--port": ["--http", "--url"],
  "--listen": ["--http"],
  "--output": ["--out"],
  "--file": ["--out"],
  "--force": ["--yes"],
  "--overwrite": ["--yes"],
  "--expire": ["--ttl"],
  "--expires": ["--ttl"],
  "--ex": ["--ttl"],
  "--nx": ["--if-absent"],
  "--create": ["--if-absent"],
  "--cas": ["--if-version"],
  "--count": ["--limit"],
  "--max": ["--limit"],
  "--match": ["--prefix"],
  "--pattern": ["--prefix"],
  "--begin": ["--start"],
  "--to": ["--end"],
  "--until": ["--end"],
  "--separator": ["--delimiter"],
  "--continue": ["--resume", "--keep-going"],
};

/** The first of `known` options that does what another tool calls by this name. */
export function usualOption(name: string, known: readonly string[]): string | undefined {
  if (!Object.hasOwn(USUAL_OPTIONS, name)) return undefined;
  return USUAL_OPTIONS[name]!.find((option) => known.includes(option));
}

/** The command that does what another tool calls by this name. */
export function usualName(name: string): string | undefined {
  return Object.hasOwn(USUAL_NAMES, name) ? USUAL_NAMES[name] : undefined;
}

/** The name that takes the fewest changes to come to, if they are few. */
export function nearestOf(name: string, candidates: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let least = Math.ceil(name.length / 2);
  for (const candidate of candidates) {
    const distance = distanceBetween(name, candidate);
    if (distance > least || (distance === least && nearest !== undefined)) continue;
    least = distance;
    nearest = candidate;
  }
  return nearest;
}

/** Characters to insert, leave out, replace, or swap with their neighbour. */
function distanceBetween(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_each, index) => index)];
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const above = rows[i - 1]!;
      const isSame = from[i - 1] === to[j - 1];
      let least = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (isSame ? 0 : 1));
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        least = Math.min(least, rows[i - 2]![j - 2]! + 1);
      }
      row.push(least);
    }
    rows.push(row);
  }
  return rows[from.length]![to.length]!;
}
