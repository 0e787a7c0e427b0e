import assert from "node:assert/strict";
import { test } from "node:test";
import { FailureLimit } from "../../lib/server/failure_limit.ts";
import { AccessControl, tokenProblem } from "../../lib/server/http/mod.ts";
import { TestClock } from "../support/test_clock.ts";
import { assertProblem, Service } from "./service.ts";

const FULL = "0123456789abcdef0123456789abcdef";
const READ = "fedcba9876543210fedcba9876543210";

function createAccess(log: string[] = [], clock = new TestClock()): AccessControl {
  const note = (_message: string, { address }: Record<string, unknown>) =>
    log.push(String(address));
  const logger = { debug: note, info: note, warn: note, error: note };
  return new AccessControl({ full: FULL, readOnly: READ }, new FailureLimit(clock, logger));
}

function bearer(token: string): { headers: Record<string, string> } {
  return { headers: { authorization: `Bearer ${token}` } };
}

test("tokens: the full one may do everything, the other one read, none nothing", async () => {
  await using service = await Service.start({ access: createAccess() });
  const put = (init: RequestInit) => service.ask("PUT", "/v1/kv/a", { body: "x", ...init });
  assert.equal((await put(bearer(FULL))).status, 201);
  for (const token of [FULL, READ]) {
    assert.equal((await service.ask("GET", "/v1/kv/a", bearer(token))).status, 200);
    assert.equal((await service.ask("HEAD", "/v1/kv/a", bearer(token))).status, 200);
  }
  for (const method of ["PUT", "DELETE", "POST", "PATCH", "OPTIONS"]) {
    const refused = await service.ask(method, "/v1/kv/a", bearer(READ));
    assert.match(refused.headers.get("www-authenticate") ?? "", /insufficient_scope/);
    await assertProblem(refused, 403, "Forbidden");
    const nobody = await service.ask(method, "/v1/kv/a");
    assert.equal(nobody.headers.get("www-authenticate"), 'Bearer realm="cairn"');
    await assertProblem(nobody, 401, "Unauthorized");
  }
  await assertProblem(await service.ask("GET", "/v1/kv/a"), 401, "Unauthorized");
  assert.equal(service.store.size, 1);
});

test("tokens: every route wants one, those that do not exist too; but not whether it is alive", async () => {
  await using service = await Service.start({ access: createAccess() });
  const closed = ["/", "/nowhere", "/v1/kv/", "/healthz/", "/healthz%2F", "/Healthz", "/v1/stats"];
  for (const path of closed) {
    await assertProblem(await service.ask("GET", path), 401, "Unauthorized");
  }
  assert.equal((await service.ask("GET", "/healthz")).status, 200);
  assert.equal((await service.ask("HEAD", "/healthz?verbose")).status, 200);
  await assertProblem(await service.ask("POST", "/healthz"), 401, "Unauthorized");
  await assertProblem(await service.ask("GET", "/healthz", bearer("x")), 401, "Unauthorized");
});

test("tokens: what is nearly right is wrong", async () => {
  await using service = await Service.start({ access: createAccess() });
  const ask = async (authorization: string) =>
    (await service.ask("GET", "/v1/kv/a", { headers: { authorization } })).status;
  for (const good of [`Bearer ${FULL}`, `bearer  ${FULL}`, `BEARER ${READ}`]) {
    assert.equal(await ask(good), 404, good);
  }
  const wrong = [
    FULL.slice(1),
    `${FULL}0`,
    FULL.toUpperCase(),
    `${FULL}, Bearer ${FULL}`,
    `${FULL} ${FULL}`,
    "",
    "undefined",
  ];
  for (const token of wrong) assert([401, 429].includes(await ask(`Bearer ${token}`)), token);
  for (const other of [FULL, `Basic ${FULL}`, `Bearer${FULL}`, "Bearer"]) {
    assert([401, 429].includes(await ask(other)), other);
  }
});

