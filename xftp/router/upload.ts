/**
 * Takes a chunk: from the line to the disk, in pieces.
 *
 * The order is what a sender's OK stands on: bytes to disk, the name in place,
 * the folder synced, the line in the log synced, OK. Two uploads of the same
 * chunk at once do not disturb each other, as each writes a file of its own; the
 * one that is later says OK, too.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { equalBytes } from "../../core/bytes.ts";
import type { Clock } from "../../core/clock.ts";
import { FaultError } from "../faults.ts";
import type { Body } from "./body.ts";
import type { ChunkWriter } from "./chunk_files.ts";
import type { ChunkRecord } from "./records.ts";
import type { Store } from "./store.ts";

/** How long an upload may take, ms. */
export const UPLOAD_MS = 300_000;

/** Pieces are joined to this size before they are written. */
const WRITE_BYTES = 65_536;

/**
 * Takes the chunk that `body` is.
 *
 * @returns Whether it is new; false when it was there and was only read.
 * @throws {FaultError} with what the sender is to hear; {SftpxError} `local-io`.
 */
export async function takeUpload(
  store: Store,
  chunk: ChunkRecord,
  body: Body,
  clock: Clock,
): Promise<boolean> {
  const over = new AbortController();
  const late = clock.delay(UPLOAD_MS, over.signal).then(() => {
    throw new FaultError({ code: "TIMEOUT" });
  });
  late.catch(() => {}); // it is also rejected when nobody waits any more
  const timely: Body = {
    next: () => Promise.race([body.next(), late]),
    cancel: body.cancel,
  };
  try {
    if (chunk.uploaded) {
      await drain(timely, chunk.size);
      return false;
    }
    return await take(store, chunk, timely);
  } finally {
    over.abort();
  }
}

async function take(
  store: Store,
  chunk: ChunkRecord,
  body: Body,
): Promise<boolean> {
  // One byte ahead: a request without a body reserves nothing.
  const first = await body.next();
  if (first === undefined) throw new FaultError({ code: "SIZE" });
  const reservation = store.reserve(chunk.size);
  if (reservation === undefined) throw new FaultError({ code: "QUOTA" });
  let writer: ChunkWriter | undefined;
  try {
    writer = await store.files.create(chunk.id);
    await receive(writer, chunk, first, body);
    await writer.sync();
    // It may have become another's while it came in.
    if (chunk.uploaded) return false;
    await writer.place();
    const outcome = await store.uploaded(chunk, reservation);
    if (outcome !== "gone") return outcome === "stored";
    await store.files.remove(chunk.id);
    const { status } = chunk;
    throw new FaultError(
      status.type === "blocked"
        ? { code: "BLOCKED", blocking: status.blocking }
        : { code: "AUTH" },
    );
  } finally {
    reservation.release();
    await writer?.discard();
  }
}

/** Reads a chunk to its end, and writes it. */
async function receive(
  writer: ChunkWriter,
  chunk: ChunkRecord,
  first: Uint8Array,
  body: Body,
): Promise<void> {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(WRITE_BYTES);
  let filled = 0;
  let received = 0;
  for (
    let piece: Uint8Array | undefined = first;
    piece !== undefined;
    piece = await body.next()
  ) {
    received += piece.length;
    if (received > chunk.size) throw new FaultError({ code: "SIZE" });
    hash.update(piece);
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + WRITE_BYTES - filled);
      buffer.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled === WRITE_BYTES) {
        await writer.write(buffer);
        filled = 0;
      }
    }
  }
  if (received !== chunk.size) throw new FaultError({ code: "SIZE" });
  if (!equalBytes(hash.digest(), chunk.digest)) {
    throw new FaultError({ code: "DIGEST" });
  }
  if (filled > 0) await writer.write(buffer.subarray(0, filled));
}

/** Reads a chunk that is there already: its sender may not have heard our OK. */
async function drain(body: Body, size: number): Promise<void> {
  let received = 0;
  for (;;) {
    const piece = await body.next();
    if (piece === undefined) break;
    received += piece.length;
    if (received > size) throw new FaultError({ code: "SIZE" });
  }
  if (received !== size) throw new FaultError({ code: "SIZE" });
}
