/** Waypoints: the nearest one before an LSN, from whichever end a segment was read first. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Waypoints } from "../../lib/log/waypoints.ts";

const SPACING = 1 << 18;

test("without waypoints, reading begins at the beginning", () => {
  const waypoints = new Waypoints();
  assert.equal(waypoints.before(5), undefined);
  waypoints.note(3, SPACING - 1);
  assert.equal(waypoints.before(5), undefined, "the beginning is near enough");
});

test("the last waypoint before which nothing is newer is found", () => {
  const waypoints = new Waypoints();
  // The middle first, as a follower does who came late.
  for (const part of [4, 5, 2, 1, 3]) waypoints.note(part * 10, part * SPACING);
  for (let part = 1; part <= 5; part++) {
    const expected = { lsn: part * 10, offset: part * SPACING };
    assert.deepEqual(waypoints.before(part * 10), expected);
    assert.deepEqual(waypoints.before(part * 10 + 9), expected);
  }
  assert.equal(waypoints.before(9), undefined);
  assert.deepEqual(waypoints.before(1e9), { lsn: 50, offset: 5 * SPACING });
});

test("waypoints keep their distance, so that they stay few", () => {
  const waypoints = new Waypoints();
  for (const offset of [10, 12, 11]) waypoints.note(offset, offset * SPACING);
  for (let lsn = 1; lsn < 1000; lsn++) waypoints.note(lsn / 10, 10 * SPACING + lsn);
  assert.deepEqual(waypoints.before(10.9), { lsn: 10, offset: 10 * SPACING });
  assert.deepEqual(waypoints.before(11), { lsn: 11, offset: 11 * SPACING });
});
