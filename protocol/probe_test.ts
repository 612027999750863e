import { assertEquals } from "@std/assert";
import { decodeProbe, encodeProbe } from "./probe.ts";

Deno.test("probes come back as they were", () => {
  for (const kind of ["question", "answer"] as const) {
    for (const id of [0, 1, 255, 256, 2 ** 31, 2 ** 32 - 1]) {
      // As a part of a larger buffer, too.
      const bytes = new Uint8Array([7, ...encodeProbe({ kind, id }), 7]);
      assertEquals(decodeProbe(bytes.subarray(1, 6)), { kind, id });
    }
  }
});

Deno.test("probes are written as the protocol says", () => {
  const bytes = encodeProbe({ kind: "answer", id: 0x01020304 });
  assertEquals([...bytes], [2, 1, 2, 3, 4]);
});

Deno.test("datagrams that are no probe are none", () => {
  for (
    const bytes of [[], [1], [0, 0, 0, 0, 1], [3, 0, 0, 0, 1], [
      1,
      0,
      0,
      0,
      0,
      1,
    ]]
  ) {
    assertEquals(decodeProbe(new Uint8Array(bytes)), undefined);
  }
});
