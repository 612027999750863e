/**
 * What the encoders refuse to write, and the edges of every number: a peer
 * must never be sent what it would have to refuse.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ERRORS } from "../core/errors.ts";
import { byteOfCode, codeOfByte } from "./codes.ts";
import { decodeControl, encodeControl } from "./control.ts";
import { createReader, createWriter } from "./cursor.ts";
import { createFrameReader, type Frame } from "./frame.ts";
import { readRecord, writeLaneHeader, writeRecord } from "./lane.ts";
import {
  chunkCount,
  chunkLength,
  decodeManifest,
  encodeManifest,
  type FileEntry,
  rootRecord,
} from "./manifest.ts";
import { encodeStatus, MAX_CANDIDATES } from "./status.ts";

const EDGES = [
  0,
  1,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53 - 1,
];
const BEYOND = [-1, 0.5, NaN, Infinity, 2 ** 53, 2 ** 62, 2 ** 64];
const FILE: FileEntry = {
  kind: "file",
  path: "a",
  mode: 0o644,
  mtimeNs: 0n,
  size: 10,
  chunkSize: 2 ** 20,
};

function frameOf(bytes: Uint8Array): Frame {
  const reader = createFrameReader(2 ** 20);
  reader.push(bytes);
  const frame = reader.next();
  assert(frame !== undefined);
  return frame;
}

Deno.test("every edge of a number is read as it was written, and none beyond is written", () => {
  for (const value of EDGES) {
    const bytes = createWriter("TEST").u64(value).varint(value).finish();
    const from = createReader(bytes, "TEST");
    assertEquals([from.u64(), from.varint()], [value, value]);
    from.end();
  }
  for (const value of BEYOND) {
    for (const field of ["u8", "u16", "u32", "u64", "varint"] as const) {
      assertThrows(() => createWriter("TEST")[field](value), RangeError);
    }
  }
  const to = createWriter("TEST");
  assertThrows(() => to.u8(256), RangeError);
  assertThrows(() => to.u16(2 ** 16), RangeError);
  assertThrows(() => to.u32(2 ** 32), RangeError);
});

Deno.test("a time has 64 bits and a sign", () => {
  for (const value of [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
    const bytes = createWriter("TEST").i64(value).finish();
    assertEquals(createReader(bytes, "TEST").i64(), value);
  }
  for (const value of [2n ** 63n, -(2n ** 63n) - 1n]) {
    assertThrows(() => createWriter("TEST").i64(value), RangeError);
  }
});

Deno.test("every edge of a record's numbers is read as it was written", () => {
  const to = new Uint8Array(60);
  const digest = new Uint8Array(32).fill(9);
  for (const value of EDGES) {
    const record = {
      kind: "same",
      gen: 65535,
      length: 2 ** 24,
      index: value,
      chunk: value,
      digest,
    } as const;
    writeRecord(to, 3, record);
    assertEquals(readRecord(to, 3), record);
    for (const wrong of BEYOND) {
      assertThrows(() => writeRecord(to, 0, { ...record, index: wrong }));
      assertThrows(() => writeRecord(to, 0, { ...record, chunk: wrong }));
      assertThrows(() => writeRecord(to, 0, { ...record, length: wrong }));
    }
    assertThrows(() => writeRecord(to, 5, record), RangeError);
    assertThrows(() => writeRecord(to, 0, { ...record, length: 0 }));
    assertThrows(() => writeRecord(to, 0, { ...record, gen: 65536 }));
    assertThrows(() => writeRecord(to, 0, { ...record, digest: to }));
  }
  assertThrows(() => writeLaneHeader(to, 0, { length: 55, count: 1 }));
  assertThrows(() => writeLaneHeader(to, 0, { length: 100, count: 0 }));
  assertThrows(() => writeLaneHeader(to, 0, { length: 2 ** 25, count: 1 }));
});

Deno.test("a file has as many chunks as its size needs", () => {
  const rows = [
    [0, 0],
    [1, 1],
    [2 ** 20, 1],
    [2 ** 20 + 1, 2],
    [2 ** 53 - 1, 2 ** 33],
  ] as const;
  for (const [size, count] of rows) {
    const entry = { ...FILE, size };
    assertEquals(chunkCount(entry), count);
    let last = 0;
    if (count > 0) last = chunkLength(entry, count - 1);
    assertEquals((count - 1) * 2 ** 20 + last, count === 0 ? -(2 ** 20) : size);
    assertThrows(() => chunkLength(entry, count), RangeError);
  }
  assertThrows(() => chunkLength(FILE, -1), RangeError);
  assertThrows(() => chunkLength(FILE, 0.5), RangeError);
  const { path, mode, mtimeNs } = FILE;
  assertEquals(chunkCount({ kind: "dir", path, mode, mtimeNs }), 0);
});

Deno.test("an entry that the peer would refuse is not written", () => {
  const wrong: Partial<FileEntry>[] = [
    { path: "" },
    { path: "a".repeat(4097) },
    { path: "ü".repeat(2049) },
    { path: "\ud800" },
    { mode: 0o10000 },
    { mode: -1 },
    { size: -1 },
    { size: 2 ** 53 },
    { chunkSize: 2 ** 15 },
    { chunkSize: 2 ** 25 },
    { chunkSize: 2 ** 20 + 1 },
  ];
  for (const fields of wrong) {
    const entry = { ...FILE, ...fields };
    assertThrows(
      () => encodeManifest({ type: "entry", index: 0, gen: 0, entry }),
      RangeError,
    );
  }
  const entry = FILE;
  assertThrows(
    () => encodeManifest({ type: "entry", index: 0, gen: 65536, entry }),
    RangeError,
  );
});

Deno.test("names that look alike stay different", () => {
  const paths = ["\ufeffa", "a", "e\u0301", "\u00e9", "a\0b", "\u202etxt"];
  for (const path of paths) {
    const entry = { ...FILE, path };
    const bytes = encodeManifest({ type: "entry", index: 0, gen: 0, entry });
    const decoded = decodeManifest(frameOf(bytes));
    assert(decoded?.type === "entry");
    assertEquals(decoded.entry.path, path);
  }
});

Deno.test("a reason is cut at a character to what the wire allows", () => {
  const reason = "é".repeat(1000) + "\ud800";
  const bytes = encodeControl({ type: "cancel", code: "local-io", reason });
  const decoded = decodeControl(frameOf(bytes));
  assert(decoded?.type === "cancel");
  assertEquals(decoded.reason, "é".repeat(512));
});

Deno.test("a root record has a digest when a file is here, and only then", () => {
  const digest = new Uint8Array(32);
  assertThrows(() => rootRecord(FILE, "here", undefined), RangeError);
  assertThrows(() => rootRecord(FILE, "gone", digest), RangeError);
  assertThrows(() => rootRecord(FILE, "here", digest.subarray(1)), RangeError);
  const { path, mode, mtimeNs } = FILE;
  const dir = { kind: "dir", path, mode, mtimeNs } as const;
  assertThrows(() => rootRecord(dir, "here", digest), RangeError);
});

Deno.test("candidates that no frame can hold are not written", () => {
  const frame = { type: "candidates", index: 0, gen: 0, first: 0 } as const;
  for (const length of [0, 31, 33, 32 * (MAX_CANDIDATES + 1)]) {
    const digests = new Uint8Array(length);
    assertThrows(() => encodeStatus({ ...frame, digests }), RangeError);
  }
  const digests = new Uint8Array(32 * MAX_CANDIDATES);
  assert(frameOf(encodeStatus({ ...frame, first: 2 ** 53 - 1, digests })));
});

Deno.test("a code with a meaning on the other side keeps it", () => {
  for (const code of Object.keys(ERRORS) as (keyof typeof ERRORS)[]) {
    const expected = ERRORS[code].close === 0 ? "internal" : code;
    assertEquals(codeOfByte(byteOfCode(code)), expected);
  }
  for (const byte of [0x00, 0x01, 0x7f, 0xff]) {
    assertEquals(codeOfByte(byte), "protocol");
  }
});
