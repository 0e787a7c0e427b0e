/**
 * Checks every byte of a store without changing any: ACTIVE, NODE_ID, each frame of each segment,
 * each entry of each hint file. It reads the files by themselves and never opens the store, so it
 * works on a copy, on a damaged store, and on one that is open elsewhere (as of this moment).
 */

import { KvError } from "../errors.ts";
import {
  ACTIVE_BYTES_LIMIT,
  type ActiveSegment,
  type ActiveState,
  encodeActive,
} from "../format/active.ts";
import {
  ACTIVE_NAME,
  hintName,
  joinPath,
  NODE_ID_NAME,
  parseSegmentName,
  segmentName,
  WAL_NAME,
} from "../format/filename.ts";
import { formatNodeId } from "../format/node_id.ts";
import type { File, FileSystem } from "../fs/file_system.ts";
import { readFile } from "../fs/whole_file.ts";
import { readActive } from "../log/active_file.ts";
import { holdsNewRecords } from "../log/newer_segment.ts";
import { decide, findDurableOffset } from "../log/recovery.ts";
import { SegmentScanner } from "../log/segment_scanner.ts";
import { describeFinding, isFinding } from "./finding.ts";
import { pause } from "./pause.ts";
import { endsWithChecksum } from "./trailing_checksum.ts";
import { verifyHint } from "./verify_hint.ts";

const ENTRIES_PER_SLICE = 4096;
/** Compaction may replace a segment between reading ACTIVE and opening what it names. */
const OPEN_ATTEMPTS = 10;

/** Something that is not as it was written. */
export interface VerifyProblem {
  /** The file concerned. */
  path: string;
  /** Where in it, in bytes. */
  offset: number;
  /** What is wrong. */
  message: string;
}

/** What a verification found. */
export interface VerifyReport {
  /** Whether there are no problems. */
  ok: boolean;
  /** Files checked. */
  files: number;
  /** Frames checked. */
  frames: number;
  /** Bytes checked. */
  bytes: number;
  /** Bytes of a torn tail: a write that was cut short and never acknowledged; no problem. */
  tornBytes: number;
  /** What is wrong, file by file. */
  problems: VerifyProblem[];
}

/**
 * Verifies the store in the directory `path`. Throws `Io` if there is none, or if the system does
 * not let this process read it, which tells nothing about the store.
 */
export async function verifyStore(fs: FileSystem, path: string): Promise<VerifyReport> {
  const directory = joinPath(path, WAL_NAME);
  if (fs.stat(directory)?.kind !== "directory") {
    const problem = fs.stat(path) === undefined ? "does not exist" : "holds no store";
    throw new KvError("Io", `${path} ${problem}: check the path`, { path });
  }
  const verifier = new Verifier(fs, directory);
  await verifier.run();
  return verifier.report;
}

class Verifier {
  readonly report: VerifyReport = {
    ok: true,
    files: 0,
    frames: 0,
    bytes: 0,
    tornBytes: 0,
    problems: [],
  };

  #fs: FileSystem;
  #directory: string;
  #lastLsn = 0;

  constructor(fs: FileSystem, directory: string) {
    this.#fs = fs;
    this.#directory = directory;
  }

  async run(): Promise<void> {
    const log = this.#openLog();
    if (log === undefined) return;
    const { state, files } = log;
    try {
      this.report.files++;
      this.report.bytes += encodeActive(state).length;
      this.#checkNodeId(state.nodeId);
      for (const [position, segment] of state.segments.entries()) {
        const file = files[position];
        const isActive = position === state.segments.length - 1;
        if (file !== undefined) await this.#checkSegment(file, segment, state.nodeId, isActive);
      }
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
    const activePath = joinPath(this.#directory, ACTIVE_NAME);
    const read = () => this.#readActive(activePath);
    let state = this.#attempt(activePath, read);
    for (let attempt = 1; state !== undefined; attempt++) {
      const missing: VerifyProblem[] = [];
      const files = this.#openSegments(state, missing);
      const newer = missing.length === 0 ? state : this.#attempt(activePath, read);
      const changed = JSON.stringify(newer?.segments) !== JSON.stringify(state.segments);
      if (attempt >= OPEN_ATTEMPTS || !changed) {
        for (const { path, offset, message } of missing) this.#problem(path, offset, message);
        return { state, files };
      }
      for (const file of files) file?.close();
      state = newer;
    }
    if (this.report.ok) this.#problem(activePath, 0, "is missing");
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
        missing.push({ path, offset: 0, message: describeFinding(error, path) });
        files.push(undefined);
      }
    }
    return files;
  }

