/** What was done to a file system, as one number: all calls in order, with arguments and outcomes. */

import { crc32 } from "node:zlib";
import type { File, FileLock, FileStat, OpenMode } from "../../lib/fs/file_system.ts";
import { PassingFileSystem } from "./passing_file_system.ts";

/** Passes everything on. Two runs with the same digest made the same calls, with the same outcomes. */
export class CallDigest extends PassingFileSystem {
  /** Of all calls so far. */
  digest = 0;

  override makeDirectory(path: string): void {
    this.#note(`make ${path}`, () => super.makeDirectory(path));
  }

  override readDirectory(path: string): string[] {
    return this.#note(`list ${path}`, () => super.readDirectory(path));
  }

  override stat(path: string): FileStat | undefined {
    const stat = this.#note(`stat ${path}`, () => super.stat(path));
    this.#add(`${stat?.kind} ${stat?.size}`);
    return stat;
  }

  override open(path: string, mode: OpenMode): File {
    return this.#file(this.#note(`${mode} ${path}`, () => super.open(path, mode)));
  }

  override rename(from: string, to: string): void {
    this.#note(`rename ${from} ${to}`, () => super.rename(from, to));
  }

  override unlink(path: string): void {
    this.#note(`unlink ${path}`, () => super.unlink(path));
  }

  override syncDirectory(path: string): void {
    this.#note(`sync directory ${path}`, () => super.syncDirectory(path));
  }

  async syncDirectoryAsync(path: string): Promise<void> {
    await this.#later(`sync directory ${path}`, async () => {
      await (this.base.syncDirectoryAsync?.(path) ?? this.base.syncDirectory(path));
    });
  }

  override lock(path: string): FileLock | undefined {
    return this.#note(`lock ${path}`, () => super.lock(path));
  }

  #file(file: File): File {
    const { path } = file;
    const later = <Result>(call: string, act: () => Promise<Result>) =>
      this.#later(`${call} ${path}`, act);
    return {
      path,
      read: (buffer, offset, length, position) =>
        this.#note(`read ${path} ${length} ${position}`, () => {
          return file.read(buffer, offset, length, position);
        }),
      readAsync: (buffer, offset, length, position) =>
        later(`read ${length} ${position}`, () => file.readAsync(buffer, offset, length, position)),
      write: (buffer, offset, length, position) => {
        this.digest = crc32(buffer.subarray(offset, offset + length), this.digest);
        return this.#note(`write ${path} ${length} ${position}`, () => {
          return file.write(buffer, offset, length, position);
        });
      },
      sync: () => this.#note(`sync ${path}`, () => file.sync()),
      syncAsync: () => later("sync", () => file.syncAsync()),
      truncate: (size) => this.#note(`truncate ${path} ${size}`, () => file.truncate(size)),
      size: () => this.#note(`size ${path}`, () => file.size()),
      close: () => this.#note(`close ${path}`, () => file.close()),
    };
  }

  async #later<Result>(call: string, act: () => Promise<Result>): Promise<Result> {
    this.#add(`${call} begins`);
    try {
      const result = await act();
      this.#add(`${call}: ${result}`);
      return result;
    } catch (error) {
      this.#add(String(error));
      throw error;
    }
  }

  #note<Result>(call: string, act: () => Result): Result {
    this.#add(call);
    try {
      const result = act();
      if (typeof result === "number") this.#add(String(result));
      return result;
    } catch (error) {
      this.#add(String(error));
      throw error;
    }
  }

  #add(text: string): void {
    this.digest = crc32(text, this.digest);
  }
}
