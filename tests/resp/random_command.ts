/** Random commands whose replies depend on what came before, and not on the time. */

import type { SeededRandom } from "../support/seeded_random.ts";

export const RANDOM_KEYS: readonly string[] = ["a", "b", "c", "d", "grüezi", '"x y"'];
const VALUES = ["1", "-7", "0", "abc", '""', "3.5", "9223372036854775807", "10", "1e3", "007"];
const NUMBERS = ["1", "-1", "5", "100", "-9223372036854775808", "9223372036854775807", "x", "0"];
const FLOATS = ["0.1", "-2.5", "1e10", "3.00", "x", "1e-7", "123456789.123456789", "0.7"];
/** Far away, so that the seconds left are the same a moment later. */
const SECONDS = ["100000", "200000", "0", "-5"];

/** A command as text. */
export function randomCommand(random: SeededRandom): string {
  const key = () => random.pick(RANDOM_KEYS);
  const value = () => random.pick(VALUES);
  const number = () => random.pick(NUMBERS);
  const small = () => String(random.between(-12, 12));
  const seconds = () => random.pick(SECONDS);
  const many = (item: () => string) => Array.from({ length: random.between(1, 3) }, item).join(" ");
  const condition = () => random.pick(["", "", "nx", "xx", "gt", "lt"]);
  return random.pick<() => string>([
    () => `get ${key()}`,
    () => `get ${key()}`,
    () => `set ${key()} ${value()}`,
    () =>
      `set ${key()} ${value()} ${random.pick(["nx", "xx", "get", "keepttl", "xx get", "nx get"])}`,
    () => `set ${key()} ${value()} ex ${seconds()} ${random.pick(["", "nx", "xx", "get"])}`,
    () => `setnx ${key()} ${value()}`,
    () => `setex ${key()} ${seconds()} ${value()}`,
    () => `getset ${key()} ${value()}`,
    () => `getdel ${key()}`,
    () => `getex ${key()} ${random.pick(["", "persist", `ex ${seconds()}`])}`,
    () => `mget ${many(key)}`,
    () => `mset ${many(() => `${key()} ${value()}`)}`,
    () => `msetnx ${many(() => `${key()} ${value()}`)}`,
    () => `append ${key()} ${value()}`,
    () => `strlen ${key()}`,
    () => `getrange ${key()} ${small()} ${small()}`,
    () => `setrange ${key()} ${small()} ${value()}`,
    () => `incr ${key()}`,
    () => `decr ${key()}`,
    () => `incrby ${key()} ${number()}`,
    () => `decrby ${key()} ${number()}`,
    () => `incrbyfloat ${key()} ${random.pick(FLOATS)}`,
    () => `del ${many(key)}`,
    () => `unlink ${many(key)}`,
    () => `exists ${many(key)}`,
    () => `touch ${many(key)}`,
    () => `type ${key()}`,
    () => `rename ${key()} ${key()}`,
    () => `renamenx ${key()} ${key()}`,
    () => `expire ${key()} ${seconds()} ${condition()}`,
    () => `expireat ${key()} ${random.pick(["1", "4102444800", "4102444900"])} ${condition()}`,
    () => `expiretime ${key()}`,
    () => `persist ${key()}`,
    () => "multi",
    () => "multi",
    () => "exec",
    () => "exec",
    () => "exec",
    () => "discard",
    () => "unwatch",
    () => "ping",
    () => "nonsense",
    () => "get",
  ])().trim().replace(/ {2,}/g, " ");
}
