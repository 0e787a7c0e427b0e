import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { networkInterfaces } from "node:os";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import {
  cairnFails,
  rawExchange,
  type ServerProcess,
  startServer,
} from "../support/cairn_process.ts";
import { type CertificateFiles, makeCertificate, opensslMissing } from "../support/certificate.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";

function flags({ cert, key }: CertificateFiles): string[] {
  return ["--tls-cert", cert, "--tls-key", key];
}

/** Asks over TLS, trusting the certificate in `ca` only. */
async function ask(
  server: { port: number },
  ca: string,
  path: string,
  headers: Record<string, string> = {},
  host = "127.0.0.1",
): Promise<number> {
  const options = {
    ...{ host, port: server.port, path, headers, agent: false as const },
    ca: readFileSync(ca, "utf8"),
    // The address of the machine is not in the certificate.
    checkServerIdentity: () => undefined,
  };
  return await new Promise((resolve, reject) => {
    const sent = request(options, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    });
    sent.on("error", reject);
    sent.end();
  });
}

async function handshake(
  server: ServerProcess,
  options: ConnectionOptions = {},
): Promise<TLSSocket> {
  const socket = connect({
    ...{ host: "127.0.0.1", port: server.port, rejectUnauthorized: false },
    ...options,
  });
  await once(socket, "secureConnect");
  socket.on("error", () => {});
  return socket;
}

async function subjectOf(server: ServerProcess): Promise<string> {
  const socket = await handshake(server);
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

testUnless(
  opensslMissing,
  "TLS: requests are answered, by 1.2 and 1.3 and nothing older",
  async () => {
    using directory = new TemporaryDirectory();
    const files = makeCertificate(directory, "one");
    await using server = await startServer(directory.join("store"), flags(files));
    assert.match(server.url, /^https:\/\/127\.0\.0\.1:\d+$/);
    assert.equal(await ask(server, files.cert, "/healthz"), 200);
    const host = `127.0.0.1:${server.port}`;
    const status = (headers: Record<string, string>) =>
      ask(server, files.cert, "/healthz", { host, ...headers });
    assert.equal(await status({ origin: `https://${host}` }), 200);
    assert.equal(await status({ origin: `http://${host}` }), 403);
    assert.equal(await status({ host: "evil.example" }), 421);

    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const socket = await handshake(server, { minVersion: version, maxVersion: version });
      assert.equal(socket.getProtocol(), version);
      socket.destroy();
    }
    // A client that knows nothing newer than 1.1; an alert is all it gets.
    const hello = Uint8Array.from([
      ...[22, 3, 1, 0, 47, 1, 0, 0, 43, 3, 2, ...new Array(32).fill(7), 0],
      ...[0, 4, 0xc0, 0x13, 0, 0x2f, 1, 0],
    ]);
    const answer = await rawExchange(server.port, hello);
    assert.deepEqual([answer.charCodeAt(0), answer.length], [21, 7]);
    assert.equal(await ask(server, files.cert, "/healthz"), 200);
  },
);

testUnless(
  opensslMissing,
  "TLS: plain HTTP and rubbish on its port are closed, and it goes on",
  async () => {
    using directory = new TemporaryDirectory();
    const files = makeCertificate(directory, "one");
    await using server = await startServer(directory.join("store"), flags(files));
    const plain = `GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`;
    for (const bytes of [plain, "\0".repeat(100), "\x16\x03\x01\x00\x05hello"]) {
      const answer = await rawExchange(server.port, bytes);
      assert.doesNotMatch(answer, /HTTP|status/);
      assert.equal(await ask(server, files.cert, "/healthz"), 200);
    }
  },
);

testUnless(opensslMissing, "TLS: without a token it is not for other machines", async () => {
  using directory = new TemporaryDirectory();
  const files = makeCertificate(directory, "one");
  const serve = ["serve", "--db", directory.join("store"), "--http", "0.0.0.0:0", ...flags(files)];
  assert.match(await cairnFails(2, serve), /needs a token \(.*\): give/);
  await cairnFails(6, ["list", "--db", directory.join("store")]);
});

