/**
 * A helper as a peer sees it: one connection, and a stream for each request.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { codeOf, type ErrorCode, SftpxError } from "../core/errors.ts";
import type { Conn, Dialer } from "../transport/transport.ts";
import { type Channel, createChannel, within } from "./channel.ts";
import { type Calls, takeCalls } from "./client_calls.ts";
import type { EndReason, Message } from "./messages.ts";
import type { Role } from "./types.ts";

/** A helper. */
export interface HelperClient {
  /** Asks for a free slot, and waits there as the sender. */
  allocate(nonce: Uint8Array, signal: AbortSignal): Promise<Waiting>;
  /** Goes to a slot. */
  claim(
    role: Role,
    slot: number,
    nonce: Uint8Array,
    signal: AbortSignal,
  ): Promise<Waiting>;
  /** Goes to a meeting, as a sender. */
  join(
    id: Uint8Array,
    nonce: Uint8Array,
    signal: AbortSignal,
  ): Promise<Waiting>;
  /**
   * Is the host of a meeting until the helper or `signal` ends it. `welcome` is
   * told of each sender that comes, over a channel of its own.
   *
   * @throws {SftpxError} with why it ended.
   */
  host(
    id: Uint8Array,
    welcome: (caller: Caller) => void,
    waiting: (observed: string) => void,
    signal: AbortSignal,
  ): Promise<never>;
  /** The helper's address as we reached it; `undefined` without a connection. */
  readonly remote: string | undefined;
  /** Leaves the helper; resolves when it has been told, or could have been. */
  close(): Promise<void>;
}

/** Somebody has to be waited for, or is there. */
export interface Waiting {
  readonly channel: Channel;
  /** Where we are; 0 for a meeting. */
  readonly slot: number;
  /** The address of our UDP socket as the helper sees it; empty where it does not. */
  readonly observed: string;
  /**
   * What the other says once.
   *
   * @throws {SftpxError} when nobody comes.
   */
  met(): Promise<Uint8Array>;
}

/** A sender that has come to a host. */
export interface Caller {
  readonly channel: Channel;
  readonly nonce: Uint8Array;
  /** The address of our UDP socket as the helper sees it now; empty where it does not. */
  readonly observed: string;
}

/** A request that was taken. */
interface Asked {
  readonly channel: Channel;
  readonly slot: number;
  readonly observed: string;
  /** Ends the listening for an abort. */
  readonly release: () => void;
}

/** A connection to a helper. */
interface Line {
  readonly conn: Conn;
  readonly calls: Calls;
}

/** How long a helper may take to answer, ms. */
const ANSWER_MS = 10_000;

/** How long the last words take to go out, ms: they do not while the process ends. */
const FAREWELL_MS = 50;

/** What the end of a request means. */
const ENDS: Readonly<Record<EndReason, readonly [ErrorCode, string]>> = {
  expired: ["unreachable", "nobody came in time, and the code is no good now"],
  burnt: [
    "unauthorized",
    "the code is burnt, as somebody came with wrong words",
  ],
  gone: ["connection-lost", "the other left"],
  full: ["peer-busy", "the helper is full"],
  taken: ["duplicate", "another has taken this place"],
  limited: ["peer-busy", "the helper has had too much of this address"],
  stopping: ["unreachable", "the helper stops"],
  excess: ["protocol", "the helper will pass on no more"],
  used: ["unauthorized", "the code has been used, and is good for one time"],
};

/** What the helper ended a request with. */
export function endError(reason: EndReason): SftpxError {
  const [code, why] = ENDS[reason];
  return new SftpxError(code, `Cannot meet the other side: ${why}`);
}

