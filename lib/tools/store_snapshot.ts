/**
 * The files of a whole store as of one moment, whatever becomes of the store meanwhile. A backup
 * and a restore copy them into a directory; they can as well be sent elsewhere.
 */

import type { Clock } from "../clock.ts";
import { KvError } from "../errors.ts";
import { type ActiveState, encodeActive } from "../format/active.ts";
import {
  ACTIVE_NAME,
  hintName,
  joinPath,
  NODE_ID_NAME,
  segmentName,
  WAL_NAME,
} from "../format/filename.ts";
import { encodeNodeId } from "../format/node_id.ts";
import type { FileSystem } from "../fs/file_system.ts";
import { readFullyAsync } from "../fs/whole_file.ts";
import { findUnboundHint } from "../log/hint_binding.ts";
import { HintReader } from "../log/hint_reader.ts";
import { PinnedFile } from "../log/pinned_file.ts";
import { readChecked } from "./checked_segment.ts";
import { pause } from "./pause.ts";

const PIECE_BYTES = 1 << 20;
const ENTRIES_PER_SLICE = 4096;
/** Where ACTIVE stands in a store's directory. */
export const ACTIVE_PATH = joinPath(WAL_NAME, ACTIVE_NAME);

/** A file of a store, to be copied. */
export interface StoreFile {
  /** Its path in the store's directory, with `/` between the names: `wal/ACTIVE`. */
  name: string;
  /** Its length in bytes, exactly. */
  length: number;
  /**
   * Its bytes, once, in pieces of about 1 MiB or of one long record. Throws `CorruptLog` if the file
   * is damaged, `Closed` if the snapshot was closed, and `Io`.
   */
  pieces(): AsyncIterableIterator<Uint8Array>;
}

/**
 * A whole store as of one moment, of which every file can be read for as long as this is open:
 * compaction cannot take away what it needs, only no disk space is given back for it.
 *
 * @example
 * ```ts
 * import { KvStore } from "@cairn/kv";
 *
 * await using store = await KvStore.open("./data");
 * await store.set("greeting", "hello");
 * using snapshot = await store.snapshot();
 * for await (const file of snapshot.files()) {
 *   let length = 0;
 *   for await (const piece of file.pieces()) length += piece.length;
 *   console.assert(length === file.length, file.name);
 * }
 * ```
 */
export interface StoreSnapshot extends Disposable {
  /** Version of the newest record in it: it holds everything up to this one. */
  readonly version: number;
  /**
   * All files of the store, ACTIVE last: a copy without it is no store. The bytes of a file must be
   * read before the next file is asked for. Throws as {@link StoreFile.pieces}.
   */
  files(): AsyncIterableIterator<StoreFile>;
  /** Lets go of the files. What is being read fails with `Closed`. Closing again is no error. */
  close(): void;
}

/** A segment as it was at the moment of the snapshot. */
export interface SnapshotSegment {
  source: PinnedFile;
  /** What its hint file covered; 0 if it had none, undefined if nobody writes hint files now. */
  hintedLength: number | undefined;
}

/** What a {@link PinnedSnapshot} is made of. */
export interface SnapshotContent {
  fs: FileSystem;
  clock: Clock;
  /** The store's directory. */
  path: string;
  /** ACTIVE for exactly these files: its last segment ends with `length`. */
  state: ActiveState;
  /** The newest LSN in these files. */
  version: number;
  /** In the order of `state.segments`. */
  segments: SnapshotSegment[];
  onClose: () => void;
}

/** A snapshot that keeps the segments of a store pinned until it is closed. */
export class PinnedSnapshot implements StoreSnapshot {
  readonly version: number;

  #content: SnapshotContent;
  #hints = new Set<PinnedFile>();
  #closed = false;

  constructor(content: SnapshotContent) {
    this.#content = content;
    this.version = content.version;
    for (const { source } of content.segments) source.pin();
  }

