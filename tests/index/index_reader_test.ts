/** The protocol by which other threads read the index, in every interleaving; see interleavings.ts. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { BUCKET_MASK } from "../../lib/index/hash_shard.ts";
import { IndexReader, type IndexViews } from "../../lib/index/index_reader.ts";
import { IndexWalk } from "../../lib/index/index_walk.ts";
import { KeyIndex } from "../../lib/index/key_index.ts";
import {
  type Blindness,
  DIRECTORY,
  RecordedIndex,
  SHARDS,
  Timeline,
  type WordWrite,
} from "../support/interleavings.ts";

const encoder = new TextEncoder();
/** Keys whose hashes differ in the two bits by which shards split first. */
const KEYS = [0, 1, 2, 3].map((bits) => {
  for (let number = 0;; number++) {
    const key = encoder.encode(`key:${number}`);
    if (new KeyIndex({ hashSeed: 1 }).hash(key, 0, key.length) >>> 30 === bits) return key;
  }
});
/** The key that is read. */
let readKey: Uint8Array = KEYS[0]!;
/** What a reader finds of a key that is not there. */
const GONE = 0;

/** Adds a key, whose every figure follows from the version. */
function insert(index: KeyIndex, key: Uint8Array, version: number, expires = false): void {
  const hash = index.hash(key, 0, key.length);
  index.insert(
    hash,
    key,
    0,
    key.length,
    version,
    version * 10,
    version + 100,
    version * 7,
    version,
    expires ? version * 1000 : 0,
  );
}

function update(index: KeyIndex, version: number, expires = false): void {
  const address = find(index, readKey);
  const expiresAt = expires ? version * 1000 : 0;
  index.update(address, version, version * 10, version + 100, version * 7, version, expiresAt);
}

function find(index: KeyIndex, key: Uint8Array): number {
  return index.find(index.hash(key, 0, key.length), key, 0, key.length);
}

function isDirectorySequence({ memory, word }: WordWrite): boolean {
  return memory === DIRECTORY && word === 0;
}

/** The version that a reader finds, all of whose figures have to be that version's. */
function read(reader: IndexReader): number {
  if (!reader.find(readKey, readKey.length)) return GONE;
  const { fileId, offset, frameLength, crc, lsn, expiresAt } = reader;
  const isWhole = fileId === lsn && offset === lsn * 10 && frameLength === lsn + 100 &&
    crc === lsn * 7 && (expiresAt === 0 || expiresAt === lsn * 1000);
  // A frame that compaction has moved is the same version in another place.
  const isMoved = fileId === lsn + 1000 && offset === lsn * 10 + 1000 &&
    frameLength === lsn + 100 && crc === lsn * 7;
  return isWhole ? lsn : isMoved ? lsn + 1000 : TORN;
}
const TORN = -1;

/** A change of the index, and what there is of the key afterwards. */
interface Change {
  run: (index: KeyIndex) => void;
  version: number;
}

interface Scenario {
  name: string;
  /** The index comes from an image, as it does when a store is opened by its checkpoint. */
  restored?: boolean;
  key?: Uint8Array;
  prepare: (index: KeyIndex) => void;
  version: number;
  changes: Change[];
}

const others = Array.from({ length: 20_000 }, (_, number) => encoder.encode(`other:${number}`));

/** How many keys an index has when the next one splits a shard: for the first and second time. */
const splitAt = (() => {
  const counts: number[] = [];
  const recorded = new RecordedIndex();
  recorded.recording = true;
  for (let count = 0; counts.length < 2; count++) {
    recorded.writes.length = 0;
    recorded.change((index) => insert(index, others[count]!, 1));
    if (recorded.writes.some(isDirectorySequence)) counts.push(count);
  }
  return counts;
})();

/** How many keys are removed before the removal that moves the record of the key. */
const movedAt = (() => {
  const index = new KeyIndex({ hashSeed: 1 });
  insert(index, readKey, 1);
  fillPages(index);
  const address = find(index, readKey);
  for (let count = 0;; count++) {
    index.remove(find(index, others[count]!));
    if (find(index, readKey) !== address) return count;
  }
})();

/** Adds as many keys as fill the first page of records, and some of the next. */
function fillPages(index: KeyIndex): void {
  for (let i = 0; i < 4000; i++) insert(index, others[i]!, 1);
}

