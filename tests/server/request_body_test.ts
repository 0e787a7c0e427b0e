import assert from "node:assert/strict";
import { test } from "node:test";
import { BodyMemory } from "../../lib/server/http/body_memory.ts";
import { readBody, releaseBody } from "../../lib/server/http/request_body.ts";
import { TestClock } from "../support/test_clock.ts";

const MIB = 1 << 20;

/** A body that comes as the test says. */
class Upload {
  readonly request: Request;
  cancelled = false;
  #controller!: ReadableStreamDefaultController<Uint8Array>;

  constructor(length?: number) {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => void (this.#controller = controller),
      cancel: () => void (this.cancelled = true),
    });
    const headers: HeadersInit = length === undefined ? {} : { "content-length": String(length) };
    // Under some runtimes a stream needs to be told that answers wait for it.
    const init = { method: "PUT", body, headers, duplex: "half" };
    this.request = new Request("http://localhost/", init as RequestInit);
  }

  send(length: number): this {
    this.#controller.enqueue(new Uint8Array(length).fill(7));
    return this;
  }

  end(): this {
    this.#controller.close();
    return this;
  }
}

/** Lets what has been started come as far as it can. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
}

test("bodies: long ones count while they are in memory, and beyond the maximum are refused", async () => {
  const bodies = new BodyMemory({ bytesMax: 3 * MIB }, new TestClock());
  const first = new Upload(2 * MIB).send(2 * MIB).end();
  assert.equal((await readBody(first.request, 64 * MIB, undefined, bodies)).length, 2 * MIB);
  assert.equal(bodies.held, 2 * MIB);
  const second = new Upload(2 * MIB);
  await assert.rejects(readBody(second.request, 64 * MIB, undefined, bodies), {
    code: "Overloaded",
    headers: { "retry-after": "1", connection: "close" },
  });
  // One without a length is refused when it has become too long.
  const third = new Upload().send(MIB).send(MIB);
  await assert.rejects(readBody(third.request, 64 * MIB, undefined, bodies), {
    code: "Overloaded",
  });
  assert(third.cancelled);
  for (const { request } of [first, second, third]) releaseBody(request, bodies);
  assert.equal(bodies.held, 0);
  const fourth = new Upload(3 * MIB).send(3 * MIB).end();
  assert.equal((await readBody(fourth.request, 64 * MIB, undefined, bodies)).length, 3 * MIB);
});

test("bodies: one alone may be longer than the maximum of all", async () => {
  const bodies = new BodyMemory({ bytesMax: MIB }, new TestClock());
  const declared = new Upload(2 * MIB).send(2 * MIB).end();
  assert.equal((await readBody(declared.request, 64 * MIB, undefined, bodies)).length, 2 * MIB);
  releaseBody(declared.request, bodies);
  const open = new Upload().send(MIB).send(MIB).end();
  assert.equal((await readBody(open.request, 64 * MIB, undefined, bodies)).length, 2 * MIB);
});

test("bodies: one that comes too slowly is given up", async () => {
  for (const length of [100, MIB, undefined]) {
    const clock = new TestClock();
    const bodies = new BodyMemory({ receiveMs: 20_000, bytesPerSecondMin: 1000 }, clock);
    const upload = new Upload(length).send(10);
    const outcome = readBody(upload.request, 64 * MIB, undefined, bodies).catch((error) => error);
    await settle();
    clock.advance(19_000);
    await settle();
    assert.equal(bodies.arriving, 1);
    clock.advance(2_000);
    assert.equal((await outcome).code, "RequestTimeout");
    assert.equal((await outcome).headers.connection, "close");
    assert.equal(bodies.arriving, 0);
    if (length !== 100) assert(upload.cancelled);
  }
});

test("bodies: one that comes fast enough may take as long as it needs", async () => {
  const clock = new TestClock();
  const bodies = new BodyMemory({ receiveMs: 20_000, bytesPerSecondMin: 1000 }, clock);
  const upload = new Upload();
  const outcome = readBody(upload.request, 64 * MIB, undefined, bodies);
  for (let second = 0; second < 30; second++) {
    upload.send(1000);
    await settle();
    clock.advance(1000);
  }
  assert.equal((await upload.end() && await outcome).length, 30_000);
  assert.equal(bodies.arriving, 0);
});
