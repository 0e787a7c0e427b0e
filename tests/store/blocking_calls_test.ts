/** What the store does in the background keeps the event loop waiting for no disk. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { HINT_HEADER_BYTES } from "../../lib/format/hint.ts";
import { LAZY, openInMemory, pattern, turn } from "../support/test_store.ts";
import { PatientFileSystem } from "../support/patient_file_system.ts";

const KIB = 1 << 10;
/** Something is always being synced. */
const BATCHED = { bytes: 16 * KIB, millis: 3_600_000 };

function nameOf(fileId: number): string {
  return `${String(fileId).padStart(10, "0")}.log`;
}

test("compaction blocks for ACTIVE, for headers and its own hint file, and nothing else", async () => {
  const fs = new PatientFileSystem();
  await using store = await openInMemory({ durability: LAZY, segmentBytesMax: 512 * KIB }, fs);
  for (let i = 0; i < 4000; i++) void store.set(`${i % 3000}`, pattern(700, i));
  await store.flush();
  // Closes what is being appended to, and waits for the hints of all segments.
  await store.compact();
  for (let i = 0; i < 3000; i += 2) void store.set(`${i}`, pattern(701, i));
  await store.flush();
  await store.compact();
  for (let i = 0; i < 100; i++) void store.set(`${i}`, pattern(702, i));
  await store.flush();
  fs.blocking.length = 0;
  fs.patient.length = 0;
  const result = await store.compact();
  assert(result.bytesReclaimed > 50_000);

  // Closing the segment that is appended to is the log writer's, and comes first.
  const first = fs.patient.findIndex(({ name, call }) => call === "read" && name.endsWith(".log"));
  assert(first >= 0);
  const unexpected = fs.blocking.filter(({ call, name, bytes }) => {
    if (name === "ACTIVE.tmp" || call === "syncDirectory") return false;
    if (name.endsWith(".log")) return call !== "sync" && (call !== "write" || bytes > KIB);
    if (name.endsWith(".hint")) return call !== "read";
    return call !== "write" || bytes !== HINT_HEADER_BYTES && bytes > KIB;
  });
  assert.deepEqual(unexpected, []);
  const longSyncs = fs.blocking.filter(({ call, bytes }) => call === "sync" && bytes > KIB);
  assert.deepEqual(longSyncs, []);
  // One each time that ACTIVE is replaced, and one if a segment was closed before.
  const replaced = fs.blocking.filter(({ name, call }) => name === "ACTIVE.tmp" && call === "sync");
  const directorySyncs = fs.blocking.filter(({ call }) => call === "syncDirectory");
  assert(directorySyncs.length <= replaced.length + 1, `${directorySyncs.length} syncs`);
  const unlinked = fs.patient.filter(({ call, name }) =>
    call === "unlink" && name.endsWith(".log")
  );
  assert(unlinked.length > 0);
});

for (const [name, durability] of [["immediate", "immediate"], ["batched", BATCHED]] as const) {
  test(`${name}: segments are closed and begun without any fsync that blocks`, async () => {
    const fs = new PatientFileSystem();
    const options = { durability, segmentBytesMax: 256 * KIB, compaction: { auto: false } };
    await using store = await openInMemory(options, fs);
    // A disk that nobody knows yet is trusted with one write.
    await store.set("first", "");
    fs.blocking.length = 0;
    for (let i = 0; store.stats().segments < 6; i++) await store.set(`${i}`, pattern(8 * KIB, i));
    await store.flush();
    const blocked = fs.blocking.filter(({ call }) => call.startsWith("sync"));
    // Where nothing is closed, the fsync of a fast disk may block; but none of the rest.
    const ofRotation = blocked.filter(({ name }) => !name.endsWith(".log"));
    assert.deepEqual(durability === "immediate" ? ofRotation : blocked, []);
    const renamed = fs.patient.filter(({ name }) => name === "ACTIVE.tmp");
    assert.equal(renamed.length, store.stats().segments - 1);
  });
}

test("a segment is closed with little left to sync", async () => {
  const fs = new PatientFileSystem();
  const segmentBytesMax = 4096 * KIB;
  await using store = await openInMemory({ durability: LAZY, segmentBytesMax }, fs);
  const segments = () => store.stats().segments;
  const lastSyncs: number[] = [];
  for (let i = 0; segments() < 3; i++) {
    const before = segments();
    void store.set(`${i % 5000}`, pattern(4 * KIB, i));
    if (segments() > before) lastSyncs.push(fs.dirtyBytes.get(nameOf(before)) ?? 0);
    if (i % 8 === 0) await turn();
  }
  assert.equal(lastSyncs.length, 2);
  for (const bytes of lastSyncs) assert(bytes < 1024 * KIB, `${bytes} bytes are left to sync`);
});
