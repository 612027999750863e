/**
 * The connection actor: gets the peer once and holds what comes of it.
 *
 * It knows nothing of retries. When the peer cannot be had or is lost it fails
 * with that error, and its supervisor decides when the next life begins.
 *
 * @module
 */
import { type Behavior, type Context, unreachable } from "../core/actor.ts";
import { type ErrorCode, isRetryable, SftpxError } from "../core/errors.ts";
import type { Address } from "../core/mailbox.ts";
import type { CloseInfo, Conn } from "../transport/transport.ts";
import { closeError } from "./close_error.ts";

/** What comes of getting a peer: a connection on which both have said hello. */
export interface Link {
  readonly conn: Conn;
  /** Resolves when the peer has said its last word of greeting. @default {it has} */
  readonly accepted?: Promise<void>;
}

/** What a connection can be told. */
export type ConnectionMessage<L extends Link> =
  | { readonly type: "opened"; readonly link: L }
  /** The peer has come over another connection: this one is of no use any more. */
  | { readonly type: "replaced" }
  /** The peer at the other end of this says nothing, and answers nothing. */
  | { readonly type: "silent"; readonly conn: Conn };

/** What those hear who use it. */
export interface Connected<L extends Link> {
  readonly type: "connected";
  readonly link: L;
}

/** Why a session ends, for the last word to the peer. */
export interface Ending {
  readonly code: ErrorCode;
  readonly reason: string;
}

/** What a connection needs. */
export interface ConnectionDeps<L extends Link> {
  /** Gets the peer and says hello: a sender's dials, a receiver's waits. */
  readonly link: (signal: AbortSignal) => Promise<L>;
  readonly scheduler: Address<Connected<L>>;
  readonly migration: () => Address<Connected<L>>;
  /** Why this session ends, if it does; none when only this life does. */
  readonly ending: () => Ending | undefined;
  /** For those who dial: what to do when the peer falls silent. */
  readonly silence?: Silence<L>;
}

/**
 * A peer that is gone says nothing, and QUIC takes half a minute to call that a
 * loss. So one who hears nothing for a while tries another connection beside
 * the one it has, and takes whichever speaks first.
 */
export interface Silence<L extends Link> {
  /** Milliseconds since the peer was last heard. */
  readonly silentMs: () => number;
  /** How long a silence is one, ms. @default {SILENT_MS} */
  readonly limitMs?: () => number;
  /** Keeps a link for the next life. */
  readonly keep: (link: L) => void;
}

/** A peer that says nothing for this long may be gone, ms: it beats twice a second. */
export const SILENT_MS = 4000;
/** How often silence is looked for, ms. */
const LISTEN_MS = 250;
/** One that was heard since has spoken again, ms. */
const SPOKE_MS = 500;

/** Creates one life of a connection. */
export function connection<L extends Link>(
  deps: ConnectionDeps<L>,
): Behavior<ConnectionMessage<L>> {
  let conn: Conn | undefined;
  let beside: Promise<L | undefined> | undefined;
  const close = (): void => {
    const ending = deps.ending();
    conn?.close(ending?.code, ending?.reason);
  };
  const watch = (
    cx: Context<ConnectionMessage<L>>,
    { silentMs, limitMs = () => SILENT_MS, keep }: Silence<L>,
  ): void => {
    cx.spawn(async (signal) => {
      for (let lookedAt = cx.clock.now();;) {
        await cx.clock.delay(LISTEN_MS, signal);
        const sinceLookMs = Math.round(cx.clock.now() - lookedAt);
        lookedAt = cx.clock.now();
        const silent = silentMs();
        if (silent < limitMs()) continue;
        beside = dialBeside(deps.link, silentMs, cx, signal);
        const other = await beside;
        if (other === undefined) continue;
        cx.log.event("connection.silent", {
          silentMs: Math.round(silent),
          sinceLookMs,
        });
        keep(other);
        throw new SftpxError(
          "connection-lost",
          "Cannot hear the peer over this connection, and can over another",
        );
      }
    });
  };
  return {
    start(cx) {
      cx.spawn(async (signal) => {
        const link = await deps.link(signal);
        conn = link.conn;
        if (signal.aborted) return close(); // we have stopped already
        await cx.self.send({ type: "opened", link }, signal);
      });
    },
    async receive(message, cx) {
      switch (message.type) {
        case "opened": {
          const { link } = message;
          cx.log.event("connection.up", { remote: link.conn.remote });
          cx.spawn(async () => {
            try {
              judgeClose(await link.conn.closed);
            } catch (error) {
              // A receiver that has heard us on another connection closes this one.
              await beside?.catch(() => {});
              throw error;
            }
          });
          cx.spawn(async () => {
            await link.accepted;
            if (deps.silence !== undefined) watch(cx, deps.silence);
          });
          await deps.scheduler.send({ type: "connected", link }, cx.signal);
          await deps.migration().send({ type: "connected", link }, cx.signal);
          return;
        }
        case "replaced":
          throw new SftpxError(
            "connection-lost",
            "Cannot go on: the peer came over another connection",
          );
        case "silent":
          if (message.conn !== conn) return; // another has taken its place
          throw new SftpxError(
            "connection-lost",
            "Cannot go on: the peer says nothing, and answers nothing",
          );
        default:
          unreachable(message);
      }
    },
    stop: close,
  };
}

/** Tries another connection until the one there is speaks again; `undefined` when it does. */
async function dialBeside<L extends Link>(
  dial: (signal: AbortSignal) => Promise<L>,
  silentMs: () => number,
  { clock }: Context<ConnectionMessage<L>>,
  signal: AbortSignal,
): Promise<L | undefined> {
  const given = new AbortController();
  const either = AbortSignal.any([signal, given.signal]);
  const heard = (async (): Promise<undefined> => {
    while (silentMs() >= SPOKE_MS) await clock.delay(LISTEN_MS, either);
    return undefined;
  })();
  const dialled = dial(either).then(async (link) => {
    try {
      await link.accepted;
      return link;
    } catch (error) {
      link.conn.close();
      throw error;
    }
  });
  let link: L | undefined;
  try {
    link = await Promise.race([heard, dialled]);
    return link;
  } catch (error) {
    signal.throwIfAborted();
    if (isRetryable(error)) return undefined; // it is tried again
    throw error;
  } finally {
    given.abort();
    heard.catch(() => {});
    // One that comes too late is not left open.
    if (link === undefined) dialled.then(({ conn }) => conn.close(), () => {});
  }
}

/** A close ends this life: for good if the peer gave a reason, or until it is back. */
function judgeClose(info: CloseInfo): void {
  throw closeError(info) ?? new SftpxError(
    "connection-lost",
    // We close it only when this life is over, and then nobody asks.
    `Cannot go on: ${info.remote ? "the peer left" : "our socket is closed"}`,
  );
}
