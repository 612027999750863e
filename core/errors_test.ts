import { assert, assertEquals } from "@std/assert";
import {
  codeOf,
  ERRORS,
  isRetryable,
  SftpxError,
  sftpxErrorOf,
} from "./errors.ts";

Deno.test("codeOf() finds the code behind wrappers, and calls the rest internal", () => {
  const inner = new SftpxError("local-io", "Cannot write: disk is full");
  const wrapped = new Error("a", { cause: new Error("b", { cause: inner }) });
  assertEquals(codeOf(inner), "local-io");
  assertEquals(codeOf(wrapped), "local-io");
  assertEquals(sftpxErrorOf(wrapped), inner);
  assertEquals(
    codeOf(new SftpxError("protocol", "Cannot decode", inner)),
    "protocol",
  );
  for (
    const other of [undefined, null, "text", 1, new Error("x"), {
      code: "protocol",
    }]
  ) {
    assertEquals(codeOf(other), "internal");
  }
});

Deno.test("codeOf() comes back from causes that form a ring", () => {
  const ring = new Error("ring");
  ring.cause = ring;
  assertEquals(codeOf(ring), "internal");
});

Deno.test("isRetryable() does not look behind a wrapper: that one gave up", () => {
  const lost = new SftpxError("connection-lost", "Cannot read: timed out");
  assert(isRetryable(lost));
  assert(!isRetryable(new Error("gave up", { cause: lost })));
  assert(!isRetryable(new SftpxError("protocol", "Cannot decode", lost)));
});

Deno.test("ERRORS: codes that a peer hears of have close codes of their own", () => {
  const closes = Object.values(ERRORS).map(({ close }) => close).filter((
    close,
  ) => close !== 0);
  assertEquals(new Set(closes).size, closes.length);
  for (const { exit } of Object.values(ERRORS)) assert(exit > 0 && exit < 256);
});
