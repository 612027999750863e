/**
 * The program, with a hand on what it gives to its streams and takes from them:
 * `WIRE_COUNT` is a file that always holds how many bytes those were, whenever
 * the process ends, and `WIRE_FLIP` is `first:every:where` to change one byte of large writes, in
 * the `head` of the frame or in its content.
 *
 * @module
 */
import { exitAfter } from "../../cmd/exit.ts";
import { processIo } from "../../cmd/io.ts";
import { main } from "../../cmd/main.ts";
import { PARTS } from "../../cmd/parts.ts";

const counter = Deno.env.get("WIRE_COUNT");
const [, first, every, where] =
  /^(\d+):(\d+):(head|content)$/.exec(Deno.env.get("WIRE_FLIP") ?? "") ?? [];
/** A frame's header and the first record's. */
const HEAD_BYTES = 8 + 56;
/** No control or manifest frame is as large. */
const LARGE_BYTES = 70_000;

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

function touched(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (where === undefined || bytes.length < LARGE_BYTES) return bytes;
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
  return write.call(this, touched(bytes as Uint8Array<ArrayBuffer>));
};

await exitAfter((signal) =>
  main(Deno.args, processIo(), () => import("../../mod.ts"), signal, PARTS)
);
