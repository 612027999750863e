/**
 * What may follow what on the control stream of one connection.
 *
 * ```text
 * new ──HELLO──▶ greeted ──WELCOME──▶ welcome ──OFFER──▶ offered ──ACCEPT──▶ open
 *                   │                                       │                 │
 *                   └────────────────REFUSE─────────────────┴──▶ over      RECEIPT
 *                                                                 ▲           │
 *                                                                 └─ACK── receipted
 * ```
 *
 * PING, PONG, PAUSE and RESUME may come from either side from `welcome` on, and
 * CANCEL from `greeted` on. A further connection stays at `welcome`. WANT_PORTS
 * may come from `open` on, each for more of its carrier than the one before, and
 * PORTS answers.
 *
 * @module
 */
import type { ErrorCode } from "../core/errors.ts";
import { SftpxError } from "../core/errors.ts";
import type { ControlFrame } from "./control.ts";

/** Who says a frame. */
export type Side = "sender" | "receiver";

/** How far the conversation of one connection has come. */
export type Phase =
  | "new"
  | "greeted"
  | "welcome"
  | "offered"
  | "open"
  | "receipted"
  | "over";

/** What to do with what was heard: `drop` is legal and means nothing any more. */
export type Answer = "take" | "drop";

/** Throws for a broken rule. */
export type Fail = (reason: string) => never;

/** The rules of one connection's control stream. */
export interface Handshake {
  readonly phase: Phase;
  /**
   * Makes sure that the peer may say this now.
   *
   * @throws {SftpxError} `protocol` when it may not.
   */
  heard(frame: ControlFrame): Answer;
  /**
   * Makes sure that we may say this now.
   *
   * @throws {SftpxError} `internal` when we may not.
   */
  said(frame: ControlFrame): void;
}

type Turn = readonly [from: Phase, by: Side, to: Phase];

const TURNS: Readonly<
  Partial<Record<ControlFrame["type"], readonly Turn[]>>
> = {
  "hello": [["new", "sender", "greeted"]],
  "welcome": [["greeted", "receiver", "welcome"]],
  "refuse": [["greeted", "receiver", "over"], ["offered", "receiver", "over"]],
  "offer": [["welcome", "sender", "offered"]],
  "accept": [["offered", "receiver", "open"]],
  "receipt": [["open", "receiver", "receipted"]],
  "receipt-ack": [["receipted", "sender", "over"]],
  "want-ports": [
    ["open", "sender", "open"],
    ["receipted", "sender", "receipted"],
  ],
  "ports": [
    ["open", "receiver", "open"],
    ["receipted", "receiver", "receipted"],
  ],
};
/** Pings that may wait for their answer; more are a peer that does not read. */
const MAX_PINGS = 64;

/**
 * Creates the rules of one connection, as one side sees them.
 *
 * @param us Which side we are.
 */
export function handshake(us: Side): Handshake {
  const them = us === "sender" ? "receiver" : "sender";
  let phase: Phase = "new";
  let overBy: Side | undefined;
  let extra = false;
  const paused = new Set<Side>();
  const pings = new Set<number>();
  const ports = {
    quic: { wanted: 0, unanswered: 0 },
    tcp: { wanted: 0, unanswered: 0 },
  };

  function turn(frame: ControlFrame, by: Side, fail: Fail): void {
    const { type } = frame;
    const illegal = (): never =>
      fail(`${type.toUpperCase()} by the ${by} cannot follow in "${phase}"`);
    if (type === "cancel") {
      if (phase === "new" || phase === "over") illegal();
      over(by);
      return;
    }
    const turns = TURNS[type];
    if (turns === undefined) {
      if (phase === "new" || phase === "greeted" || phase === "over") illegal();
      if (type === "pause") paused.add(by);
      if (type === "resume" && !paused.delete(by)) illegal();
      return;
    }
    const next = turns.find(([from, side]) => from === phase && side === by) ??
      illegal();
    if (frame.type === "hello") extra = frame.extra;
    if (frame.type === "offer" && extra) illegal();
    if (frame.type === "want-ports") {
      const of = ports[frame.carrier];
      const { count } = frame;
      if (count <= of.wanted) fail(`${of.wanted} ports were wanted before`);
      of.wanted = count;
      of.unanswered++;
    }
    if (frame.type === "ports") {
      const of = ports[frame.carrier];
      const { length } = frame.ports;
      if (of.unanswered === 0) fail("nobody wanted ports");
      if (length > of.wanted) fail(`only ${of.wanted} ports were wanted`);
      of.unanswered--;
    }
    if (next[2] === "over") over(by);
    phase = next[2];
  }
  function over(by: Side): void {
    phase = "over";
    overBy = by;
  }

  return {
    get phase() {
      return phase;
    },
    heard(frame) {
      // What crossed our own last word is not a mistake of theirs.
      if (phase === "over" && overBy === us) return "drop";
      turn(frame, them, failHeard);
      if (frame.type === "pong" && !pings.delete(frame.id)) {
        failHeard(`PONG ${frame.id} answers no PING`);
      }
      return "take";
    },
    said(frame) {
      turn(frame, us, failSaid);
      if (frame.type !== "ping") return;
      if (pings.size === MAX_PINGS) failSaid(`${MAX_PINGS} PINGs wait`);
      pings.add(frame.id);
    },
  };
}

/** Throws for a rule the peer broke. */
export function failHeard(reason: string): never {
  return fail("protocol", `Cannot take what the peer says: ${reason}`);
}

/** Throws for a rule we were about to break. */
export function failSaid(reason: string): never {
  return fail("internal", `Cannot say this: ${reason}`);
}

function fail(code: ErrorCode, message: string): never {
  throw new SftpxError(code, message);
}
