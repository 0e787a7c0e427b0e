/**
 * Checks every byte of a store without changing any: ACTIVE, NODE_ID, each frame of each segment,
 * each entry of each hint file. It reads the files by themselves and never opens the store, so it
 * works on a copy, on a damaged store, and on one that is open elsewhere (as of this moment).
 */

import type { Clock } from "../clock.ts";
import { KvError } from "../errors.ts";
import {
  ACTIVE_BYTES_LIMIT,
  type ActiveSegment,
  type ActiveState,
  decodeActive,
  encodeActive,
} from "../format/active.ts";
import {
  decodeSegmentHeader,
  NODE_ID_BYTES,
  SEGMENT_FRAME_BYTES,
  SYNC_FRAME_BYTES,
} from "../format/control_record.ts";
import {
  ACTIVE_NAME,
  CHECKPOINT_NAME,
  hintName,
  joinPath,
  NODE_ID_NAME,
  parseSegmentName,
  segmentName,
  WAL_NAME,
} from "../format/filename.ts";
import { formatNodeId, parseNodeId } from "../format/node_id.ts";
import { OP_SEGMENT } from "../format/record.ts";
import type { File, FileSystem } from "../fs/file_system.ts";
import { readFile } from "../fs/whole_file.ts";
import { readActive } from "../log/active_file.ts";
import { holdsNewRecords } from "../log/newer_segment.ts";
import { decide, findDurableOffset } from "../log/recovery.ts";
import { SegmentReader } from "../log/segment_reader.ts";
import { SegmentScanner } from "../log/segment_scanner.ts";
import { endOfFrames } from "../log/zero_tail.ts";
import { describeFinding, isFinding } from "./finding.ts";
import { pause } from "./pause.ts";
import { endsWithChecksum } from "./trailing_checksum.ts";
import { type CheckpointFindings, verifyCheckpoint } from "./verify_checkpoint.ts";
import { type HintFindings, verifyHint } from "./verify_hint.ts";
import type { VerifyProblem, VerifyReport } from "./verify_report.ts";

const NODE_ID_FILE_BYTES_MAX = 64;
const ENTRIES_PER_SLICE = 4096;
/** Compaction may replace a segment between reading ACTIVE and opening what it names. */
const OPEN_ATTEMPTS = 10;

/**
 * Verifies the store in the directory `path`. Throws `Io` if there is none, or if the system does
 * not let this process read it, which tells nothing about the store.
 */
export async function verifyStore(
  fs: FileSystem,
  path: string,
  clock: Clock,
): Promise<VerifyReport> {
  const directory = joinPath(path, WAL_NAME);
  if (fs.stat(directory)?.kind !== "directory") {
    const problem = fs.stat(path) === undefined ? "does not exist" : "holds no store";
    throw new KvError("Io", `${path} ${problem}: check the path`, { path });
  }
  const verifier = new Verifier(fs, directory, clock);
  await verifier.run();
  return verifier.report;
}

type Findings = HintFindings | CheckpointFindings | undefined;

class Verifier {
  readonly report: VerifyReport = {
    ok: true,
    files: 0,
    records: 0,
    bytes: 0,
    tornBytes: 0,
    problems: [],
  };

  #fs: FileSystem;
  #directory: string;
  #clock: Clock;
  #lastLsn = 0;
  #pause = () => pause(this.#clock);

  constructor(fs: FileSystem, directory: string, clock: Clock) {
    this.#fs = fs;
    this.#directory = directory;
    this.#clock = clock;
  }

