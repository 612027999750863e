/**
 * Joins TCP connections of introduced peers, for those whose network drops UDP.
 *
 * A connection begins with the 16 bytes of its side's cookie. The receiver keeps
 * a few that wait; each of the sender's is joined with one of them. What they say
 * is TLS between the two, of which the helper has no key.
 *
 * @module
 */
import { toHex } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import { createRateLimiter } from "../core/rate.ts";
import { perAddress } from "./per_address.ts";
import type { RelayBudget } from "./relay_budget.ts";
import { readExactly, splice, type TcpLine } from "./tcp_splice.ts";

/** Bytes of a cookie. */
export const COOKIE_BYTES = 16;

/** A pair that may be joined. */
export interface TcpPair {
  readonly senderCookie: Uint8Array;
  readonly receiverCookie: Uint8Array;
  readonly budget: RelayBudget;
  readonly bytesPerSecond: number;
  readonly onPassed: (bytes: number) => void;
}

/** Where pairs are joined. */
export interface RelayTcp {
  readonly port: number;
  /** Lets a pair in until `signal` aborts, which ends its connections too. */
  admit(pair: TcpPair, signal: AbortSignal): void;
  close(): void;
}

/** What it needs. */
export interface RelayTcpDeps {
  readonly listener: Deno.TcpListener;
  readonly clock: Clock;
}

/** A cookie must have come by then, ms. */
const COOKIE_MS = 5000;
/** The sender's connections wait so long for the receiver's, ms. */
const SENDER_WAITS_MS = 15_000;
/** Connections that have not said a cookie, all together. */
const MAX_STRANGERS = 256;
/** Connections of one side that wait, and those that are joined. */
const MAX_WAITING = 32;
const MAX_JOINED = 128;

/** Listens for connections to be joined. */
export function relayTcp({ listener, clock }: RelayTcpDeps): RelayTcp {
  const sides = new Map<string, Side>();
  const strangers = new Set<Deno.TcpConn>();
  const visits = perAddress({ perSecond: 10, burst: 200 }, clock);

  const greet = async (conn: Deno.TcpConn): Promise<void> => {
    strangers.add(conn);
    const over = new AbortController();
    clock.delay(COOKIE_MS, over.signal).then(() => closeLine(conn), () => {});
    try {
      const cookie = await readExactly(conn, COOKIE_BYTES);
      const side = cookie && sides.get(toHex(cookie));
      if (side === undefined) return closeLine(conn);
      conn.setNoDelay(true);
      side.come(conn);
    } catch {
      closeLine(conn); // it left
    } finally {
      strangers.delete(conn);
      over.abort();
    }
  };
  const serve = async (): Promise<void> => {
    for await (const conn of listener) {
      const { hostname } = conn.remoteAddr;
      if (strangers.size >= MAX_STRANGERS || !visits.take(hostname)) {
        closeLine(conn);
      } else greet(conn); // never rejects
    }
  };
  serve().catch(() => {}); // closed

  return {
    port: listener.addr.port,
    admit(pair, signal) {
      const { senderCookie, receiverCookie } = pair;
      const keys = [toHex(senderCookie), toHex(receiverCookie)] as const;
      const meeting = meetingOf(pair, clock, signal);
      sides.set(keys[0], meeting.sender);
      sides.set(keys[1], meeting.receiver);
      const gone = (): void => {
        for (const key of keys) sides.delete(key);
        meeting.close();
      };
      signal.addEventListener("abort", gone, { once: true });
      if (signal.aborted) gone();
    },
    close() {
      try {
        listener.close();
      } catch {
        // closed already
      }
      for (const conn of strangers) closeLine(conn);
    },
  };
}

interface Side {
  come(line: TcpLine): void;
}

interface Meeting {
  readonly sender: Side;
  readonly receiver: Side;
  close(): void;
}

/** A connection that waits, and what it says meanwhile. */
interface Waiting {
  readonly line: TcpLine;
  readonly first: Promise<Uint8Array | undefined>;
}

/** Where the connections of a pair find each other. */
function meetingOf(
  { budget, bytesPerSecond, onPassed }: TcpPair,
  clock: Clock,
  signal: AbortSignal,
): Meeting {
  const senders = new Set<Waiting>();
  const receivers = new Set<Waiting>();
  const limiter = createRateLimiter(bytesPerSecond, clock);
  let joined = 0;

  const meet = (): void => {
    const [sender] = senders;
    const [receiver] = receivers;
    if (sender === undefined || receiver === undefined) return;
    if (joined >= MAX_JOINED) return;
    senders.delete(sender);
    receivers.delete(receiver);
    joined++;
    join(sender, receiver).finally(() => {
      joined--;
      meet();
    });
    meet();
  };
  const join = async (sender: Waiting, receiver: Waiting): Promise<void> => {
    const first = await sender.first;
    if (first === undefined) {
      // It left before it said anything: the receiver's can serve another.
      closeLine(sender.line);
      receivers.add(receiver);
      return;
    }
    await splice(sender.line, withFirst(receiver), {
      limiter,
      first,
      signal,
      onBytes(bytes) {
        onPassed(bytes);
        return budget.spend(bytes);
      },
    });
  };
  const wait = (waiting: Set<Waiting>, line: TcpLine): Waiting | undefined => {
    if (waiting.size >= MAX_WAITING || signal.aborted) {
      closeLine(line);
      return undefined;
    }
    const here = { line, first: firstOf(line) };
    waiting.add(here);
    return here;
  };
  const leave = (waiting: Set<Waiting>, here: Waiting): void => {
    if (waiting.delete(here)) closeLine(here.line);
  };
  return {
    sender: {
      come(line) {
        const here = wait(senders, line);
        if (here === undefined) return;
        meet();
        clock.delay(SENDER_WAITS_MS, signal)
          .then(() => leave(senders, here), () => {});
      },
    },
    receiver: {
      come(line) {
        const here = wait(receivers, line);
        if (here === undefined) return;
        // Who waits has nothing to say: a word, or the end, and it is dropped.
        here.first.then(() => leave(receivers, here));
        meet();
      },
    },
    close() {
      for (const { line } of [...senders, ...receivers]) closeLine(line);
      senders.clear();
      receivers.clear();
    },
  };
}

/** The first bytes of a line; `undefined` when it ended or broke. Never rejects. */
async function firstOf(line: TcpLine): Promise<Uint8Array | undefined> {
  const buffer = new Uint8Array(16 * 1024);
  try {
    const count = await line.read(buffer);
    return count === null ? undefined : buffer.subarray(0, count);
  } catch {
    return undefined;
  }
}

/** A line that was being listened to: what is heard first is not lost. */
function withFirst({ line, first }: Waiting): TcpLine {
  let pending: Promise<Uint8Array | undefined> | undefined = first;
  let rest = new Uint8Array(0);
  return {
    async read(into) {
      if (pending !== undefined) {
        const said = await pending;
        pending = undefined;
        if (said === undefined) return null;
        rest = new Uint8Array(said);
      }
      if (rest.length === 0) return await line.read(into);
      const count = Math.min(rest.length, into.length);
      into.set(rest.subarray(0, count));
      rest = rest.subarray(count);
      return count;
    },
    write: (bytes) => line.write(bytes),
    closeWrite: () => line.closeWrite(),
    close: () => line.close(),
  };
}

function closeLine(line: TcpLine): void {
  try {
    line.close();
  } catch {
    // closed already
  }
}
