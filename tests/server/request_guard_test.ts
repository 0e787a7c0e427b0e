import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createGuard,
  type HostRules,
  loopbackAuthorities,
} from "../../lib/server/http/request_guard.ts";

/** What comes of a request with these headers: ok, or the code of the refusal. */
function outcome(
  headers: Record<string, string>,
  rules: ReadonlySet<string> | HostRules | undefined,
  url = "http://localhost:8620/v1/kv/a",
): string {
  try {
    // Request() would drop a Host header.
    createGuard(rules instanceof Set ? { authorities: rules } : rules as HostRules ?? {})(
      { url, headers: new Headers(headers) } as Request,
    );
    return "ok";
  } catch (error) {
    return (error as { code: string }).code;
  }
}

const ours = loopbackAuthorities("127.0.0.1", 8620);

test("Host: our names with our port", () => {
  for (const host of ["127.0.0.1:8620", "localhost:8620", "LocalHost:8620", "[::1]:8620"]) {
    assert.equal(outcome({ host }, ours), "ok", host);
  }
  const others = [
    "evil.example",
    "evil.example:8620",
    "localhost",
    "localhost:80",
    "localhost:86200",
    "localhost.evil.example:8620",
    "127.0.0.1:8620.evil.example",
    "evil@localhost:8620",
    "localhost:8620, evil.example",
    "0.0.0.0:8620",
    "127.1:8620",
    "",
  ];
  for (const host of others) assert.equal(outcome({ host }, ours), "MisdirectedRequest", host);
});

test("Host: without the port if that is 80; the address listened on", () => {
  assert.equal(outcome({ host: "localhost" }, loopbackAuthorities("127.0.0.1", 80)), "ok");
  assert.equal(outcome({ host: "127.0.0.2:1" }, loopbackAuthorities("127.0.0.2", 1)), "ok");
  assert.equal(
    outcome({ host: "127.0.0.2:1" }, loopbackAuthorities("127.0.0.1", 1)),
    "MisdirectedRequest",
  );
});

test("Host: without a list, any port of this machine", () => {
  for (const host of ["localhost", "localhost:1", "127.0.0.1:65535", "[::1]:2"]) {
    assert.equal(outcome({ host }, undefined), "ok", host);
  }
  for (const host of ["evil.example", "localhost.evil:1", "localhost:1x", "10.0.0.1"]) {
    assert.equal(outcome({ host }, undefined), "MisdirectedRequest", host);
  }
  assert.equal(outcome({}, undefined, "/v1/kv/a"), "MisdirectedRequest");
});

test("Origin: only our own", () => {
  const from = (origin: string) => outcome({ host: "localhost:8620", origin }, ours);
  assert.equal(from("http://localhost:8620"), "ok");
  const others = [
    "null",
    "",
    "https://evil.example",
    "http://localhost:3000",
    "http://localhost",
    "https://localhost:8620",
    "http://127.0.0.1:8620",
  ];
  for (const origin of others) assert.equal(from(origin), "Forbidden", origin);
});

test("Sec-Fetch-Site: not on behalf of another site", () => {
  const from = (site: string) => outcome({ host: "localhost:8620", "sec-fetch-site": site }, ours);
  assert.deepEqual(["same-origin", "none"].map(from), ["ok", "ok"]);
  assert.deepEqual(["cross-site", "same-site"].map(from), ["Forbidden", "Forbidden"]);
});

test("HTTPS: its own origin, and port 443 without saying so", () => {
  const rules = { authorities: loopbackAuthorities("127.0.0.1", 443, true), secure: true };
  assert.equal(outcome({ host: "localhost" }, rules), "ok");
  assert.equal(outcome({ host: "localhost:443" }, rules), "ok");
  assert.equal(outcome({ host: "localhost:80" }, rules), "MisdirectedRequest");
  assert.equal(outcome({ host: "localhost", origin: "https://localhost" }, rules), "ok");
  assert.equal(outcome({ host: "localhost", origin: "http://localhost" }, rules), "Forbidden");
});

test("a name behind a proxy: with the origin of either scheme, and only that name", () => {
  const names = new Set(["kv.example"]);
  const rules = { authorities: new Set([...ours, ...names]), proxied: names };
  const host = "kv.example";
  assert.equal(outcome({ host }, rules), "ok");
  assert.equal(outcome({ host, origin: "https://kv.example" }, rules), "ok");
  assert.equal(outcome({ host, origin: "http://kv.example" }, rules), "ok");
  assert.equal(outcome({ host, origin: "https://localhost:8620" }, rules), "Forbidden");
  const own = "localhost:8620";
  assert.equal(outcome({ host: own, origin: `https://${own}` }, rules), "Forbidden");
  assert.equal(outcome({ host: own, origin: "https://kv.example" }, rules), "Forbidden");
});

test("all addresses: any IP address with our port, but no name", () => {
  const rules = { authorities: ours, addressPort: 8620 };
  for (const host of ["10.0.0.7:8620", "[2001:DB8::7]:8620"]) {
    assert.equal(outcome({ host }, rules), "ok", host);
  }
  const others = ["10.0.0.7", "10.0.0.7:8621", "10.0.0.7.evil.example:8620", "0x7f000001:8620"];
  for (const host of [...others, "evil.example:8620", "10.0.0.7:8620, evil.example"]) {
    assert.equal(outcome({ host }, rules), "MisdirectedRequest", host);
  }
  assert.equal(outcome({ host: "10.0.0.7" }, { authorities: ours, addressPort: 80 }), "ok");
});
