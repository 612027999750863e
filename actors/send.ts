/**
 * `send()`: sends files, folders or a stream to one receiver.
 *
 * @module
 */
import type { SendOptions, SendResult } from "./options.ts";
import { sendFiles, type SendInside } from "./send_files.ts";
import { SEND_PARTS } from "./send_parts.ts";

export { DEFAULT_SEND_OPTIONS } from "./send_files.ts";

/**
 * Sends files and folders. Resolves once the receiver has verified every byte,
 * synced it and renamed it into place, and both ends agree on the digest over
 * all of it.
 *
 * A connection that is lost is dialled again, for as long as `giveUpAfterMs`
 * allows without progress. The same call again, after a crash, goes on with
 * what the receiver has on disk.
 *
 * @throws {SftpxError} with the code of what ended it. What only some files
 * suffered is in `failures` of the result.
 */
export function send(options: SendOptions): Promise<SendResult> {
  return sendFiles(options, SEND_PARTS);
}

/** As {@linkcode send}, for tests. */
export function sendInside(
  options: SendOptions,
  inside: SendInside,
): Promise<SendResult> {
  return sendFiles(options, SEND_PARTS, inside);
}