const NEW_SCENARIOS: Scenario[] = [
  {
    name: "a key comes, and comes to have another value",
    prepare: (index) => insert(index, others[0]!, 1),
    version: GONE,
    changes: [
      { run: (index) => insert(index, readKey, 2), version: 2 },
      { run: (index) => update(index, 3), version: 3 },
      { run: (index) => update(index, 4), version: 4 },
    ],
  },
  {
    name: "a key is removed, its memory becomes another key's, and it comes back",
    prepare: (index) => insert(index, readKey, 1),
    version: 1,
    changes: [
      { run: (index) => index.remove(find(index, readKey)), version: GONE },
      { run: (index) => insert(index, others[0]!, 2), version: GONE },
      { run: (index) => insert(index, readKey, 3), version: 3 },
    ],
  },
  {
    name: "a key gets an expiry and loses it: its record moves",
    prepare: (index) => insert(index, readKey, 1),
    version: 1,
    changes: [
      { run: (index) => update(index, 2, true), version: 2 },
      { run: (index) => update(index, 3, true), version: 3 },
      { run: (index) => update(index, 4), version: 4 },
    ],
  },
  {
    name: "compaction moves a key's frame, and the key is overwritten",
    prepare: (index) => insert(index, readKey, 1),
    version: 1,
    changes: [
      { run: (index) => index.relocate(find(index, readKey), 1001, 1010), version: 1001 },
      { run: (index) => update(index, 2), version: 2 },
    ],
  },
  {
    name: "a page that is mostly dead is evacuated",
    prepare: (index) => {
      insert(index, readKey, 1);
      fillPages(index);
      for (let i = 0; i < movedAt; i++) index.remove(find(index, others[i]!));
    },
    version: 1,
    changes: [
      { run: (index) => index.remove(find(index, others[movedAt]!)), version: 1 },
      { run: (index) => update(index, 2), version: 2 },
    ],
  },
  ...[0, 1].flatMap((number) =>
    KEYS.map((key): Scenario => ({
      name: `a shard splits (${number + 1}), and key ${KEYS.indexOf(key)} is overwritten`,
      key,
      prepare: (index) => {
        for (let i = 0; i < splitAt[number]! - 1; i++) insert(index, others[i]!, 1);
        insert(index, readKey, 1);
      },
      version: 1,
      changes: [
        { run: (index) => insert(index, others[splitAt[number]! - 1]!, 1), version: 1 },
        { run: (index) => insert(index, others[splitAt[number]!]!, 1), version: 1 },
        { run: (index) => update(index, 2), version: 2 },
      ],
    }))
  ),
];

const SCENARIOS: Scenario[] = [
  ...NEW_SCENARIOS,
  ...NEW_SCENARIOS.map((each) => ({ ...each, name: `restored; ${each.name}`, restored: true })),
];

/** Runs the changes of a scenario; `alter` makes something else of the writes of each. */
function record(
  { key = KEYS[0]!, restored = false, prepare, version, changes }: Scenario,
  alter: Alteration,
) {
  readKey = key;
  const prepared = new KeyIndex({ hashSeed: 1 });
  if (restored) prepare(prepared);
  const recorded = restored ? new RecordedIndex(prepared) : new RecordedIndex();
  if (!restored) recorded.change(prepare);
  recorded.writes.length = 0;
  recorded.recording = true;
  const versions = [version];
  const begins = [0];
  const ends = [0];
  const writes: WordWrite[] = [];
  for (const change of changes) {
    const from = recorded.writes.length;
    recorded.change(change.run);
    versions.push(change.version);
    begins.push(writes.length);
    writes.push(...alter(recorded.writes.slice(from)));
    ends.push(writes.length);
  }
  return { recorded, versions, begins, ends, writes };
}

type Alteration = (writes: WordWrite[]) => WordWrite[];
const UNALTERED: Alteration = (writes) => writes;

