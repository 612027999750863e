/** A sender's scheduler that was begun anew. */
import { assertEquals } from "@std/assert";
import {
  sendScheduler,
  type SendSchedulerDeps,
  type SendSchedulerMessage,
} from "../../actors/send_scheduler.ts";
import type { SendLink } from "../../actors/send_wire.ts";
import type { Context } from "../../core/actor.ts";

Deno.test("a connection that greeted for a former life of the sender is closed, and no more", async () => {
  let closed = 0;
  const link = {
    conn: { close: () => void closed++ },
    hello: { life: new Uint8Array(16).fill(1) },
    // What the receiver goes on with, and this life knows nothing of.
    welcome: { type: "welcome", continued: true, next: 10 },
  } as unknown as SendLink;
  const life = new Uint8Array(16).fill(2);
  const scheduler = sendScheduler({ life } as SendSchedulerDeps);
  const cx = {} as Context<SendSchedulerMessage>;
  await scheduler.receive({ type: "connected", link }, cx);
  assertEquals(closed, 1);
});
