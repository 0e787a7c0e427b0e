/** Values that say who wrote them and how long they are, so that a wrong one cannot pass. */

import assert from "node:assert/strict";

/** The value of a name and a length. */
export function valueOf(name: string, length: number): string {
  return `${name} ${length} `.padEnd(length, "-");
}

/** The name of a value, which must be whole. */
export function nameOf(value: string): string {
  const [name, length] = value.split(" ", 2);
  assert.equal(value, valueOf(name!, Number(length)), "a value is not as anybody wrote it");
  return name!;
}
