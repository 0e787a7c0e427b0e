/** What answers may hold together, as those count it whose length turns out while they are made. */

import assert from "node:assert/strict";
import { RESPONSE_BYTES_HELD_MAX } from "../../lib/limits.ts";
import { ResponseMemory } from "../../lib/server/http/response_memory.ts";
import { testUnless } from "../support/test_unless.ts";

const notBun = "Bun" in globalThis ? undefined : "only Bun's answers are counted";
const OVERLOADED = { code: "Overloaded", status: 503 };

testUnless(notBun, "response memory: who comes too late is refused, or waits", async () => {
  const [first, second] = [new ResponseMemory(), new ResponseMemory()];
  try {
    await first.cover(RESPONSE_BYTES_HELD_MAX - (1 << 20));
    await second.cover(1 << 20);
    await assert.rejects(second.cover(2 << 20), OVERLOADED);
    let isOver = false;
    const gone = second.coverLater(2 << 20, () => isOver);
    isOver = true;
    await assert.rejects(gone, OVERLOADED);
    const patient = second.coverLater(2 << 20, () => false);
    first.release();
    await patient;
    await assert.rejects(first.cover(RESPONSE_BYTES_HELD_MAX - (1 << 20)), OVERLOADED);
    await first.cover(RESPONSE_BYTES_HELD_MAX - (2 << 20));
  } finally {
    first.release();
    second.release();
  }
});

testUnless(
  notBun,
  "response memory: what is there already is counted, and refused to none",
  async () => {
    const [first, second] = [new ResponseMemory(), new ResponseMemory()];
    try {
      // A single one may be as long as it is.
      await first.cover(2 * RESPONSE_BYTES_HELD_MAX);
      await assert.rejects(second.cover(1 << 20), OVERLOADED);
      second.count(1 << 20);
      assert.equal(second.lacks(1 << 20), false);
      first.release();
      await assert.rejects(first.cover(RESPONSE_BYTES_HELD_MAX), OVERLOADED);
    } finally {
      first.release();
      second.release();
    }
  },
);
