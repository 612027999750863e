/**
 * Streams that a helper opens to a peer: senders that have come to a host, and
 * questions whether we are still there. All of a connection are taken here, as
 * only the first message says what a stream is.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { Conn } from "../transport/transport.ts";
import { type Channel, createChannel, within } from "./channel.ts";
import type { Caller } from "./client.ts";

/** What comes over one connection. */
export interface Calls {
  /** `welcome` hears of senders that come from now on, until it is taken back. */
  host(welcome: (caller: Caller) => void): () => void;
}

/** How long the helper may take to say what a stream is for, ms. */
const WORD_MS = 10_000;

/** Takes what comes over `conn`, until it is gone. */
export function takeCalls(conn: Conn, clock: Clock): Calls {
  const over = new AbortController();
  let welcome: ((caller: Caller) => void) | undefined;

  const hear = async (channel: Channel): Promise<void> => {
    const first = await within(channel.read(), WORD_MS, "", clock, over.signal)
      .catch(() => undefined); // a caller that is none is not heard
    if (first?.type === "joined" && welcome !== undefined) {
      const observed = conn.carrier === "tcp" ? "" : first.observed;
      return welcome({ channel, nonce: first.nonce, observed });
    }
    if (first?.type === "ping") {
      await channel.write({ type: "pong" }).catch(() => {}); // it is gone
    }
    await channel.close();
  };
  const run = async (): Promise<void> => {
    try {
      for (;;) {
        const stream = await conn.acceptBidi();
        if (stream === undefined) break;
        hear(createChannel(stream)); // never rejects
      }
    } catch { // lost: whoever uses it sees it too
    }
    over.abort();
  };
  run();

  return {
    host(mine) {
      welcome = mine;
      return () => {
        if (welcome === mine) welcome = undefined;
      };
    },
  };
}
