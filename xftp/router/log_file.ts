/**
 * A file of lines that grows: a line that was said to be written is on disk.
 *
 * Lines that come while others are being synced wait and are synced together,
 * so that many clients at once cost few syncs.
 *
 * @module
 */
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { SftpxError } from "../../core/errors.ts";
import { ioError } from "../../store/io_error.ts";
import { syncFolder } from "./sync_folder.ts";

/** A log that is open. */
export interface LogFile {
  /**
   * Adds a line, given without its end.
   *
   * @throws {SftpxError} `local-io`; it is then not in the file.
   */
  append(line: string): Promise<void>;
  /** Waits for what was begun, and closes. */
  close(): Promise<void>;
}

/**
 * Opens a log to add to, or makes it, for its owner only.
 *
 * @throws {SftpxError} `local-io`.
 */
export async function openLogFile(path: string): Promise<LogFile> {
  const what = `write store log "${path}"`;
  let file: FileHandle;
  let size: number;
  try {
    file = await open(path, "a", 0o600);
    size = (await file.stat()).size;
    await syncFolder(dirname(path));
  } catch (error) {
    throw ioError(what, error);
  }
  let waiting: { line: string; done: PromiseWithResolvers<void> }[] = [];
  let writing: Promise<void> | undefined;
  let broken: SftpxError | undefined;
  let closed = false;

  const writeBatch = async (): Promise<void> => {
    const batch = waiting;
    waiting = [];
    const bytes = new TextEncoder().encode(
      batch.map(({ line }) => `${line}\n`).join(""),
    );
    try {
      if (broken !== undefined) throw broken;
      await file.appendFile(bytes);
      await file.datasync();
      size += bytes.length;
      for (const { done } of batch) done.resolve();
    } catch (error) {
      const failure = ioError(what, error);
      // Half a line would spoil the next one.
      await file.truncate(size).catch((cause) => {
        broken ??= ioError(what, cause);
      });
      for (const { done } of batch) done.reject(failure);
    }
  };
  const drain = async (): Promise<void> => {
    while (waiting.length > 0) await writeBatch();
    writing = undefined;
  };
  return {
    append(line) {
      if (closed) {
        const error = new SftpxError(
          "local-io",
          `Cannot ${what}: it is closed`,
        );
        return Promise.reject(error);
      }
      const done = Promise.withResolvers<void>();
      waiting.push({ line, done });
      writing ??= drain();
      return done.promise;
    },
    async close() {
      if (closed) return;
      closed = true;
      await writing;
      await file.close();
    },
  };
}
