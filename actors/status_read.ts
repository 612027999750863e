/**
 * The status stream, as the sender reads it.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { decodeStatus, type WireStatus } from "../protocol/status.ts";
import type { Conn } from "../transport/transport.ts";
import {
  frameBatches,
  readStreamPreamble,
  STATUS_BODY_BYTES,
} from "./frames.ts";

/**
 * Reads the status stream, which the receiver opens once it has something to
 * say, until it ends.
 *
 * @throws {SftpxError} `protocol` when what comes is something else.
 */
export async function readStatus(
  conn: Conn,
  say: (frames: readonly WireStatus[]) => Promise<void>,
): Promise<void> {
  const stream = await conn.acceptUni();
  if (stream === undefined) return;
  const preamble = await readStreamPreamble(stream);
  if (preamble === undefined) return;
  if (preamble.kind !== "status") {
    throw new SftpxError(
      "protocol",
      `Cannot accept a ${preamble.kind} stream from a receiver`,
    );
  }
  const batches = frameBatches(stream, STATUS_BODY_BYTES);
  for (;;) {
    const frames = await batches();
    if (frames === undefined) return;
    const known = frames.map(decodeStatus).filter((f) => f !== undefined);
    if (known.length > 0) await say(known);
  }
}
