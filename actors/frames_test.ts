import { assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import type { BidiStream } from "../transport/transport.ts";
import { controlChannel } from "./frames.ts";

Deno.test("a peer that asks without end and does not read is given up", async () => {
  let taken = 0;
  const never: BidiStream = {
    send: {
      write: () => new Promise(() => void taken++),
      end: () => Promise.resolve(),
    },
    receive: {
      readFully: () => new Promise(() => {}),
      readSome: () => new Promise(() => {}),
      cancel: () => Promise.resolve(),
    },
  };
  const control = controlChannel(never);
  for (let id = 0; id < 1024; id++) {
    control.write({ type: "pong", id }).catch(() => {});
  }
  const error = await assertRejects(
    () => control.write({ type: "pong", id: 0 }),
    SftpxError,
  );
  assertEquals(error.code, "protocol");
  assertEquals(taken, 1);
});
