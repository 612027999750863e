/**
 * What the rest of SFTPX knows of a network connection. `quic.ts` gives it over
 * Deno's QUIC, `memory.ts` within one process; both pass one contract suite.
 *
 * What every implementation promises:
 *
 * - `closed` never stays pending once the connection is gone: it resolves with
 *   how an application closed it (ours or the peer's), and rejects with
 *   `SftpxError("connection-lost")` on anything else. It is always handled, so
 *   that nobody must listen.
 * - Reads and writes on a connection that is gone reject with
 *   `SftpxError("connection-lost")`. The reason is in `closed` only.
 * - The end of a stream proves nothing: `readFully` resolves with fewer bytes
 *   than asked for at the end, and the caller judges. There is no reset.
 * - `write` resolves when the bytes are taken; the buffer must not change
 *   until then. A write to a peer that cancelled rejects with
 *   `connection-lost` too: there is no code in a cancel.
 * - A peer learns of a stream with its first byte or its end, not before.
 * - A stream that is not read to its end must be cancelled, or it takes one of
 *   the streams that a peer may have open.
 * - `close` loses what was written and has not arrived: who needs it there
 *   waits for the peer's word, not for `write` or `end`.
 *
 * @module
 */
import type { ErrorCode } from "../core/errors.ts";
import type { Path } from "../core/events.ts";

/** A stream that we write. */
export interface SendStream {
  /** Writes all of `bytes`, which must not change until this resolves. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends the stream after what was written. */
  end(): Promise<void>;
}

/** A stream that we read. */
export interface ReceiveStream {
  /**
   * Fills `view` from the stream. The buffer is transferred: use the view that
   * comes back. It is shorter than asked only where the stream ended.
   */
  readFully(view: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /** Reads at least one byte into `view`, or none at the end of the stream. */
  readSome(view: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /** Tells the peer that nobody reads on. */
  cancel(): Promise<void>;
}

/** Both directions of one stream. */
export interface BidiStream {
  /** What we write. */
  readonly send: SendStream;
  /** What the peer writes. */
  readonly receive: ReceiveStream;
}

/**
 * Packets by themselves (RFC 9221): what is lost is not sent again and holds up
 * nothing, and what comes may come twice or in another order.
 */
export interface Datagrams {
  /** Sends one of at most 1,000 bytes; resolves when it is taken. */
  send(bytes: Uint8Array): Promise<void>;
  /** The next one; `undefined` once the connection is gone. Who does not read loses the oldest. */
  receive(): Promise<Uint8Array | undefined>;
}

/** How an application closed a connection. */
export interface CloseInfo {
  /** The code of the table in `core/errors.ts`; `undefined` for a plain end or a number it does not have. */
  readonly code: ErrorCode | undefined;
  /** In words; may be empty. */
  readonly reason: string;
  /** True when the peer closed it. */
  readonly remote: boolean;
}

/** How a connection crosses the network. */
export type Carrier = "quic" | "tcp";

/** An open connection to one peer. */
export interface Conn {
  /** How it crosses the network; `undefined` within one process. */
  readonly carrier?: Carrier;
  /** How it reaches the peer; `undefined` where it was dialed by its address. */
  readonly path?: Path;
  /** `undefined` where what carries it has only streams. */
  readonly datagrams?: Datagrams;
  /** The peer's address as it is now, `host:port`: it changes when the peer moves. */
  readonly remote: string;
  /** How it ended. */
  readonly closed: Promise<CloseInfo>;
  /** Opens a stream of both directions. */
  openBidi(): Promise<BidiStream>;
  /** Opens a stream of one direction; higher priorities go first. */
  openUni(priority?: number): Promise<SendStream>;
  /** The next stream that the peer opened; `undefined` when the connection has been closed by an application. */
  acceptBidi(): Promise<BidiStream | undefined>;
  /** As `acceptBidi`, of the other kind. */
  acceptUni(): Promise<ReceiveStream | undefined>;
  /** Closes with a code of the table, or plainly. Unsent data is lost. Never throws. */
  close(code?: ErrorCode, reason?: string): void;
}

/** "Get me the peer": a sender's dials, a receiver's waits for it to come. */
export interface Dialer {
  /** Gets the peer, or fails with why not. */
  dial(signal: AbortSignal): Promise<Conn>;
}

/** Where peers come in. */
export interface Listener {
  /** The address that is bound, `host:port`. */
  readonly address: string;
  /** The next peer, its handshake done; `undefined` once the listener is closed. */
  accept(): Promise<Conn | undefined>;
  /** Lets nobody in any more. */
  close(): void;
}
