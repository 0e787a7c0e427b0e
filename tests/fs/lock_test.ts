import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { KvError } from "../../lib/errors.ts";
import { lockWithChildProcess } from "../../lib/fs/child_process_lock.ts";
import { nodeFileSystem as fs } from "../../lib/fs/node_file_system.ts";
import { bunPath, denoPath, nodePath } from "../support/runtimes.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";

const HOLDER = fileURLToPath(new URL("lock_holder.ts", import.meta.url));
const PROBE = fileURLToPath(new URL("permission_probe.ts", import.meta.url));

/** The command line that runs `script`, which is about to lock something in `directory`. */
type Runner = (script: string, directory: string) => [program: string, ...args: string[]];

/** How to run a script in each runtime; undefined where the runtime is not to be had. */
const runners: Record<string, Runner | undefined> = {
  Deno: denoPath === undefined ? undefined : ((script, directory) => [
    denoPath!,
    "run",
    "--no-config",
    "--no-prompt",
    `--allow-read=${directory}`,
    `--allow-write=${directory}`,
    script,
  ]),
  Bun: bunPath === undefined ? undefined : ((script) => [bunPath!, script]),
  Node: nodePath === undefined
    ? undefined
    : ((script) => [nodePath!, "--no-warnings", "--experimental-strip-types", script]),
};

const reasonAgainst = (runtime: string) =>
  runners[runtime] === undefined
    ? `no ${runtime}${runtime === "Node" ? " >= 22.6" : ""} here`
    : undefined;

/** A process that tries to lock, and what it said. */
class Holder implements AsyncDisposable {
  readonly answer: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, answer: string) {
    this.#child = child;
    this.answer = answer;
  }

  static async start([program, ...args]: [string, ...string[]], path: string): Promise<Holder> {
    const child = spawn(program, [...args, path], { stdio: ["pipe", "pipe", "inherit"] });
    const [chunk] = await Promise.race([once(child.stdout!, "data"), once(child, "exit")]);
    return new Holder(child, `${chunk}`.trim());
  }

  async kill(): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.stdin?.end();
    await ended;
  }
}

for (const [runtime, run] of Object.entries(runners)) {
  const unavailable = reasonAgainst(runtime);

  testUnless(unavailable, `this process keeps ${runtime} out`, async () => {
    using directory = new TemporaryDirectory();
    const path = directory.join("LOCK");
    const lock = fs.lock(path);
    assert.ok(lock);
    await using kept = await Holder.start(run!(HOLDER, directory.path), path);
    assert.equal(kept.answer, "busy");
    lock.release();
    await using admitted = await Holder.start(run!(HOLDER, directory.path), path);
    assert.equal(admitted.answer, "held");
  });

  testUnless(unavailable, `${runtime} keeps this process out, until killed`, async () => {
    using directory = new TemporaryDirectory();
    const path = directory.join("LOCK");
    await using holder = await Holder.start(run!(HOLDER, directory.path), path);
    assert.equal(holder.answer, "held");
    assert.equal(fs.lock(path), undefined);
    await holder.kill();
    const lock = fs.lock(path);
    assert.ok(lock, "a killed process leaves no lock behind");
    lock.release();
  });
}

const noBun = reasonAgainst("Bun");

testUnless(noBun, "an executable made by bun build --compile locks as well", async () => {
  using directory = new TemporaryDirectory();
  const program = directory.join("holder");
  const built = spawnSync(bunPath!, ["build", "--compile", HOLDER, "--outfile", program], {
    cwd: directory.path,
    encoding: "utf8",
  });
  assert.equal(built.status, 0, built.stderr);
  const path = directory.join("LOCK");
  await using holder = await Holder.start([program], path);
  assert.equal(holder.answer, "held");
  assert.equal(fs.lock(path), undefined);
  await using second = await Holder.start([program], path);
  assert.equal(second.answer, "busy");
  await holder.kill();
  const lock = fs.lock(path);
  assert.ok(lock);
  lock.release();
});

