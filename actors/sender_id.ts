/**
 * Who a sender is, across runs: a random id in its own state folder, so that
 * the same command finds its own transfer again, and no other machine's.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { RandomBytes } from "../crypto/random.ts";
import { readSecret, writeSecret } from "../store/secrets.ts";

const ID_BYTES = 16;

/**
 * Reads the id, or makes one.
 *
 * @param file Its file, of mode 0600: who knows it can pretend to go on with a transfer.
 * @throws {SftpxError} `config` when what is there is not an id of ours.
 */
export async function senderId(
  file: string,
  randomBytes: RandomBytes,
): Promise<Uint8Array> {
  const text = new TextEncoder().encode(`${randomBytes(ID_BYTES).toHex()}\n`);
  await writeSecret(file, text);
  const id = new TextDecoder().decode(await readSecret(file, "sender id"))
    .trim();
  if (!/^[0-9a-f]{32}$/.test(id)) {
    throw new SftpxError(
      "config",
      `Cannot use sender id "${file}": it must be 32 hex digits`,
    );
  }
  return Uint8Array.fromHex(id);
}
