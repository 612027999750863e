/**
 * What every answer of a router is: a block, and perhaps more.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { BLOCK_BYTES, unpadBlock } from "./block.ts";
import type { H2Answer } from "./client_h2.ts";
import { decodeFault, faultToError } from "./faults.ts";

/** The block at the front of an answer. */
export async function blockOf(
  answer: H2Answer,
  remote: string,
): Promise<Uint8Array<ArrayBuffer>> {
  if (answer.status !== 200) {
    throw confused(remote, `its status is ${answer.status ?? "unknown"}`);
  }
  const block = new Uint8Array(BLOCK_BYTES);
  const length = await answer.read(block);
  if (length !== BLOCK_BYTES) {
    throw confused(remote, `its answer has ${length} bytes`);
  }
  // An error of the hello is a bare word.
  const message = unpadBlock(block);
  if (message.length > 0 && message.length <= LONGEST_WORD) {
    const fault = decodeFault(message);
    await endOf(answer, remote);
    if (fault.code === "SESSION" || fault.code === "HANDSHAKE") {
      throw forgotten(remote);
    }
    throw faultToError(fault, `speak with router "${remote}"`);
  }
  return block;
}

/** Makes sure that nothing follows. */
export async function endOf(answer: H2Answer, remote: string): Promise<void> {
  if (answer.status !== 200) {
    throw confused(remote, `its status is ${answer.status ?? "unknown"}`);
  }
  if (await answer.read(new Uint8Array(1)) !== 0) {
    throw confused(remote, "its answer is longer than it must be");
  }
}

/** A hello or transmission is longer than the words of errors are. */
const LONGEST_WORD = 30;

/** The error of a router that does not speak as it must. */
export function confused(remote: string, reason: string): SftpxError {
  return new SftpxError(
    "protocol",
    `Cannot understand router "${remote}": ${reason}`,
  );
}

/** A new connection, with new hellos, is what helps. */
export function forgotten(remote: string): SftpxError {
  return new SftpxError(
    "connection-lost",
    `Cannot go on with router "${remote}": it does not know our session`,
  );
}
