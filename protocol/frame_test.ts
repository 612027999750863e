import { assert, assertEquals, assertThrows } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { forAll } from "../tests/testutil/random.ts";
import { createFrameReader, encodeFrame, type Frame } from "./frame.ts";
import { varintLength, writeVarint } from "./varint.ts";

Deno.test("a frame reader gives the same frames however the stream is cut", () => {
  forAll(stream, ({ frames, pieces }) => {
    const reader = createFrameReader(3000);
    const read: Frame[] = [];
    for (const piece of pieces) {
      reader.push(piece);
      piece.fill(0xee); // the buffer is used again for the next read
      for (let one = reader.next(); one; one = reader.next()) read.push(one);
    }
    assertEquals(read, frames);
    assertEquals(reader.buffered, 0);
  });
});

Deno.test("a frame reader waits for the last byte", () => {
  const bytes = encodeFrame(5, Uint8Array.of(1, 2, 3));
  for (let cut = 0; cut < bytes.length; cut++) {
    const reader = createFrameReader(3);
    reader.push(bytes.subarray(0, cut));
    assertEquals(reader.next(), undefined);
    assertEquals(reader.buffered, cut);
  }
});

Deno.test("a frame reader refuses a body over its limit before it comes", () => {
  for (const length of [101, 2 ** 31, 2 ** 32, 2 ** 53 - 1]) {
    const reader = createFrameReader(100);
    reader.push(header(7, length));
    const error = assertThrows(() => reader.next(), SftpxError);
    assertEquals(error.code, "protocol");
  }
  const reader = createFrameReader(100);
  reader.push(encodeFrame(7, new Uint8Array(100)));
  assertEquals(reader.next()?.body.length, 100);
});

Deno.test("a frame reader is not pushed to while frames wait", () => {
  const reader = createFrameReader(100);
  reader.push(new Uint8Array(117));
  assertThrows(() => reader.push(Uint8Array.of(0)), RangeError);
  while (reader.next() !== undefined);
  reader.push(Uint8Array.of(0));
});

Deno.test("a frame reader keeps up with a body that comes byte by byte", () => {
  const reader = createFrameReader(1024 * 1024);
  const bytes = encodeFrame(1, new Uint8Array(512 * 1024));
  for (let at = 0; at < bytes.length; at++) {
    assertEquals(reader.next(), undefined);
    reader.push(bytes.subarray(at, at + 1));
  }
  assertEquals(reader.next()?.body.length, 512 * 1024);
});

Deno.test("a type that is no varint cannot be encoded", () => {
  assertThrows(() => encodeFrame(-1, new Uint8Array()), RangeError);
  assert(encodeFrame(2 ** 53 - 1, new Uint8Array()).length === 9);
});

/** Frames, and their bytes in pieces of any length. */
function stream(
  random: () => number,
): { frames: Frame[]; pieces: Uint8Array[] } {
  const pick = (below: number): number => Math.floor(random() * below);
  const frames = Array.from({ length: pick(20) }, (): Frame => ({
    type: pick(2 ** (1 + pick(52))),
    body: new Uint8Array(pick(2) === 0 ? pick(10) : pick(3000)).fill(pick(256)),
  }));
  const all = frames.flatMap(({ type, body }) => [...encodeFrame(type, body)]);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < all.length;) {
    const length = 1 + pick(pick(3) === 0 ? 5 : 2000);
    pieces.push(Uint8Array.from(all.slice(at, at + length)));
    at += length;
  }
  return { frames, pieces };
}

function header(type: number, length: number): Uint8Array {
  const bytes = new Uint8Array(varintLength(type) + varintLength(length));
  const view = new DataView(bytes.buffer);
  writeVarint(view, writeVarint(view, 0, type), length);
  return bytes;
}
