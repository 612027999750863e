/**
 * The reception: lets peers in, hears who they are, and takes each to its
 * session, which it starts when there is none.
 *
 * A peer that stops half-way holds nothing but its place in a bounded number,
 * and that for a bounded time.
 *
 * @module
 */
import { type Behavior, type Context, unreachable } from "../core/actor.ts";
import { codeOf, SftpxError, sftpxErrorOf } from "../core/errors.ts";
import type { EventSink } from "../core/events.ts";
import type { Secret } from "../core/secret.ts";
import type { Conn } from "../transport/transport.ts";
import type { Door } from "./door.ts";
import { hearSender } from "./greeting.ts";
import type { ReceiveOutcome } from "./receive_scheduler.ts";
import type { ReceiveSession } from "./receive_session.ts";
import type { ReceiveLink } from "./receive_wire.ts";

/** What the reception can be told. */
export type ReceptionMessage =
  | { readonly type: "arrived"; readonly link: ReceiveLink }
  /** A session's sender was asked whether it is still there. */
  | {
    readonly type: "probed";
    readonly link: ReceiveLink;
    readonly session: ReceiveSession;
    readonly isThere: boolean;
  }
  | { readonly type: "ended"; readonly session: ReceiveSession };

/** What the reception needs. */
export interface ReceptionDeps {
  /** It outlives this reception. */
  readonly door: Door;
  /** Where only further connections come in. @default {none} */
  readonly sideDoor?: Door | undefined;
  readonly fingerprint: Uint8Array;
  readonly token: Secret | "open";
  readonly maxSessions: number;
  readonly start: (link: ReceiveLink, signal: AbortSignal) => ReceiveSession;
  /** A transfer ended, well or not. */
  readonly ended: (hex: string, result: ReceiveOutcome | SftpxError) => void;
  readonly emit: EventSink;
}

/**
 * Peers that may be saying who they are at a time. Then the oldest gives way: an
 * honest one needs its place for a round trip only.
 */
const MAX_GREETINGS = 256;
/** The same at side ports: what comes there takes no place from who comes first. */
const MAX_SIDE_GREETINGS = 64;
const CROWDED = new SftpxError(
  "peer-busy",
  "Cannot accept sender: too many are coming in",
);
/** A sender that is there and brings nothing makes room for others after this long, ms. */
const IDLE_MS = 600_000;
/** How long a peer that is turned away may take to hear why, ms. */
const REFUSAL_MS = 1000;

/** Peers that are saying who they are, by one door. */
interface Hall {
  readonly most: number;
  /** What ends each, the oldest first. */
  readonly greetings: Set<AbortController>;
  /** Only further connections may come in here. */
  readonly isSide: boolean;
}

function hall(most: number, isSide: boolean): Hall {
  return { most, isSide, greetings: new Set() };
}

