import { assert, assertEquals, assertThrows } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { forAll, intBetween } from "../tests/testutil/random.ts";
import { MAX_PAYLOAD_BYTES, planChunks } from "./chunk_plan.ts";

const K = 1024;
const M = 1024 * K;

/** What other programs of XFTP make of these payloads. */
const VECTORS: readonly (readonly [number, readonly number[]])[] = [
  [9 * M + 256 * K, [4 * M, 4 * M, M, M]],
  [9 * M, [4 * M, 4 * M, M]],
  [7 * M + 1, [4 * M, 4 * M]],
  [7 * M, [4 * M, M, M, M]],
  [3 * M + 1, [4 * M]],
  [3 * M, [M, M, M]],
  [2 * M + 768 * K + 1, [M, M, M]],
  [2 * M + 768 * K, [M, M, 256 * K, 256 * K, 256 * K]],
  [2 * M + 1, [M, M, 256 * K]],
  [768 * K + 1, [M]],
  [768 * K, [256 * K, 256 * K, 256 * K]],
  [1, [64 * K]],
];

Deno.test("a payload is cut as other programs of XFTP cut it", () => {
  for (const [payload, chunks] of VECTORS) {
    assertEquals(planChunks(payload), chunks, String(payload));
  }
});

Deno.test("chunks hold the payload, and the last one is never empty", () => {
  forAll(
    (random) => Math.floor(2 ** (random() * 30)) + intBetween(random, 0, 9),
    (payload) => {
      const chunks = planChunks(payload);
      const sum = chunks.reduce((total, size) => total + size, 0);
      assert(sum >= payload);
      assert(sum - (chunks.at(-1) ?? 0) < payload);
      assert(new Set(chunks).size <= 2);
    },
  );
});

Deno.test("what is larger than 5 GiB is refused", () => {
  assertEquals(planChunks(MAX_PAYLOAD_BYTES).length, 1280);
  assertThrows(() => planChunks(MAX_PAYLOAD_BYTES + 1), SftpxError, "5 GiB");
  assertThrows(() => planChunks(0), RangeError);
});