const noFlock = spawnSync("flock", ["--version"]).status === 0
  ? undefined
  : "no flock program here";
const noPerl = spawnSync("perl", ["-v"]).status === 0 ? undefined : "no perl here";

testUnless(noFlock, "the program flock is kept out, and keeps us out", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("LOCK");
  const lock = fs.lock(path);
  assert.ok(lock);
  const tryFlock = () => spawnSync("flock", ["-n", path, "true"]).status;
  assert.equal(tryFlock(), 1);
  lock.release();
  assert.equal(tryFlock(), 0);
  await using holder = await Holder.start(["flock", "-n", path, "sh", "-c", "echo held; cat"], "");
  assert.equal(holder.answer, "held");
  assert.equal(fs.lock(path), undefined);
});

/** Runs with a PATH that holds only the programs `names`. */
function withPrograms(names: readonly string[], run: () => void): void {
  using programs = new TemporaryDirectory();
  for (const name of names) {
    const found = spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).stdout.trim();
    spawnSync("ln", ["-s", found, programs.join(name)]);
  }
  const before = process.env["PATH"];
  process.env["PATH"] = programs.path;
  try {
    run();
  } finally {
    process.env["PATH"] = before;
  }
}

for (const [program, missing] of [["flock", noFlock], ["perl", noPerl]] as const) {
  testUnless(missing, `a child process running ${program} can take the lock for us`, () => {
    using directory = new TemporaryDirectory();
    const path = directory.join("LOCK");
    fs.lock(path)?.release();
    withPrograms([program], () => {
      const lock = lockWithChildProcess(path);
      assert.ok(lock, "it stays ours when the child has ended");
      assert.equal(lockWithChildProcess(path), undefined);
      assert.equal(fs.lock(path), undefined, "it is the same kind of lock");
      lock.release();
      const native = fs.lock(path);
      assert.ok(native);
      assert.equal(lockWithChildProcess(path), undefined);
      native.release();
    });
  });
}

testUnless(
  process.platform === "win32" ? "Windows" : undefined,
  "without flock and perl, a child process cannot lock, and the error says what to install",
  () => {
    using directory = new TemporaryDirectory();
    const path = directory.join("LOCK");
    fs.lock(path)?.release();
    withPrograms([], () => {
      assert.throws(() => lockWithChildProcess(path), (error) => {
        assert.ok(error instanceof KvError);
        assert.equal(error.code, "Unsupported");
        assert.match(error.message, /flock.*util-linux.*perl/);
        return true;
      });
    });
  },
);

testUnless(
  existsSync("/proc/locks") ? undefined : "needs /proc/locks",
  "the lock is a flock, held by this very process",
  () => {
    using directory = new TemporaryDirectory();
    const own = () =>
      readFileSync("/proc/locks", "utf8").split("\n").filter((line) => {
        return line.includes("FLOCK") && line.includes(` ${process.pid} `);
      }).length;
    const before = own();
    const lock = fs.lock(directory.join("LOCK"));
    assert.equal(own(), before + 1);
    lock?.release();
    assert.equal(own(), before);
  },
);

for (const exists of [true, false]) {
  const name = exists ? "an existing" : "a missing";
  testUnless(reasonAgainst("Deno"), `Deno needs access to ${name} directory, no more`, () => {
    using directory = new TemporaryDirectory();
    const store = directory.join("store");
    if (exists) fs.makeDirectory(store);
    const [program, ...args] = runners["Deno"]!(PROBE, store);
    const { stdout, stderr } = spawnSync(program, [...args, store], { encoding: "utf8" });
    assert.equal(stderr.includes("error"), false, stderr);
    assert.equal(stdout, "done\n");
    assert.deepEqual(fs.readDirectory(store).sort(), ["LOCK", "wal"]);
  });
}