/** Creates one life of a reception. */
export function reception(deps: ReceptionDeps): Behavior<ReceptionMessage> {
  const sessions = new Map<string, ReceiveSession>();
  const leaving = new Set<ReceiveSession>(); // they still have their disk

  const greet = async (
    conn: Conn,
    { greetings, isSide }: Hall,
    cx: Context<ReceptionMessage>,
  ): Promise<void> => {
    const own = new AbortController();
    greetings.add(own);
    try {
      const link = await hearSender(
        conn,
        { ...deps, clock: cx.clock, isSide },
        AbortSignal.any([cx.signal, own.signal]),
      );
      await cx.self.send({ type: "arrived", link }, cx.signal);
    } catch (error) {
      if (cx.signal.aborted) return conn.close();
      const code = codeOf(error);
      const reason = sftpxErrorOf(error)?.message ?? "";
      cx.log.event("reception.refused", { remote: conn.remote, code });
      if (code === "unauthorized") {
        deps.emit({
          type: "warning",
          message: `turned away ${conn.remote}: ${reason}`,
        });
      }
      conn.close(code, reason);
    } finally {
      greetings.delete(own);
    }
  };

  const refuse = (
    { conn, control }: ReceiveLink,
    error: SftpxError,
    cx: Context<ReceptionMessage>,
  ): void => {
    const { code, message: reason } = error;
    cx.log.event("reception.refused", { remote: conn.remote, code });
    cx.spawn(async (signal) => {
      const said = control.write({ type: "refuse", code, reason });
      const given = new AbortController();
      await Promise.race([
        said.then(() => conn.closed).catch(() => {}),
        cx.clock.delay(REFUSAL_MS, AbortSignal.any([signal, given.signal]))
          .catch(() => {}),
      ]);
      given.abort();
      conn.close(code, reason);
    });
  };

  /** Makes room for one more session, if there is any to be had. */
  const makeRoom = (cx: Context<ReceptionMessage>): boolean => {
    if (sessions.size - leaving.size < deps.maxSessions) return true;
    const staying = [...sessions.values()].filter((one) => !leaving.has(one));
    const away = staying.filter(({ awaySince }) => awaySince !== undefined)
      .toSorted((a, b) => (a.awaySince ?? 0) - (b.awaySince ?? 0));
    const idle = staying
      .filter(({ progressAt }) => cx.clock.now() - progressAt >= IDLE_MS)
      .toSorted((a, b) => a.progressAt - b.progressAt);
    const oldest = away[0] ?? idle[0];
    if (oldest === undefined) return false;
    leaving.add(oldest);
    oldest.leave();
    return true;
  };

  const open = (link: ReceiveLink, cx: Context<ReceptionMessage>): void => {
    if (!makeRoom(cx)) {
      const reason =
        `Cannot accept sender: ${deps.maxSessions} transfers are under way`;
      return refuse(link, new SftpxError("peer-busy", reason), cx);
    }
    const session = deps.start(link, cx.signal);
    sessions.set(session.hex, session);
    cx.spawn(async (signal) => {
      const result = await session.ended.catch((error: unknown) =>
        sftpxErrorOf(error) ?? new SftpxError("internal", String(error), error)
      );
      // Told here, as word of it may be lost with this life.
      const isOver = !(result instanceof SftpxError) || !signal.aborted;
      if (isOver) deps.ended(session.hex, result);
      await cx.self.send({ type: "ended", session }, signal);
    });
  };

  const arrived = (link: ReceiveLink, cx: Context<ReceptionMessage>): void => {
    const session = sessions.get(link.hello.session.toHex());
    if (link.hello.extra) {
      if (session !== undefined) return session.join(link);
      return link.conn.close("peer-busy", "Cannot join: nothing is under way");
    }
    if (session === undefined) return open(link, cx);
    if (leaving.has(session)) {
      cx.spawn(async (signal) => {
        await session.ended.catch(() => {});
        await cx.self.send({ type: "arrived", link }, signal);
      });
      return;
    }
    const isSame = session.life === link.hello.life.toHex();
    if (isSame || session.awaySince !== undefined) return session.take(link);
    // Another process says it is the same send. The one we have may be dead.
    cx.spawn(async (signal) => {
      const isThere = await session.probe(signal);
      await cx.self.send({ type: "probed", link, session, isThere }, signal);
    });
  };

  const letIn = (
    door: Door,
    hall: Hall,
    cx: Context<ReceptionMessage>,
  ): void =>
    cx.spawn(async (signal) => {
      for (;;) {
        const conn = await door.next(signal);
        if (conn === undefined) {
          throw new SftpxError("internal", "Cannot listen: the socket closed");
        }
        const [oldest] = hall.greetings;
        if (oldest && hall.greetings.size >= hall.most) {
          hall.greetings.delete(oldest); // at once: the next evicts another
          oldest.abort(CROWDED);
        }
        cx.spawn(() => greet(conn, hall, cx));
      }
    });

  return {
    start(cx) {
      letIn(deps.door, hall(MAX_GREETINGS, false), cx);
      const { sideDoor } = deps;
      if (sideDoor) letIn(sideDoor, hall(MAX_SIDE_GREETINGS, true), cx);
    },
    receive(message, cx) {
      switch (message.type) {
        case "arrived":
          arrived(message.link, cx);
          return;
        case "probed": {
          const { link, session, isThere } = message;
          if (sessions.get(session.hex) !== session) return arrived(link, cx);
          if (!isThere) return session.take(link);
          const reason = "Cannot send: the same send is running already";
          refuse(link, new SftpxError("duplicate", reason), cx);
          return;
        }
        case "ended": {
          const { session } = message;
          sessions.delete(session.hex);
          leaving.delete(session);
          return;
        }
        default:
          unreachable(message);
      }
    },
    async stop() {
      // They end with our signal; their disks may take a moment.
      await Promise.allSettled(
        [...sessions.values()].map(({ ended }) => ended),
      );
    },
  };
}
