/**
 * The program, with a hand on what it gives to its streams and takes from them,
 * by QUIC and over TCP: `WIRE_COUNT` is a file that always holds how many bytes
 * those were, whenever the process ends, and `WIRE_FLIP` is `first:every:where`
 * to change one byte of large frames on streams of QUIC, in the `head` of the
 * frame or in its content.
 *
 * @module
 */
import { exitAfter } from "../../cmd/exit.ts";
import { processIo } from "../../cmd/io.ts";
import { main } from "../../cmd/main.ts";
import { PARTS } from "../../cmd/parts.ts";
import {
  LANE_HEADER_BYTES,
  readLaneHeader,
  RECORD_HEADER_BYTES,
} from "../../protocol/lane.ts";

const counter = Deno.env.get("WIRE_COUNT");
const [, first, every, where] =
  /^(\d+):(\d+):(head|content)$/.exec(Deno.env.get("WIRE_FLIP") ?? "") ?? [];
/** A frame's header and the first record's. */
const HEAD_BYTES = LANE_HEADER_BYTES + RECORD_HEADER_BYTES;
/** No control or manifest frame is as large. */
const LARGE_BYTES = 70_000;
/** Nor is one as large as the least part of a frame, which is how a slow path gets it. */
const PIECE_BYTES = 16 * 1024;

const file = counter === undefined
  ? undefined
  : await Deno.open(counter, { create: true, write: true });
let total = 0;
let large = 0;

function count(bytes: number): void {
  total += bytes;
  if (file === undefined) return;
  file.seekSync(0, Deno.SeekMode.Start);
  file.writeSync(new TextEncoder().encode(String(total).padStart(16)));
}

/** What is still to come of the frame that was begun on a stream, bytes. */
const unwritten = new WeakMap<object, number>();

function touched(
  stream: object,
  bytes: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  if (where === undefined) return bytes;
  const rest = unwritten.get(stream) ?? 0;
  if (rest === 0 && bytes.length < PIECE_BYTES) return bytes;
  const frame = rest > 0
    ? rest
    : LANE_HEADER_BYTES + readLaneHeader(bytes).length;
  unwritten.set(stream, Math.max(0, frame - bytes.length));
  if (rest > 0 || frame < LARGE_BYTES) return bytes;
  const n = large++ - Number(first);
  if (n < 0 || n % Number(every) !== 0) return bytes;
  const other = bytes.slice();
  const [from, to] = where === "head"
    ? [0, HEAD_BYTES]
    : [HEAD_BYTES, bytes.length];
  const at = from + (n * 7919) % (to - from);
  other[at] = (other[at] ?? 0) ^ (1 << (n % 8));
  return other;
}

const { read } = ReadableStreamBYOBReader.prototype;
const counting = async function (
  this: ReadableStreamBYOBReader,
  view: Uint8Array<ArrayBuffer>,
  options?: ReadableStreamBYOBReaderReadOptions,
): Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>> {
  const result = await read.call(this, view, options);
  count(result.value?.byteLength ?? 0);
  return result as ReadableStreamReadResult<Uint8Array<ArrayBuffer>>;
};
ReadableStreamBYOBReader.prototype.read =
  counting as typeof ReadableStreamBYOBReader.prototype.read;

const { write } = WritableStreamDefaultWriter.prototype;
WritableStreamDefaultWriter.prototype.write = function (bytes: unknown) {
  if (!(bytes instanceof Uint8Array)) return write.call(this, bytes);
  count(bytes.length);
  return write.call(this, touched(this, bytes as Uint8Array<ArrayBuffer>));
};

const overTcp = await connProto();
const { read: readTcp, write: writeTcp } = overTcp;
overTcp.read = async function (this: Deno.Conn, view: Uint8Array) {
  const bytes = await readTcp.call(this, view);
  count(bytes ?? 0);
  return bytes;
};
overTcp.write = async function (this: Deno.Conn, view: Uint8Array) {
  const bytes = await writeTcp.call(this, view);
  count(bytes);
  return bytes;
};

/** What connections over TCP have in common; it has no name. */
async function connProto(): Promise<Deno.Conn> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  const { port } = listener.addr;
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  (await accepted).close();
  return Object.getPrototypeOf(Object.getPrototypeOf(conn));
}

await exitAfter((signal) =>
  main(Deno.args, processIo(), () => import("../../mod.ts"), signal, PARTS)
);