test("tokens: too many wrong ones get 429 and when to try again; right ones go on", async () => {
  const clock = new TestClock();
  const log: string[] = [];
  await using service = await Service.start({ access: createAccess(log, clock) });
  const wrong = () => service.ask("GET", "/v1/kv/a", bearer("wrong"));
  for (let failure = 0; failure < 10; failure++) {
    await assertProblem(await wrong(), 401, "Unauthorized");
  }
  const limited = await wrong();
  assert.equal(limited.headers.get("retry-after"), "6");
  await assertProblem(limited, 429, "TooManyRequests");
  assert.equal(log.length, 10);
  assert.equal((await service.ask("GET", "/v1/kv/a", bearer(FULL))).status, 404);
  clock.advance(6000);
  await assertProblem(await wrong(), 401, "Unauthorized");
  await assertProblem(await wrong(), 429, "TooManyRequests");
  clock.advance(60_000);
  for (let failure = 0; failure < 10; failure++) assert.equal((await wrong()).status, 401);
  assert.equal((await wrong()).status, 429);
});

test("tokens: others from now on", async () => {
  const access = createAccess();
  await using service = await Service.start({ access });
  const status = async (token: string) =>
    (await service.ask("GET", "/v1/kv/a", bearer(token))).status;
  const other = "another token of sufficient length".replaceAll(" ", "-");
  access.replace({ full: other });
  assert.deepEqual([await status(other), await status(FULL), await status(READ)], [404, 401, 401]);
  assert.throws(() => access.replace({ full: "short" }), TypeError);
  assert.throws(() => access.replace({ full: FULL, readOnly: FULL }), TypeError);
  assert.equal(await status(other), 404);
});

test("tokens: what is too weak to be one", () => {
  assert.equal(tokenProblem(FULL), undefined);
  assert.equal(tokenProblem("abcdefghijklmnopqrstuvwxyzABCDEF0123456789-._~+/=="), undefined);
  const problems: [string, RegExp][] = [
    ["", /empty/],
    ["secret", /6 characters.*at least 32/],
    [FULL.slice(1), /31 characters/],
    ["a".repeat(64), /not random/],
    [`${FULL} ${FULL}`, /other characters/],
    [`${FULL}\n${FULL}`, /other characters/],
    [`${FULL}é`, /other characters/],
    [FULL.repeat(200), /longer than 4096/],
  ];
  for (const [token, problem] of problems) {
    assert.match(tokenProblem(token) ?? "", problem);
    if (token.length > 10) assert(!tokenProblem(token)?.includes(token.slice(0, 10)));
  }
});

test("tokens: an object that is shown does not show them", () => {
  const shown = JSON.stringify(createAccess()) + String(createAccess());
  assert(!shown.includes(FULL) && !shown.includes(READ));
});

test("wrong tokens: addresses are remembered in bounded memory, IPv6 by network", () => {
  const silent = () => {};
  const logger = { debug: silent, info: silent, warn: silent, error: silent };
  const limit = new FailureLimit(new TestClock(), logger);
  for (let address = 0; address < 10_000; address++) {
    limit.failed(`10.0.${address >> 8}.${address}`);
  }
  assert.equal(limit.size, 4096);
  const isLimited = (address: string) => limit.failed(address) > 0;
  const neighbours = ["2001:db8::1", "2001:db8:0:0:ffff::2", "2001:DB8:0:0:1:2:3:4"];
  for (let failure = 0; failure < 10; failure++) {
    assert(!isLimited(neighbours[failure % 3]!));
    assert(!isLimited("192.0.2.1"));
  }
  for (const neighbour of neighbours) assert(isLimited(neighbour), neighbour);
  assert(!isLimited("2001:db8:0:1::1"));
  assert(isLimited("::ffff:192.0.2.1"));
  assert(!isLimited("::1") && !isLimited("192.0.2.2"));
});
