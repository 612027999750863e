/**
 * The folder in which a receiver keeps its journals, looked at before anybody
 * is let in.
 *
 * @module
 */
import { constants } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import { ioError } from "./io_error.ts";
import { quoted } from "./paths.ts";

/**
 * Makes the folder, if it is not there, and makes sure that we may write to it.
 *
 * @throws {SftpxError} `local-io`.
 */
export async function makeStateDir(dir: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await access(dir, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw ioError(`use the folder for state ${quoted(dir)}`, error);
  }
}
