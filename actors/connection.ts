/**
 * The connection actor: gets the peer once and holds what comes of it.
 *
 * It knows nothing of retries. When the peer cannot be had or is lost it fails
 * with that error, and its supervisor decides when the next life begins.
 *
 * @module
 */
import { type Behavior, unreachable } from "../core/actor.ts";
import { type ErrorCode, SftpxError } from "../core/errors.ts";
import type { Address } from "../core/mailbox.ts";
import type { CloseInfo, Conn } from "../transport/transport.ts";
import { closeError } from "./close_error.ts";

/** What comes of getting a peer: a connection on which both have said hello. */
export interface Link {
  readonly conn: Conn;
}

/** What a connection can be told. */
export type ConnectionMessage<L extends Link> =
  | { readonly type: "opened"; readonly link: L }
  /** The peer has come over another connection: this one is of no use any more. */
  | { readonly type: "replaced" };

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
}

/** Creates one life of a connection. */
export function connection<L extends Link>(
  deps: ConnectionDeps<L>,
): Behavior<ConnectionMessage<L>> {
  let conn: Conn | undefined;
  return {
    start(cx) {
      cx.spawn(async (signal) => {
        const link = await deps.link(signal);
        conn = link.conn;
        await cx.self.send({ type: "opened", link }, signal);
      });
    },
    async receive(message, cx) {
      switch (message.type) {
        case "opened": {
          const { link } = message;
          cx.log.event("connection.up", { remote: link.conn.remote });
          cx.spawn(async () => judgeClose(await link.conn.closed));
          await deps.scheduler.send({ type: "connected", link }, cx.signal);
          await deps.migration().send({ type: "connected", link }, cx.signal);
          return;
        }
        case "replaced":
          throw new SftpxError(
            "connection-lost",
            "Cannot go on: the peer came over another connection",
          );
        default:
          unreachable(message);
      }
    },
    stop() {
      const ending = deps.ending();
      conn?.close(ending?.code, ending?.reason);
    },
  };
}

/** A close by the peer ends this life: for good if it gave a reason, or until it is back. */
function judgeClose(info: CloseInfo): void {
  if (!info.remote) return;
  throw closeError(info) ??
    new SftpxError("connection-lost", "Cannot go on: the peer left");
}
