import assert from "node:assert/strict";
import { test } from "node:test";
import { BoundedLogOutput, type Descriptor } from "../../lib/cli/log_output.ts";
import { TestClock } from "../support/test_clock.ts";

const MEBIBYTE = 1 << 20;

/** A pipe that takes as much as it is told to. */
class Pipe implements Descriptor {
  room = Infinity;
  text = "";
  broken = false;

  writeNow(bytes: Uint8Array): number {
    if (this.broken) throw new Error("EPIPE");
    const part = bytes.subarray(0, this.room);
    this.text += new TextDecoder().decode(part);
    this.room -= part.length;
    return part.length;
  }
}

const notice = (dropped: number) => `dropped ${dropped}`;

test("log output: lines come out at once and in order", () => {
  const pipe = new Pipe();
  const output = new BoundedLogOutput(pipe, notice, new TestClock());
  output.writeLine("one");
  output.writeLine("two");
  assert.equal(pipe.text, "one\ntwo\n");
});

test("log output: what a pipe has no room for comes later, whole and in order", () => {
  const pipe = new Pipe();
  const clock = new TestClock();
  const output = new BoundedLogOutput(pipe, notice, clock);
  pipe.room = 6;
  for (const line of ["one", "two", "three"]) output.writeLine(line);
  assert.equal(pipe.text, "one\ntw");
  pipe.room = Infinity;
  clock.advance(1000);
  assert.equal(pipe.text, "one\ntwo\nthree\n");
  assert.equal(clock.pendingCount(), 0);
});

test("log output: a stuck pipe costs a limited amount of memory, and is told what it missed", () => {
  const pipe = new Pipe();
  const clock = new TestClock();
  const output = new BoundedLogOutput(pipe, notice, clock);
  pipe.room = 0;
  const line = "x".repeat(1023);
  for (let count = 0; count < 5000; count++) output.writeLine(line);
  assert.equal(output.waitingBytes, MEBIBYTE);
  assert.equal(clock.pendingCount({ foregroundOnly: true }), 0, "it keeps no process alive");
  pipe.room = Infinity;
  clock.advance(1000);
  assert.equal(pipe.text, `${line}\n`.repeat(1024) + `dropped ${5000 - 1024}\n`);
  output.writeLine("after");
  assert(pipe.text.endsWith(`dropped ${5000 - 1024}\nafter\n`));
});

test("log output: a pipe without a reader stops nothing", () => {
  const pipe = new Pipe();
  const output = new BoundedLogOutput(pipe, notice, new TestClock());
  pipe.broken = true;
  for (let count = 0; count < 10; count++) output.writeLine("nobody reads this");
  assert.equal(output.waitingBytes, 0);
});

test("log output: where it cannot be made to return at once, one write at a time", () => {
  const written: string[] = [];
  const waiting: ((error: unknown, byteLength: number) => void)[] = [];
  const descriptor: Descriptor = {
    writeLater: (bytes, done) => {
      written.push(new TextDecoder().decode(bytes));
      waiting.push(done);
    },
  };
  const output = new BoundedLogOutput(descriptor, notice, new TestClock());
  output.writeLine("one");
  output.writeLine("two");
  assert.deepEqual(written, ["one\n"]);
  waiting.shift()!(null, 2);
  assert.deepEqual(written, ["one\n", "e\n"]);
  waiting.shift()!(null, 2);
  waiting.shift()!(new Error("EPIPE"), 0);
  assert.deepEqual(written, ["one\n", "e\n", "two\n"]);
  assert.equal(waiting.length, 0);
});

test("log output: the end of the process gives the last lines some time, not for ever", () => {
  const pipe = new Pipe();
  const output = new BoundedLogOutput(pipe, notice, new TestClock());
  pipe.room = 0;
  output.writeLine("last");
  let paused = 0;
  output.finish((ms) => paused += ms);
  assert(paused > 0 && paused <= 1000, `${paused}`);
  output.finish(() => pipe.room = 10);
  assert.equal(pipe.text, "last\n");
});