/** Makes a client of the helper that `dialer` gets; it is dialed when first asked for something. */
export function createHelperClient(dialer: Dialer, clock: Clock): HelperClient {
  let current: Promise<Line> | undefined;
  let remote: string | undefined;

  const connect = (signal: AbortSignal): Promise<Line> => {
    if (current !== undefined) return current;
    const mine = current = dialer.dial(signal)
      .then((conn) => ({ conn, calls: takeCalls(conn, clock) }));
    const forget = (): void => {
      if (current === mine) current = remote = undefined;
    };
    mine.then(({ conn }) => {
      remote = conn.remote;
      conn.closed.then(forget, forget);
    }, forget);
    return mine;
  };

  /** Says `message` on a new stream, and hears the first answer. */
  const ask = async (
    message: Message,
    signal: AbortSignal,
  ): Promise<Asked> => {
    const { conn } = await connect(signal);
    const opening = conn.openBidi().then(createChannel);
    const channel = await within(opening, ANSWER_MS, SILENT, clock, signal)
      .catch(async (error) => {
        throw await reasonOf(conn, error, clock);
      });
    const abort = (): void => {
      channel.close(); // never rejects
    };
    signal.addEventListener("abort", abort, { once: true });
    const release = (): void => signal.removeEventListener("abort", abort);
    try {
      const answer = await within(
        channel.write(message).then(() => channel.read()),
        ANSWER_MS,
        SILENT,
        clock,
        signal,
      );
      if (answer === undefined) throw endError("gone");
      if (answer.type === "end") throw endError(answer.reason);
      if (answer.type !== "waiting") throw odd(answer);
      const observed = conn.carrier === "tcp" ? "" : answer.observed;
      return { channel, slot: answer.slot, observed, release };
    } catch (error) {
      release();
      channel.close(); // not waited for: nobody may be there to hear it
      signal.throwIfAborted();
      throw await reasonOf(conn, error, clock);
    }
  };

  const meet = async (
    message: Message,
    signal: AbortSignal,
  ): Promise<Waiting> => {
    const { channel, slot, observed, release } = await ask(message, signal);
    return {
      channel,
      slot,
      observed,
      async met() {
        try {
          const next = await channel.read();
          if (next?.type === "paired") return next.nonce;
          throw next === undefined
            ? endError("gone")
            : next.type === "end"
            ? endError(next.reason)
            : odd(next);
        } catch (error) {
          channel.close();
          signal.throwIfAborted();
          throw error;
        } finally {
          release();
        }
      },
    };
  };

  return {
    allocate: (nonce, signal) => meet({ type: "allocate", nonce }, signal),
    claim: (role, slot, nonce, signal) =>
      meet({ type: "claim", role, slot, nonce }, signal),
    join: (id, nonce, signal) => meet({ type: "join", id, nonce }, signal),
    async host(id, welcome, waiting, signal) {
      const { calls } = await connect(signal);
      // Some may come before we hear that we are the host.
      const hosting = Promise.withResolvers<void>();
      const leave = calls.host((caller) => {
        hosting.promise.then(
          () => welcome(caller),
          () => caller.channel.close(),
        );
      });
      try {
        const { channel, observed, release } = await ask(
          { type: "host", id },
          signal,
        );
        try {
          waiting(observed);
          hosting.resolve();
          const next = await channel.read();
          signal.throwIfAborted();
          throw next?.type === "end" ? endError(next.reason) : endError("gone");
        } finally {
          release();
          channel.close();
        }
      } finally {
        leave();
        hosting.promise.catch(() => {}); // nobody may have come
        hosting.reject();
      }
    },
    get remote() {
      return remote;
    },
    async close() {
      if (current === undefined) return;
      current.then(({ conn }) => conn.close(), () => {});
      await clock.delay(FAREWELL_MS);
    },
  };
}

/** What a helper closed the connection with says more than that it is gone. */
async function reasonOf(
  conn: Conn,
  error: unknown,
  clock: Clock,
): Promise<unknown> {
  // One that does not answer is of no use: the next request dials anew.
  if (codeOf(error) === "unreachable") conn.close();
  if (codeOf(error) !== "connection-lost") return error;
  const over = new AbortController();
  const info = await Promise.race([
    conn.closed.catch(() => undefined),
    clock.delay(REASON_MS, over.signal).then(() => undefined, () => undefined),
  ]);
  over.abort();
  return info?.code === undefined
    ? error
    : new SftpxError(info.code, info.reason, error);
}

/** How long to wait for why a connection is gone, ms. */
const REASON_MS = 100;
const SILENT = "Cannot meet the other side: the helper does not answer";

function odd({ type }: Message): SftpxError {
  return new SftpxError("protocol", `Cannot accept ${type} from a helper`);
}
