import assert from "node:assert/strict";
import { test } from "node:test";
import { guardRequest, loopbackAuthorities } from "../../lib/server/http/request_guard.ts";

/** What comes of a request with these headers: ok, or the code of the refusal. */
function outcome(
  headers: Record<string, string>,
  authorities: ReadonlySet<string> | undefined,
  url = "http://localhost:8620/v1/kv/a",
): string {
  try {
    // Request() would drop a Host header.
    guardRequest({ url, headers: new Headers(headers) } as Request, authorities);
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
