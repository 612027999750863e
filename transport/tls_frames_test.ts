import { assert, assertEquals, assertThrows } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { forAll } from "../tests/testutil/random.ts";
import {
  decodeHeader,
  decodeHello,
  encodeFrame,
  encodeHeader,
  encodeHello,
  FRAME_BODY_BYTES,
  FRAME_HEAD_BYTES,
  type GroupFrame,
  readFrame,
} from "./tls_frames.ts";

const FRAMES: readonly (readonly [GroupFrame, string])[] = [
  [{ type: "welcome" }, "000000"],
  [{ type: "ping" }, "010000"],
  [{ type: "stop", id: 258 }, "02000400000102"],
  [{ type: "close", code: 0x40, reason: "" }, "03000140"],
  [{ type: "close", code: 0x60, reason: "é" }, "03000360c3a9"],
  [{ type: "done", id: 2 ** 32 - 1 }, "040004ffffffff"],
];

Deno.test("frames are what they have been, and read back", () => {
  for (const [frame, hex] of FRAMES) {
    const bytes = encodeFrame(frame);
    assertEquals(bytes.toHex(), hex);
    assertEquals(readFrame(bytes), { frame, end: bytes.length });
    for (let cut = 0; cut < bytes.length; cut++) {
      assertEquals(readFrame(bytes.subarray(0, cut)), undefined);
    }
  }
});

Deno.test("a reason that is too long is cut between characters", () => {
  const bytes = encodeFrame({
    type: "close",
    code: 1,
    reason: "é".repeat(2000),
  });
  assert(bytes.length <= FRAME_HEAD_BYTES + FRAME_BODY_BYTES);
  const frame = readFrame(bytes)?.frame;
  assert(frame?.type === "close" && /^é+$/.test(frame.reason));
});

Deno.test("noise is a frame, not yet one, or a broken rule", () => {
  forAll(
    (random) =>
      Uint8Array.from(
        { length: 20 },
        (_, i) => random() * (i === 0 ? 6 : i === 1 ? 2 : 256),
      ),
    (bytes) => {
      try {
        const end = readFrame(bytes)?.end ?? 0;
        assert(end <= bytes.length);
      } catch (error) {
        assert(error instanceof SftpxError && error.code === "protocol");
      }
    },
  );
});

Deno.test("hellos and headers read back, and nothing shorter does", () => {
  const group = new Uint8Array(32).fill(1);
  for (const kind of ["control", "client-stream", "server-stream"] as const) {
    const bytes = encodeHello({ kind, group });
    assertEquals(decodeHello(bytes), { kind, group });
    for (let cut = 0; cut < bytes.length; cut++) {
      assertThrows(() => decodeHello(bytes.subarray(0, cut)), SftpxError);
    }
  }
  for (const header of [{ bidi: false, id: 0 }, { bidi: true, id: 77_000 }]) {
    const bytes = encodeHeader(header);
    assertEquals(decodeHeader(bytes), header);
    for (let cut = 0; cut < bytes.length; cut++) {
      assertThrows(() => decodeHeader(bytes.subarray(0, cut)), SftpxError);
    }
  }
  assertThrows(() => decodeHeader(Uint8Array.of(3, 0, 0, 0, 0)), SftpxError);
  assertThrows(
    () => encodeHello({ kind: "control", group: new Uint8Array(31) }),
    RangeError,
  );
});