testUnless(opensslMissing, "TLS: with a token, for other machines", async () => {
  const address = Object.values(networkInterfaces()).flat()
    .find((each) => each?.family === "IPv4" && !each.internal)?.address ?? "127.0.0.2";
  using directory = new TemporaryDirectory();
  const files = makeCertificate(directory, "one");
  await using server = await startServer(
    directory.join("store"),
    [...flags(files), "--http", "0.0.0.0:0"],
    { env: { CAIRN_TOKEN: TOKEN } },
  );
  const token = { authorization: `Bearer ${TOKEN}` };
  assert.equal(await ask(server, files.cert, "/v1/kv/a", token, address), 404);
  assert.equal(await ask(server, files.cert, "/v1/kv/a", {}, address), 401);
  const foreign = { ...token, host: `evil.example:${server.port}` };
  assert.equal(await ask(server, files.cert, "/v1/kv/a", foreign, address), 421);
  assert.doesNotMatch((await server.stop()).stderr, /without/);
});

testUnless(
  opensslMissing,
  "TLS: SIGHUP brings the new certificate, and keeps the old if it is no good",
  async () => {
    using directory = new TemporaryDirectory();
    const one = makeCertificate(directory, "one");
    const two = makeCertificate(directory, "two");
    const files = { cert: directory.join("cert.pem"), key: directory.join("key.pem") };
    const install = ({ cert, key }: CertificateFiles) => {
      copyFileSync(key, files.key);
      copyFileSync(cert, files.cert);
    };
    install(one);
    await using server = await startServer(directory.join("store"), flags(files));
    assert.equal(await subjectOf(server), "one");

    // A request under way is finished on its old connection.
    const slow = await handshake(server);
    slow.write(
      `PUT /v1/kv/a HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nContent-Length: 2\r\n\r\nx`,
    );
    await ask(server, one.cert, "/healthz");
    install(two);
    server.signal("SIGHUP");
    const renewed = async () => await subjectOf(server).catch(() => "nobody") === "two";
    while (!await renewed()) await new Promise((resolve) => setTimeout(resolve, 50));
    slow.write("y");
    const [answer] = await once(slow, "data");
    assert.match(String(answer), /^HTTP\/1\.1 201 /);
    slow.destroy();
    assert.equal(await ask(server, two.cert, "/v1/kv/a"), 200);

    copyFileSync(one.key, files.key);
    server.signal("SIGHUP");
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(await subjectOf(server), "two");
    const { stderr, exitCode } = await server.stop();
    assert.equal(exitCode, 0);
    assert.match(stderr, /so the old stay: .*the key in .* does not belong to the certificate in/);
  },
);

testUnless(
  opensslMissing,
  "TLS: files that are of no use are named, before anything is opened",
  async () => {
    using directory = new TemporaryDirectory();
    const one = makeCertificate(directory, "one");
    const two = makeCertificate(directory, "two");
    const open = directory.join("open.key");
    copyFileSync(one.key, open);
    chmodSync(open, 0o644);
    const junk = directory.join("junk");
    writeFileSync(junk, "canary", { mode: 0o600 });
    const refusals: [files: CertificateFiles, message: RegExp][] = [
      [{ cert: directory.join("none"), key: one.key }, /cannot read --tls-cert .*no such file/],
      [{ cert: one.cert, key: directory.join("none") }, /cannot read --tls-key .*no such file/],
      [{ cert: directory.path, key: one.key }, /is a directory/],
      [{ cert: one.cert, key: open }, /--tls-key .* other users: run chmod 600/],
      [{ cert: junk, key: one.key }, /--tls-cert .*junk holds no certificate in PEM form/],
      [{ cert: one.cert, key: junk }, /--tls-key .*junk holds no private key in PEM form/],
      [
        { cert: one.cert, key: two.key },
        /two\.key does not belong to the certificate in .*one\.crt/,
      ],
    ];
    const store = directory.join("store");
    for (const [files, message] of refusals) {
      const error = await cairnFails(2, ["serve", "--db", store, ...flags(files)]);
      assert.match(error, message);
      assert.doesNotMatch(error, /canary/);
    }
    await cairnFails(6, ["list", "--db", store]);
  },
);

testUnless(
  opensslMissing,
  "TLS: a certificate that has expired or soon will is warned of",
  async () => {
    using directory = new TemporaryDirectory();
    const cases: [days: number, warning: RegExp][] = [
      [3, /"level":"warning","logger":"cairn","message":"The TLS certificate expires at 2/],
      [
        -1,
        /"level":"warning","logger":"cairn","message":"The TLS certificate has expired at 2/,
      ],
    ];
    for (const [days, warning] of cases) {
      const files = makeCertificate(directory, `days${days}`, days);
      const { stderr } = await startServer(directory.join("store"), flags(files))
        .then((server) => server.stop());
      assert.match(stderr, warning);
    }
  },
);
