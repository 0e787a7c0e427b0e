/** Who may do what: passwords, tokens for reading only, and what has to be allowed first. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { PasswordCheck } from "../../lib/server/tcp/resp/resp_service.ts";
import { RespWorld } from "../support/resp_peer.ts";
import { wordsOf } from "../support/resp_text.ts";

const WRONG = "-WRONGPASS invalid username-password pair or user is disabled.";

/** Two passwords, and a note of every wrong one. */
class Passwords implements PasswordCheck {
  readonly failures: string[] = [];
  failuresMax = Infinity;

  accessOf(token: string | Uint8Array): "full" | "read" | undefined {
    const text = typeof token === "string" ? token : new TextDecoder().decode(token);
    return text === "full-secret" ? "full" : text === "read-secret" ? "read" : undefined;
  }

  failed(address: string): number {
    this.failures.push(address);
    return this.failures.length > this.failuresMax ? 6000 : 0;
  }
}

test("access: nothing but a few commands without a password", async () => {
  await using world = await RespWorld.open({ access: new Passwords() });
  const peer = world.peer();
  const needed = "-NOAUTH Authentication required.";
  await peer.expect(
    ["get a", needed],
    ["set a 1", needed],
    ["ping", needed],
    ["info", needed],
    ["multi", needed],
    ["exec", "-EXECABORT Transaction discarded because of: NOAUTH Authentication required."],
    ["command", needed],
    ["keys *", needed],
    ["flushall", needed],
    ["client list", needed],
    // As Redis has it: what there is no such command of, and how many arguments, is no secret.
    ["nonsense", "-ERR unknown command 'nonsense', with args beginning with: "],
    ["get", "-ERR wrong number of arguments for 'get' command"],
  );
  assert.match(await peer.send("hello 3"), /^-NOAUTH HELLO must be called with the client already/);
  assert.match(await peer.send("hello"), /^-NOAUTH HELLO/);
  assert.equal(peer.session.protocol, 2);
  assert.equal((peer.session as { isAuthenticated?: boolean }).isAuthenticated, false);
  await peer.expect(["auth full-secret", "+OK"], ["set a 1", "+OK"], ["get a", '"1"']);
  assert.equal((peer.session as { isAuthenticated?: boolean }).isAuthenticated, true);
  await world.peer().expect(["get a", needed], ["quit", "+OK"]);
});

test("access: AUTH and HELLO with passwords right and wrong", async () => {
  const passwords = new Passwords();
  await using world = await RespWorld.open({ access: passwords });
  const peer = world.peer();
  await peer.expect(
    ["auth wrong", WRONG],
    ["auth default wrong", WRONG],
    ["auth somebody full-secret", WRONG],
    ['auth ""', WRONG],
    ["hello 3 auth default wrong", WRONG],
    ["hello 3 auth somebody full-secret setname x", WRONG],
    ["get a", "-NOAUTH Authentication required."],
  );
  assert.deepEqual(passwords.failures, Array(6).fill("127.0.0.1"));
  assert.match(
    await peer.send("hello 3 auth default full-secret setname me"),
    /^\{"server" "redis"/,
  );
  await peer.expect(["get a", "nil"], ["client getname", '"me"']);
  // A wrong password later leaves the client what it was.
  await peer.expect(["auth wrong", WRONG], ["get a", "nil"]);
  await world.peer().expect(["auth default read-secret", "+OK"], ["get a", "nil"]);
  passwords.failuresMax = 0;
  await world.peer().expect(
    ["auth guess", "-WRONGPASS too many wrong passwords from this address: try again later"],
    ["auth full-secret", "+OK"],
  );
});

test("access: wrong passwords are counted by the address that HTTP counts them by", async () => {
  const passwords = new Passwords();
  await using world = await RespWorld.open({ access: passwords });
  const hosts = ["192.0.2.1", "::1", "2001:db8::7", "::ffff:192.0.2.1"];
  for (const host of hosts) await world.peer(host).expect(["auth wrong", WRONG]);
  assert.deepEqual(passwords.failures, hosts);
});

test("access: a token for reading reads", async () => {
  await using world = await RespWorld.open({ access: new Passwords() });
  await world.store.set("a", "1");
  const peer = world.peer();
  await peer.expect(["auth read-secret", "+OK"], ["get a", '"1"'], ["keys *", '["a"]']);
  const writes = world.service.commands.all
    .filter(({ flags }) => flags.includes("write") || flags.includes("admin"));
  assert(writes.length > 20);
  const { version } = world.store.stats();
  for (const { name, arity } of writes) {
    const args = wordsOf(name + " a".repeat(Math.abs(arity) - 1));
    assert.equal(
      await peer.send(args),
      `-NOPERM this token allows reading only, and not the '${name}' command`,
    );
  }
  await peer.expect(
    ["config resetstat", "-NOPERM this token allows reading only"],
    ["multi", "+OK"],
    ["get a", "+QUEUED"],
    ["exec", '["1"]'],
    ["multi", "+OK"],
    ["set a 2", "-NOPERM this token allows reading only, and not the 'set' command"],
    ["exec", "-EXECABORT Transaction discarded because of previous errors."],
    ["auth full-secret", "+OK"],
    ["set a 2", "+OK"],
  );
  assert.equal(world.store.stats().version, version + 1);
});

test("access: deleting everything has to be allowed where a password is needed", async () => {
  const cases = [[undefined, undefined, true], [undefined, false, false]] as const;
  for (
    const [access, allowFlush, isAllowed] of [
      ...cases,
      [new Passwords(), undefined, false],
      [new Passwords(), true, true],
    ] as const
  ) {
    await using world = await RespWorld.open({
      access,
      ...(allowFlush === undefined ? {} : { allowFlush }),
    });
    const peer = world.peer();
    if (access !== undefined) await peer.send("auth full-secret");
    for (const command of ["flushall", "flushdb async"]) {
      await peer.send("set a 1");
      const reply = await peer.send(command);
      if (isAllowed) assert.equal(reply, "+OK");
      else {assert.match(
          reply,
          /^-ERR 'flush(?:all|db)' is not allowed on this server: start it with/,
        );}
      assert.equal(await peer.send("dbsize"), isAllowed ? ":0" : ":1");
    }
  }
});

test("access: no reply and no list shows a password", async () => {
  await using world = await RespWorld.open({ access: new Passwords() });
  const peer = world.peer();
  const replies = [
    await peer.send("auth full-secret"),
    await peer.send("auth default full-secre"),
    await peer.send("client list"),
    await peer.send("client info"),
    await peer.send("info"),
    await peer.send("config get *"),
  ];
  assert(!replies.some((reply) => reply.includes("secre")));
});
