/** `--tls-ca` of the commands that take `--url`: who is trusted, and by whose word. */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import {
  cairn,
  cairnFails,
  CairnProcess,
  runCairn,
  startServer,
} from "../support/cairn_process.ts";
import { makeCertificate, opensslMissing } from "../support/certificate.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

testUnless(
  opensslMissing,
  "--tls-ca: every command trusts what it names, and nothing else",
  async () => {
    using directory = new TemporaryDirectory();
    const mine = makeCertificate(directory, "mine");
    const other = makeCertificate(directory, "other");
    const tls = ["--tls-cert", mine.cert, "--tls-key", mine.key];
    await using server = await startServer(directory.join("store"), [...tls, "--no-tcp"]);
    const env = { CAIRN_URL: server.url };
    const file = directory.join("in.ndjson");
    writeFileSync(file, '{"key":"b","value":"2"}\n');
    const commands = [
      ["set", "a", "1"],
      ["get", "a"],
      ["list"],
      ["import", file],
      ["export", directory.join("out")],
      ["stats"],
      ["flush"],
      ["compact"],
      ["backup", directory.join("backup")],
      ["del", "b"],
      ["bench", "--ops", "10", "--keys", "10", "--url", server.url],
    ];
    for (const args of commands) {
      for (const ca of [[], ["--tls-ca", other.cert]]) {
        const refused = await cairnFails(3, [...args, ...ca], { env });
        assert.match(refused, /its certificate is not trusted .*with --tls-ca/, args.join(" "));
      }
      await cairn([...args, "--tls-ca", mine.cert], { env });
    }
    await using watch = new CairnProcess(["watch", "--since", "0", "--tls-ca", mine.cert], { env });
    await watch.printed(/ set a/);
    assert.equal(
      (await cairn(["get", "a"], { env: { ...env, CAIRN_TLS_CA: mine.cert } })).text,
      "1",
    );
  },
);

testUnless(opensslMissing, "--tls-ca: files that are none", async () => {
  using directory = new TemporaryDirectory();
  mkdirSync(directory.join("d"));
  writeFileSync(directory.join("text"), "no certificate");
  const { cert, key } = makeCertificate(directory, "mine");
  const tls = ["--tls-cert", cert, "--tls-key", key, "--no-tcp"];
  await using server = await startServer(directory.join("store"), tls);
  const at = ["--url", server.url];
  const list = (ca: string) => ["list", ...at, "--tls-ca", directory.join(ca)];
  assert.match(await cairnFails(2, list("missing")), /cannot read --tls-ca .*no such file/);
  assert.match(await cairnFails(2, list("d")), /--tls-ca .* is a directory/);
  assert.match(await cairnFails(2, list("text")), /--tls-ca .* holds no certificate/);
  assert.match(await cairnFails(2, list("mine.key")), /--tls-ca .* holds no certificate/);
  // Whoever speaks HTTP to a server with TLS is told so.
  const plain = await runCairn(["list", "--url", server.url.replace("https", "http")]);
  assert.equal(plain.exitCode, 3);
  assert.match(plain.stderr, /https:\/\/ instead|does not answer as Cairn does/);
});
