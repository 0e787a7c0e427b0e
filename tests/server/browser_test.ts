/** What web pages can do to the executable in a real browser: nothing. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { cairn, type ServerProcess, startServer } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

const CHROMIUM = "/usr/bin/chromium";
const noBrowser = existsSync(CHROMIUM) ? undefined : `no ${CHROMIUM} here`;
/** Virtual time for a page's scripts; the browser does not wait as long. */
const BUDGET_MS = 5000;

/** The document as it is when the scripts of the page at `url` are done. */
async function pageAt(url: string, rules: string[] = []): Promise<string> {
  using profile = new TemporaryDirectory();
  const child = spawn(CHROMIUM, [
    ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
    ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
    ...[`--user-data-dir=${profile.path}`, `--virtual-time-budget=${BUDGET_MS}`, "--dump-dom"],
    ...rules.map((rule) => `--host-resolver-rules=${rule}`),
    url,
  ], { stdio: ["ignore", "pipe", "ignore"] });
  let text = "";
  child.stdout.on("data", (chunk: Uint8Array) => text += new TextDecoder().decode(chunk));
  await once(child, "close");
  return text;
}

/** A page of another origin, with a script that puts what came of it into the title. */
async function pageServer(script: string): Promise<Server> {
  const html = `<!doctype html><title>begun</title><body><script type="module">
    const tell = async (name, attempt) => {
      let outcome;
      try { outcome = await attempt(); } catch { outcome = "refused"; }
      document.body.append(\`[\${name}: \${outcome}]\`);
    };
    ${script}
    document.title = "done";
  </script>`;
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end(html);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

async function visited(
  script: (url: string) => string,
  run: (page: string, server: ServerProcess, db: string) => Promise<void>,
): Promise<void> {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const put = await fetch(`${server.url}/v1/kv/secret`, { method: "PUT", body: "canary" });
  assert.equal(put.status, 201);
  const pages = await pageServer(script(server.url));
  try {
    const { port } = pages.address() as AddressInfo;
    await run(await pageAt(`http://127.0.0.1:${port}/`), server, directory.path);
  } finally {
    pages.closeAllConnections();
    pages.close();
  }
}

testUnless(noBrowser, "browser: a page of another origin can neither read nor write", async () => {
  await visited((url) => `
    const key = "${url}/v1/kv/";
    await tell("get", async () => (await fetch(key + "secret")).text());
    await tell("put", async () => (await fetch(key + "put", { method: "PUT", body: "x" })).status);
    await tell("delete", async () => (await fetch(key + "secret", { method: "DELETE" })).status);
    await tell("post", async () => (await fetch(key + "post", { method: "POST", body: "x" })).status);
    await tell("blind get", async () =>
      (await fetch(key + "secret", { mode: "no-cors" })).type);
    await tell("blind post", async () =>
      (await fetch(key + "post", { method: "POST", mode: "no-cors", body: "x" })).type);
    await tell("blind flush", async () =>
      (await fetch("${url}/v1/flush", { method: "POST", mode: "no-cors" })).type);
    await tell("health", async () => (await fetch("${url}/healthz")).status);
    await tell("script", () => new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = key + "secret";
      script.onload = () => resolve("ran");
      script.onerror = () => resolve("refused");
      document.body.append(script);
    }));
    await tell("image", () => new Promise((resolve) => {
      const image = new Image();
      image.onload = () => resolve("shown");
      image.onerror = () => resolve("refused");
      image.src = "${url}/healthz";
    }));
    await tell("form", () => new Promise((resolve) => {
      const frame = document.createElement("iframe");
      frame.name = "frame";
      const form = document.createElement("form");
      Object.assign(form, { method: "post", action: key + "form", target: "frame" });
      document.body.append(frame, form);
      form.submit();
      setTimeout(() => resolve("sent"), 500);
    }));`, async (page, _server, db) => {
    assert.match(page, /<title>done<\/title>/);
    for (const attempt of ["get", "put", "delete", "post", "health", "script", "image"]) {
      assert.match(page, new RegExp(`\\[${attempt}: refused\\]`), page);
    }
    assert.doesNotMatch(page, /canary/);
    assert.equal((await cairn(["list", "--values", "--db", db])).text, "secret\tcanary\n");
  });
});

testUnless(noBrowser, "browser: a name that is turned to this machine gets nothing", async () => {
  using directory = new TemporaryDirectory();
  await using server = await startServer(directory.path);
  const put = await fetch(`${server.url}/v1/kv/secret`, { method: "PUT", body: "canary" });
  assert.equal(put.status, 201);
  const rules = ["MAP rebind.test 127.0.0.1"];
  for (const path of ["/v1/kv/secret", "/healthz", "/nowhere"]) {
    const page = await pageAt(`http://rebind.test:${server.port}${path}`, rules);
    assert.match(page, /MisdirectedRequest/);
    assert.doesNotMatch(page, /canary|"ok"/);
  }
  // Under its own name the same browser is served, so it was the name that made the difference.
  assert.match(await pageAt(`http://localhost:${server.port}/healthz`), /"ok"/);
});
