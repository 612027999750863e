/**
 * Sees to it that only one router works in a folder: two of them would each
 * write a log that the other does not know of.
 *
 * @module
 */
import { SftpxError } from "../../core/errors.ts";
import { ioError } from "../../store/io_error.ts";

/** The right to work in a folder. */
export interface RouterLock {
  /** Gives it back; it also ends with the process. */
  release(): void;
}

/**
 * Takes the lock at `path`.
 *
 * @throws {SftpxError} `config`, when another router has it; `local-io`.
 */
export async function lockRouter(path: string): Promise<RouterLock> {
  let file: Deno.FsFile;
  let isOurs: boolean;
  try {
    file = await Deno.open(path, { create: true, write: true, mode: 0o600 });
    isOurs = await file.tryLock(true);
  } catch (error) {
    throw ioError(`lock "${path}"`, error);
  }
  if (!isOurs) {
    file.close();
    throw new SftpxError(
      "config",
      `Cannot start router: another one has locked "${path}"`,
    );
  }
  return { release: () => file.close() };
}