  /** A version that is not ours is only a newer format if the checksum holds for it. */
  #readActive(path: string): ActiveState | undefined {
    try {
      return readActive(this.#fs, this.#directory);
    } catch (error) {
      if (!(error instanceof KvError) || error.code !== "Unsupported") throw error;
      if (endsWithChecksum(readFile(this.#fs, path, ACTIVE_BYTES_LIMIT))) throw error;
      throw new KvError("CorruptLog", `${path} is damaged: its checksum does not match`, { path });
    }
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

  #checkNodeId(expected: Uint8Array): void {
    const path = joinPath(this.#directory, NODE_ID_NAME);
    const bytes = this.#attempt(path, () => readFile(this.#fs, path, 64));
    if (bytes === undefined) return;
    this.report.files++;
    this.report.bytes += bytes.length;
    if (new TextDecoder().decode(bytes).trim() !== formatNodeId(expected)) {
      this.#problem(path, 0, `is not ${formatNodeId(expected)}, the identity that ACTIVE gives`);
    }
  }

  async #checkSegment(
    file: File,
    expected: ActiveSegment,
    nodeId: Uint8Array,
    isActive: boolean,
  ): Promise<void> {
    try {
      this.report.files++;
      await this.#checkFrames(file, expected, nodeId, isActive);
      await this.#checkHint(file, expected.fileId);
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
    const scanner = new SegmentScanner(file, size, { fileId, nodeId });
    if (scanner.readHeader()) {
      if (scanner.lastLsn < this.#lastLsn) {
        this.#problem(file.path, 0, "its records overlap those of the segment before it");
      }
      this.report.frames++;
      while (scanner.next()) {
        this.report.frames++;
        if (scanner.recordCount % ENTRIES_PER_SLICE === 0) await pause();
      }
      this.#lastLsn = Math.max(this.#lastLsn, scanner.lastLsn);
    }
    this.report.bytes += scanner.validEnd;
    const durableOffset = Math.max(
      scanner.durableOffset,
      expected.length,
      findDurableOffset(file, fileId, scanner.validEnd, size),
    );
    const isShort = isActive && durableOffset > scanner.validEnd;
    const verdict = decide({
      active: isActive,
      damaged: scanner.problem !== undefined || isShort,
      damagedBelowDurable: scanner.segmentHeader === undefined || durableOffset > scanner.validEnd,
      complete: size === expected.length && scanner.chain === expected.chain,
    });
    if (verdict.then === "truncate") this.report.tornBytes += size - scanner.validEnd;
    if (verdict.then === "corrupt") {
      const problem = scanner.problem ?? `it should have ${durableOffset} bytes, and has ${size}`;
      this.#problem(file.path, scanner.validEnd, `${problem} (${verdict.because})`);
    }
  }

  async #checkHint(segment: File, fileId: number): Promise<void> {
    const path = joinPath(this.#directory, hintName(fileId));
    try {
      const findings = await verifyHint(this.#fs, path, segment, fileId, pause);
      if (findings === undefined) return;
      this.report.files++;
      this.report.bytes += findings.bytes;
      const { problem } = findings;
      if (problem !== undefined) this.#problem(path, problem.offset, problem.message);
    } catch (error) {
      if (!isFinding(error)) throw error;
      this.#problem(path, 0, describeFinding(error, path));
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

  #problem(path: string, offset: number, message: string): void {
    this.report.ok = false;
    this.report.problems.push({ path, offset, message });
  }
}
