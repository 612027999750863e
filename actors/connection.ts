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

/** What comes of getting a peer: a connection on which both have said hello. */
export interface Link {
  readonly conn: Conn;
}

/** What a connection can be told. */
export type ConnectionMessage<L extends Link> = {
  readonly type: "opened";
  readonly link: L;
};

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
        default:
          unreachable(message.type);
      }
    },
    stop() {
      const ending = deps.ending();
      conn?.close(ending?.code, ending?.reason);
    },
  };
}

/**
 * What a close by the peer means here. A peer that has trouble of its own, or
 * just left, may be back; one that named a reason meant it.
 */
function judgeClose({ code, reason, remote }: CloseInfo): void {
  if (!remote) return;
  if (code === undefined || code === "internal") {
    throw new SftpxError("connection-lost", "Cannot go on: the peer left");
  }
  throw new SftpxError(
    code,
    reason === "" ? `Cannot go on: the peer said "${code}"` : reason,
  );
}