  async *files(): AsyncGenerator<StoreFile> {
    const { state, segments } = this.#content;
    yield inMemory(joinPath(WAL_NAME, NODE_ID_NAME), encodeNodeId(state.nodeId));
    for (const index of segments.keys()) {
      yield this.#segmentFile(index);
      const hint = await this.#openHint(index);
      if (hint === undefined) continue;
      try {
        yield this.#hintFile(hint, state.segments[index]!.fileId);
      } finally {
        this.#closeHint(hint);
      }
    }
    yield inMemory(ACTIVE_PATH, encodeActive(state));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { source } of this.#content.segments) source.unpin();
    for (const hint of this.#hints) hint.retire();
    this.#hints.clear();
    this.#content.onClose();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #segmentFile(index: number): StoreFile {
    const { state, segments, version, clock } = this.#content;
    const { fileId, length, chain } = state.segments[index]!;
    const { source } = segments[index]!;
    const isNewest = index === segments.length - 1;
    const expected = {
      fileId,
      nodeId: state.nodeId,
      length,
      chain: isNewest ? undefined : chain,
      lastLsn: isNewest ? version : undefined,
    };
    const assertOpen = () => this.#assertOpen();
    return {
      name: joinPath(WAL_NAME, segmentName(fileId)),
      length,
      pieces: () => readChecked(source, expected, assertOpen, clock),
    };
  }

  #hintFile(hint: PinnedFile, fileId: number): StoreFile {
    const length = hint.file.size();
    const assertOpen = () => this.#assertOpen();
    return {
      name: joinPath(WAL_NAME, hintName(fileId)),
      length,
      pieces: () => readPieces(hint, length, assertOpen, this.#content.clock),
    };
  }

  /**
   * The hint file of a segment, if it can go with the copy: it is sound, and the one that was there
   * at the moment of the snapshot. One that was written later leaves out what was overwritten since.
   */
  async #openHint(index: number): Promise<PinnedFile | undefined> {
    const { fs, path, state, segments } = this.#content;
    const { fileId, length } = state.segments[index]!;
    const { source, hintedLength } = segments[index]!;
    if (hintedLength === 0) return undefined;
    this.#assertOpen();
    let hint: PinnedFile | undefined;
    try {
      const file = fs.open(joinPath(joinPath(path, WAL_NAME), hintName(fileId)), "read");
      hint = new PinnedFile(file);
      this.#hints.add(hint);
      const reader = new HintReader(file);
      const covered = reader.header?.coveredLength ?? 0;
      const isRight = reader.header !== undefined && (hintedLength ?? covered) === covered &&
        (index === segments.length - 1 ? covered <= length : covered === length) &&
        findUnboundHint(reader.header, source.file, fileId) === undefined;
      for (let entries = 1; isRight && reader.next(); entries++) {
        if (entries % ENTRIES_PER_SLICE !== 0) continue;
        await pause(this.#content.clock);
        this.#assertOpen();
      }
      if (isRight && reader.problem === undefined) return hint;
    } catch (error) {
      if (hint !== undefined) this.#closeHint(hint);
      // A copy needs no hint files: whatever is wrong with one, it is left out.
      if (error instanceof KvError && error.code !== "Closed") return undefined;
      throw error;
    }
    this.#closeHint(hint);
    return undefined;
  }

  #closeHint(hint: PinnedFile): void {
    if (this.#hints.delete(hint)) hint.retire();
  }

  #assertOpen(): void {
    if (!this.#closed) return;
    const { path } = this.#content;
    throw new KvError(
      "Closed",
      `The copy of ${path} was cut off, because it was closed: open it and begin again`,
      { path },
    );
  }
}

function inMemory(name: string, bytes: Uint8Array): StoreFile {
  return {
    name,
    length: bytes.length,
    async *pieces() {
      yield bytes;
    },
  };
}

async function* readPieces(
  source: PinnedFile,
  length: number,
  assertOpen: () => void,
  clock: Clock,
): AsyncGenerator<Uint8Array> {
  const { file } = source;
  for (let position = 0; position < length;) {
    await pause(clock);
    assertOpen();
    const bytes = new Uint8Array(Math.min(PIECE_BYTES, length - position));
    source.pin();
    try {
      const count = await readFullyAsync(file, bytes, 0, bytes.length, position);
      if (count < bytes.length) {
        throw new KvError("Io", `Cannot copy ${file.path}: it got shorter meanwhile; try again`, {
          path: file.path,
        });
      }
    } finally {
      source.unpin();
    }
    assertOpen();
    position += bytes.length;
    yield bytes;
  }
}
