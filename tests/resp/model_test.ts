/** Random commands in random pipelines, with time passing, against a map. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "../support/fuzzing.ts";
import { RespWorld } from "../support/resp_peer.ts";
import type { SeededRandom } from "../support/seeded_random.ts";
import { DURABILITIES, openInMemory, scanAll, text } from "../support/test_store.ts";
import { MemoryFileSystem } from "../../lib/fs/memory_file_system.ts";

const ROUNDS = 150;
const KEYS = ["a", "b", "c", "d"];

interface ModelEntry {
  value: string;
  expiresAt: number | undefined;
}

/** What a store of strings does, as simply as it can be said. */
class Model {
  readonly entries = new Map<string, ModelEntry>();
  now: number;

  constructor(now: number) {
    this.now = now;
  }

  advance(ms: number): void {
    this.now += ms;
    for (const [key, { expiresAt }] of this.entries) {
      if (expiresAt !== undefined && expiresAt <= this.now) this.entries.delete(key);
    }
  }

  /** The reply to one of the commands that {@link randomStep} makes. */
  execute(command: string): string {
    const [name, key = "", first = "", second = ""] = command.split(" ");
    const entry = this.entries.get(key);
    const bulk = (value: string | undefined) => value === undefined ? "nil" : `"${value}"`;
    const set = (value: string, expiresAt?: number) => this.entries.set(key, { value, expiresAt });
    switch (name) {
      case "get":
        return bulk(entry?.value);
      case "set":
        if (second === "keepttl") set(first, entry?.expiresAt);
        else if (second === "nx") {
          if (entry !== undefined) return "nil";
          set(first);
        } else set(first);
        return "+OK";
      case "psetex":
        set(second, this.now + Number(first));
        return "+OK";
      case "append":
        set((entry?.value ?? "") + first, entry?.expiresAt);
        return `:${(entry?.value.length ?? 0) + first.length}`;
      case "incr": {
        const before = Number(entry?.value ?? 0);
        if (!/^-?\d{1,9}$/.test(entry?.value ?? "0")) {
          return "-ERR value is not an integer or out of range";
        }
        set(String(before + 1), entry?.expiresAt);
        return `:${before + 1}`;
      }
      case "getdel":
        this.entries.delete(key);
        return bulk(entry?.value);
      case "del":
        return this.entries.delete(key) ? ":1" : ":0";
      case "pexpire":
        if (entry === undefined) return ":0";
        if (Number(first) <= 0) this.entries.delete(key);
        else set(entry.value, this.now + Number(first));
        return ":1";
      case "persist":
        if (entry?.expiresAt === undefined) return ":0";
        set(entry.value);
        return ":1";
      case "pttl":
        if (entry === undefined) return ":-2";
        return entry.expiresAt === undefined ? ":-1" : `:${entry.expiresAt - this.now}`;
      case "rename":
        if (entry === undefined) return "-ERR no such key";
        this.entries.delete(key);
        this.entries.set(first, entry);
        return "+OK";
      case "mget":
        return `[${
          command.split(" ").slice(1).map((key) => bulk(this.entries.get(key)?.value)).join(" ")
        }]`;
      case "dbsize":
        return `:${this.entries.size}`;
      case "keys":
        return `[${[...this.entries.keys()].sort().map(bulk).join(" ")}]`;
      case "flushall":
        this.entries.clear();
        return "+OK";
      default:
        throw new Error(command);
    }
  }
}

function randomStep(random: SeededRandom): string {
  const key = random.pick(KEYS);
  const value = random.pick(["1", "x", "41", "-5"]);
  const ms = random.pick([1, 10, 50, 1000]);
  return random.pick([
    `get ${key}`,
    `set ${key} ${value}`,
    `set ${key} ${value} nx`,
    `set ${key} ${value} keepttl`,
    `psetex ${key} ${ms} ${value}`,
    `append ${key} ${value}`,
    `incr ${key}`,
    `getdel ${key}`,
    `del ${key}`,
    `pexpire ${key} ${random.pick([ms, ms, -1, 0])}`,
    `persist ${key}`,
    `pttl ${key}`,
    `rename ${key} ${random.pick(KEYS)}`,
    `mget ${key} ${random.pick(KEYS)}`,
    "dbsize",
    "keys *",
    ...(random.chance(0.1) ? ["flushall"] : []),
  ]);
}

for (const [name, durability] of DURABILITIES) {
  test(`model: random pipelines and transactions, ${name}`, async () => {
    await fuzz(4, async (random) => {
      const fileSystem = new MemoryFileSystem();
      const world = await RespWorld.open({ store: { durability }, fileSystem });
      const model = new Model(world.clock.now());
      const peers = [world.peer(), world.peer(), world.peer()];
      for (let round = 0; round < ROUNDS; round++) {
        const peer = random.pick(peers);
        const steps = Array.from({ length: random.between(1, 8) }, () => randomStep(random));
        const isTransaction = random.chance(0.3) &&
          !steps.some((step) => /^(?:dbsize|keys|flushall)/.test(step));
        const sent = isTransaction ? ["multi", ...steps, "exec"] : steps;
        const replies = await peer.pipeline(...sent);
        const expected = steps.map((step) => model.execute(step));
        assert.deepEqual(
          isTransaction ? replies.at(-1) : replies,
          isTransaction ? `[${expected.join(" ")}]` : expected,
          sent.join("; "),
        );
        const ms = random.pick([0, 0, 1, 9, 10, 49, 500]);
        world.clock.advance(ms);
        model.advance(ms);
      }
      // And all of it is in the log.
      await world.store.close();
      await using reopened = await openInMemory({ clock: world.clock }, fileSystem);
      const found = (await scanAll(reopened)).map(({ key, value, expiresAt }) => [
        key,
        text(value),
        expiresAt,
      ]);
      assert.deepEqual(
        found,
        [...model.entries].sort().map(([key, { value, expiresAt }]) => [key, value, expiresAt]),
      );
    });
  });
}
