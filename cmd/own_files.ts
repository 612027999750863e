/**
 * Files that say how we are to work, and may not be there.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { errorCode, ioError } from "../store/io_error.ts";
import { quoted } from "../store/paths.ts";
import { readSecret } from "../store/secrets.ts";
import { hinted } from "./hint.ts";

/**
 * Reads a file; `undefined` when there is none.
 *
 * @throws {SftpxError} "config" when it cannot be read.
 */
export function readIfThere(path: string): Promise<string | undefined> {
  return Promise.try(readNow, path); // sooner than on another thread
}

function readNow(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") {
      return undefined;
    }
    const { message } = ioError(`read ${quoted(path)}`, error);
    throw new SftpxError("config", message, error);
  }
}

/**
 * Reads a secret; `undefined` when there is none.
 *
 * @throws {SftpxError} "config" when it cannot be read, or others may read it.
 */
export async function readSecretIfThere(
  path: string,
  what: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await readSecret(path, what);
  } catch (error) {
    if (error instanceof SftpxError && errorCode(error.cause) === "ENOENT") {
      return undefined;
    }
    const isLoose = error instanceof SftpxError &&
      error.message.endsWith("looser than 0600");
    throw isLoose
      ? hinted(
        error,
        `chmod 600 ${quoted(path)}, or make a new one if somebody has read it`,
      )
      : error;
  }
}
