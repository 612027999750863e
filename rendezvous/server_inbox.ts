/**
 * Messages of a peer at a helper, of which the next can be looked at and left: a
 * peer that waits has one read pending, which is whoever's that comes to it.
 *
 * @module
 */
import type { Channel } from "./channel.ts";
import type { Message } from "./messages.ts";
import type { Inbox } from "./server_world.ts";

/** Makes an inbox of what comes over `channel`. */
export function createInbox(channel: Channel): Inbox {
  let next: Promise<Message | undefined> | undefined;
  const peek = (): Promise<Message | undefined> => {
    if (next === undefined) {
      next = channel.read();
      next.catch(() => {}); // whoever takes it hears of it
    }
    return next;
  };
  return {
    channel,
    peek,
    take() {
      const taken = peek();
      next = undefined;
      return taken;
    },
  };
}