/** What readers see in a scenario that they must not see. */
function violations(
  scenario: Scenario,
  alter: Alteration = UNALTERED,
  blindness: Blindness = "none",
): { runs: number; found: string[] } {
  const { recorded, versions, begins, ends, writes } = record(scenario, alter);
  const timeline = new Timeline(recorded, writes, blindness);
  const found: string[] = [];
  let runs = 0;
  const readAll = (start: number, visit: (version: number, end: number) => void) => {
    runs += timeline.explore(start, (views) => read(new IndexReader(views)), visit);
  };
  /** The newest state that a result can be of, or -1 if it is none that may be seen. */
  const stateOf = (result: number, start: number, end: number): number =>
    versions.findLastIndex((each, state) =>
      each === result && (state === 0 || begins[state]! < end || begins[state]! === ends[state]!) &&
      (state === versions.length - 1 || start < ends[state + 1]!)
    );
  // The first reader begins at any time at which something has just been acknowledged.
  const seconds = new Map<number, number>();
  for (const start of new Set(ends)) {
    readAll(start, (result, end) => {
      const state = stateOf(result, start, end);
      if (state < 0) found.push(`${result} was read from ${start} to ${end}`);
      const oldest = versions.indexOf(result);
      if (state >= 0) seconds.set(end, Math.max(seconds.get(end) ?? 0, oldest));
    });
    if (found.length > 0) return { runs, found };
  }
  // The second one begins when the first has ended, and sees nothing older.
  for (const [start, oldest] of seconds) {
    readAll(start, (result, end) => {
      const state = stateOf(result, start, end);
      if (state < oldest) found.push(`${result} was read from ${start} to ${end}, after ${oldest}`);
    });
  }
  return { runs, found };
}

for (const scenario of SCENARIOS) {
  test(`reading in every interleaving: ${scenario.name}`, () => {
    const { runs, found } = violations(scenario);
    assert.deepEqual(found, []);
    assert(runs > 3, `${runs} interleavings`);
  });
}

for (const scenario of SCENARIOS) {
  test(`walking in every interleaving: ${scenario.name}`, () => {
    const { recorded, versions, ends, writes } = record(scenario, UNALTERED);
    const timeline = new Timeline(recorded, writes, "none");
    const hashOf = (key: Uint8Array) => recorded.index.hash(key, 0, key.length);
    const hash = hashOf(readKey);
    const countMin = versions.includes(GONE) ? 0 : 1;
    // As deep as the directory was at first: 1 bit.
    const walk = (views: IndexViews) =>
      new IndexWalk(views).cell(1, hash >>> 31, hash & BUCKET_MASK);
    for (const start of new Set(ends)) {
      timeline.explore(start, walk, (keys) => {
        // What was never a key would belong elsewhere.
        for (const key of keys) assert.equal((hashOf(key) ^ hash) & BUCKET_MASK, 0, String(key));
        const count = keys.filter((key) => String(key) === String(readKey)).length;
        assert(count >= countMin && count <= 1, `found ${count} times`);
      });
    }
  });
}

function isSequence(write: WordWrite): boolean {
  return write.memory === SHARDS ? write.word % 4 === 0 : isDirectorySequence(write);
}

/** Ways to break the protocol, each of which has to be noticed by some scenario. */
const BREAKS: {
  name: string;
  alter: (writes: WordWrite[]) => WordWrite[];
  blindness?: Blindness;
}[] = [
  { name: "the reader does not look again", alter: (writes) => writes, blindness: "again" },
  {
    name: "the reader does not mind that a change is under way",
    alter: (writes) => writes,
    blindness: "odd",
  },
  {
    name: "changes are not announced",
    alter: (writes) => writes.filter((write) => !isSequence(write)),
  },
  {
    name: "changes are over before they begin",
    alter: (
      writes,
    ) => [...writes.filter(isSequence), ...writes.filter((each) => !isSequence(each))],
  },
  {
    name: "changes are announced when they are over",
    alter: (
      writes,
    ) => [...writes.filter((each) => !isSequence(each)), ...writes.filter(isSequence)],
  },
  {
    name: "a slot names a record that is not written yet",
    alter: (writes) => {
      // Those before the first sequence number are the record's.
      const first = writes.findIndex(isSequence);
      return [...writes.slice(first), ...writes.slice(0, first)];
    },
  },
];

for (const { name, alter, blindness } of BREAKS) {
  test(`reading in every interleaving: it is noticed if ${name}`, () => {
    assert(SCENARIOS.some((scenario) => violations(scenario, alter, blindness).found.length > 0));
  });
}