  async run(): Promise<void> {
    const log = this.#openLog();
    if (log === undefined) {
      // The files of an unfinished copy are unfinished too.
      const isUnfinished = this.report.problems.some(({ kind }) => kind === "unfinished");
      if (!isUnfinished) await this.#checkUnlisted();
      return;
    }
    const { state, files } = log;
    try {
      this.report.files++;
      this.report.bytes += encodeActive(state).length;
      this.#checkNodeId(state.nodeId);
      for (const [position, segment] of state.segments.entries()) {
        const file = files[position];
        const isActive = position === state.segments.length - 1;
        if (file === undefined) continue;
        await this.#checkSegment(file, segment.fileId, () => {
          return this.#checkFrames(file, segment, state.nodeId, isActive);
        });
      }
      await this.#checkShortcut(
        CHECKPOINT_NAME,
        (path) => verifyCheckpoint(this.#fs, path, state, files, this.#pause),
      );
      this.#checkUnnamed(state);
    } finally {
      for (const file of files) file?.close();
    }
  }

  /**
   * Reads ACTIVE and opens every segment it names, before any is checked: where the store is open,
   * compaction goes on meanwhile. It takes the names of files away, not files that are open.
   */
  #openLog(): { state: ActiveState; files: (File | undefined)[] } | undefined {
    let state = this.#readActive();
    for (let attempt = 1; state !== undefined; attempt++) {
      const missing: VerifyProblem[] = [];
      const files = this.#openSegments(state, missing);
      const newer = missing.length === 0 ? state : this.#readActive();
      const changed = JSON.stringify(newer?.segments) !== JSON.stringify(state.segments);
      if (attempt >= OPEN_ATTEMPTS || !changed) {
        this.report.problems.push(...missing);
        this.report.ok &&= missing.length === 0;
        return { state, files };
      }
      for (const file of files) file?.close();
      state = newer;
    }
    return undefined;
  }

  #openSegments({ segments }: ActiveState, missing: VerifyProblem[]): (File | undefined)[] {
    const files: (File | undefined)[] = [];
    for (const { fileId } of segments) {
      const path = joinPath(this.#directory, segmentName(fileId));
      try {
        files.push(this.#fs.open(path, "read"));
      } catch (error) {
        if (!isFinding(error)) {
          for (const file of files) file?.close();
          throw error;
        }
        const message = describeFinding(error, path);
        missing.push({ path, offset: 0, message, kind: "damage" });
        files.push(undefined);
      }
    }
    return files;
  }

  /** Undefined if there is none that can be used; the problem is noted. */
  #readActive(): ActiveState | undefined {
    const path = joinPath(this.#directory, ACTIVE_NAME);
    return this.#attempt(path, () => {
      if (this.#fs.stat(path) === undefined) {
        this.#problem(path, 0, "is missing");
        return undefined;
      }
      const bytes = readFile(this.#fs, path, ACTIVE_BYTES_LIMIT);
      const decoded = decodeActive(bytes);
      if (!("message" in decoded)) return decoded;
      const { unfinished, unsupported, message } = decoded;
      // A version that is not ours is only a newer format if the checksum holds for it.
      if (unsupported && endsWithChecksum(bytes)) {
        const text = `Cannot read ${path}: ${message}; use a newer Cairn`;
        throw new KvError("Unsupported", text, { path });
      }
      if (unfinished) this.#problem(path, 0, message, "unfinished");
      else this.#problem(path, 0, `is damaged: ${message}`);
      return undefined;
    });
  }

  /**
   * A segment with records that was begun after ACTIVE was written means that ACTIVE is an old copy,
   * unless it was replaced just now by a store that is open elsewhere.
   */
  #checkUnnamed(state: ActiveState): void {
    const named = new Set(state.segments.map(({ fileId }) => fileId));
    for (const name of this.#fs.readDirectory(this.#directory)) {
      const parsed = parseSegmentName(name);
      if (parsed?.kind !== "log" || parsed.temporary || named.has(parsed.fileId)) continue;
      if (parsed.fileId < state.nextFileId) continue;
      const path = joinPath(this.#directory, name);
      if (this.#fs.stat(path)?.kind !== "file") continue;
      const { fileId } = parsed;
      const isNewer = this.#attempt(
        path,
        () => holdsNewRecords(this.#fs, this.#directory, fileId, state.nodeId),
      );
      if (isNewer !== true) continue;
      const now = readActive(this.#fs, this.#directory);
      if (now?.nextFileId !== state.nextFileId) return;
      this.#problem(
        path,
        0,
        `holds more than a crash leaves, but ${ACTIVE_NAME} is older and does not name it`,
      );
    }
  }

  /** Without ACTIVE nobody knows which files are the log: all are looked at, by themselves. */
  async #checkUnlisted(): Promise<void> {
    const nodeId = this.#findNodeId();
    const names = this.#fs.readDirectory(this.#directory).sort();
    for (const name of names) {
      const parsed = parseSegmentName(name);
      if (parsed === undefined || parsed.temporary) continue;
      const path = joinPath(this.#directory, name);
      if (parsed.kind === "hint") {
        if (names.includes(segmentName(parsed.fileId))) continue;
        this.#problem(path, 0, "stands for a segment that is missing");
        continue;
      }
      const file = this.#attempt(path, () => this.#fs.open(path, "read"));
      if (file === undefined) continue;
      try {
        await this.#checkSegment(file, parsed.fileId, () => {
          return this.#checkUnlistedFrames(file, parsed.fileId, nodeId);
        });
      } finally {
        file.close();
      }
    }
  }

  async #checkUnlistedFrames(
    file: File,
    fileId: number,
    nodeId: Uint8Array | undefined,
  ): Promise<void> {
    const size = file.size();
    const known = nodeId ?? readNodeId(file, size) ?? new Uint8Array(NODE_ID_BYTES);
    const scanner = new SegmentScanner(file, size, { fileId, nodeId: known });
    const { segmentHeader, problem, validEnd } = await this.#scan(scanner);
    // A crash may leave a part of a header.
    if (problem === undefined || (segmentHeader === undefined && size <= SEGMENT_FRAME_BYTES)) {
      return;
    }
    const durableOffset = Math.max(
      scanner.durableOffset,
      findDurableOffset(file, fileId, validEnd, size),
    );
    const isPerhapsTorn = segmentHeader !== undefined && durableOffset <= validEnd;
    const remark = isPerhapsTorn ? " (or a write was cut short: only ACTIVE could tell)" : "";
    this.#problem(file.path, validEnd, problem + remark);
  }

  #findNodeId(): Uint8Array | undefined {
    const path = joinPath(this.#directory, NODE_ID_NAME);
    const bytes = this.#attempt(path, () => readFile(this.#fs, path, NODE_ID_FILE_BYTES_MAX));
    if (bytes === undefined) return undefined;
    this.report.files++;
    this.report.bytes += bytes.length;
    const nodeId = parseNodeId(new TextDecoder().decode(bytes));
    if (nodeId === undefined) this.#problem(path, 0, "is damaged: it does not hold a UUID");
    return nodeId;
  }

  #checkNodeId(expected: Uint8Array): void {
    const path = joinPath(this.#directory, NODE_ID_NAME);
    const bytes = this.#attempt(path, () => readFile(this.#fs, path, NODE_ID_FILE_BYTES_MAX));
    if (bytes === undefined) return;
    this.report.files++;
    this.report.bytes += bytes.length;
    if (new TextDecoder().decode(bytes).trim() !== formatNodeId(expected)) {
      this.#problem(path, 0, `is not ${formatNodeId(expected)}, the identity that ACTIVE gives`);
    }
  }

  async #checkSegment(
    file: File,
    fileId: number,
    checkFrames: () => Promise<void>,
  ): Promise<void> {
    try {
      this.report.files++;
      await checkFrames();
      await this.#checkShortcut(
        hintName(fileId),
        (path) => verifyHint(this.#fs, path, file, fileId, this.#pause),
      );
    } catch (error) {
      if (!isFinding(error)) throw error;
      this.#problem(file.path, 0, describeFinding(error, file.path));
    }
  }

  async #checkFrames(
    file: File,
    expected: ActiveSegment,
    nodeId: Uint8Array,
    isActive: boolean,
  ): Promise<void> {
    const { fileId } = expected;
    const size = file.size();
    const framesEnd = isActive ? endOfFrames(file, size) : size;
    const scanner = new SegmentScanner(file, size, { fileId, nodeId }, 0, framesEnd);
    await this.#scan(scanner, () => {
      if (scanner.lastLsn < this.#lastLsn) {
        this.#problem(file.path, 0, "its records overlap those of the segment before it");
      }
    });
    this.#lastLsn = Math.max(this.#lastLsn, scanner.lastLsn);
    const searchEnd = Math.min(size, framesEnd + SYNC_FRAME_BYTES);
    const marked = findDurableOffset(file, fileId, scanner.validEnd, searchEnd);
    const durableOffset = Math.max(scanner.durableOffset, expected.length, marked);
    const isShort = isActive && durableOffset > scanner.validEnd;
    const verdict = decide({
      active: isActive,
      damaged: scanner.problem !== undefined || isShort,
      damagedBelowDurable: scanner.segmentHeader === undefined || durableOffset > scanner.validEnd,
      complete: size === expected.length && scanner.chain === expected.chain,
    });
    if (verdict.then === "truncate") {
      this.report.tornBytes = size - scanner.validEnd;
      this.report.torn = { path: file.path, offset: scanner.validEnd };
    }
    if (verdict.then === "corrupt") {
      const problem = scanner.problem ?? `it should have ${durableOffset} bytes, and has ${size}`;
      this.#problem(file.path, scanner.validEnd, `${problem} (${verdict.because})`);
    }
  }

  /** Reads a segment to its end, or to the first frame that is not as it was written. */
  async #scan(scanner: SegmentScanner, beforeRecords = () => {}): Promise<SegmentScanner> {
    if (scanner.readHeader()) {
      beforeRecords();
      while (scanner.next()) {
        this.report.records++;
        if (scanner.recordCount % ENTRIES_PER_SLICE === 0) await this.#pause();
      }
    }
    this.report.bytes += scanner.validEnd;
    return scanner;
  }

  /** Checks a file that the log can do without. */
  async #checkShortcut(name: string, check: (path: string) => Promise<Findings>): Promise<void> {
    const path = joinPath(this.#directory, name);
    try {
      const findings = await check(path);
      if (findings === undefined) return;
      this.report.files++;
      this.report.bytes += findings.bytes;
      if (findings.problem === undefined) return;
      const { offset, message, harmless } = findings.problem;
      this.#problem(path, offset, message, harmless ? "hint" : "damage");
    } catch (error) {
      if (!isFinding(error)) throw error;
      this.#problem(path, 0, describeFinding(error, path), "hint");
    }
  }

  #attempt<Result>(path: string, action: () => Result): Result | undefined {
    try {
      return action();
    } catch (error) {
      if (!isFinding(error)) throw error;
      this.#problem(path, 0, describeFinding(error, path));
      return undefined;
    }
  }

  #problem(
    path: string,
    offset: number,
    message: string,
    kind: VerifyProblem["kind"] = "damage",
  ): void {
    this.report.ok = false;
    this.report.problems.push({ path, offset, message, kind });
  }
}

/** The identity in a segment's header, if that can be read. */
function readNodeId(file: File, size: number): Uint8Array | undefined {
  const reader = new SegmentReader(file, 0, size);
  if (!reader.next() || reader.header.op !== OP_SEGMENT) return undefined;
  return decodeSegmentHeader(reader.buffer, reader.at, reader.header.lsn).nodeId;
}
