/**
 * The first words of a connection, on both sides: who comes, with what proof,
 * and what is to be sent. No byte of a file is sent before they are over.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import { helloProof, verifyProof } from "../crypto/proof.ts";
import type { RandomBytes } from "../crypto/random.ts";
import {
  type ControlFrame,
  type Hello,
  type Offer,
  VERSION,
} from "../protocol/control.ts";
import type { SenderRules } from "../protocol/session.ts";
import type { Conn } from "../transport/transport.ts";
import { closeError } from "./close_error.ts";
import { type ControlChannel, controlChannel } from "./frames.ts";
import type { ReceiveLink } from "./receive_wire.ts";
import type { SendLink } from "./send_wire.ts";

/** Who greets, and what for. */
export interface SenderGreeting {
  readonly session: Uint8Array;
  readonly life: Uint8Array;
  /** Counts the dials of this life. */
  readonly attempt: number;
  /** SHA-256 of the receiver's certificate. */
  readonly fingerprint: Uint8Array;
  readonly token: Secret | undefined;
  readonly offer: Offer;
  /** What is said first. @default {it is made} */
  readonly hello?: Promise<Hello>;
  /** For how many ports to ask at once. @default {none} */
  readonly ports?: (conn: Conn, tripMs: number) => number;
  readonly randomBytes: RandomBytes;
  readonly clock: Clock;
}

/** Round trips from here on leave time to do something meanwhile, ms; the first ones take up to 8 on one machine. */
export const FAR_MS = 10;
/** How long the peer may take over each of its first words, ms. */
export const GREETING_MS = 15_000;
/** How long to wait for the reason of a connection that broke off, ms. */
const REASON_MS = 100;

/**
 * Greets a receiver and makes it an offer. What is sent may be said at once: the
 * answer is waited for by `accepted` of what is returned.
 *
 * @throws {SftpxError} with the receiver's reason when it refuses.
 */
export async function greetReceiver(
  conn: Conn,
  greeting: SenderGreeting,
  signal: AbortSignal,
): Promise<SendLink> {
  const { offer, clock } = greeting;
  const hello = await (greeting.hello ?? makeHello(greeting, 0));
  try {
    const control = controlChannel(await conn.openBidi());
    const saidAt = clock.now();
    await control.write(hello);
    const welcome = await answer(conn, control, clock, signal);
    if (welcome.type !== "welcome") throw unexpected(welcome);
    const offeredAt = clock.now();
    await control.write(offer); // not before: who turns us away learns no names
    const portsWanted = greeting.ports?.(conn, offeredAt - saidAt) ?? 0;
    if (portsWanted > 0) {
      const [carrier, count] = ["quic" as const, portsWanted];
      await control.write({ type: "want-ports", carrier, count });
    }
    let tripMs = offeredAt - saidAt;
    const accepted = hearAccept(conn, control, clock, signal).then(() => {
      tripMs = Math.min(tripMs, clock.now() - offeredAt);
    });
    accepted.catch(() => {}); // who holds the connection hears of it
    return {
      ...{ conn, control, hello, welcome, offer, portsWanted, accepted },
      get tripMs() {
        return tripMs;
      },
    };
  } catch (error) {
    throw await reasonOf(conn, error, clock);
  }
}

/** Waits until the offer is accepted. */
async function hearAccept(
  conn: Conn,
  control: ControlChannel,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  try {
    const accept = await answer(conn, control, clock, signal);
    if (accept.type !== "accept") throw unexpected(accept);
  } catch (error) {
    throw await reasonOf(conn, error, clock);
  }
}

/** Makes what is said first over a first connection, while that is dialled. */
export function prepareHello(
  greeting: Omit<SenderGreeting, "offer">,
): Promise<Hello> {
  const hello = makeHello(greeting, 0);
  hello.catch(() => {}); // who says it hears of it
  return hello;
}

/** Tells the rules what was said and heard until now, in a new connection. */
export function recallGreeting(link: SendLink, rules: SenderRules): void {
  rules.connect();
  rules.saidControl(link.hello);
  rules.heardControl(link.welcome);
  rules.saidControl(link.offer);
  rules.heardControl({ type: "accept" }); // or all that follows is in vain
  const count = link.portsWanted;
  // The receiver hears it once it has accepted.
  if (count > 0) {
    rules.saidControl({ type: "want-ports", carrier: "quic", count });
  }
}

/**
 * Greets a receiver over a further connection of a session, for lanes only.
 *
 * @param connection Its number, 1 or more.
 * @throws {SftpxError} with the receiver's reason when it refuses.
 */
export async function greetAgain(
  conn: Conn,
  greeting: Omit<SenderGreeting, "offer">,
  connection: number,
  signal: AbortSignal,
): Promise<void> {
  const hello = await makeHello(greeting, connection);
  try {
    const control = controlChannel(await conn.openBidi());
    await control.write(hello);
    const welcome = await answer(conn, control, greeting.clock, signal);
    if (welcome.type !== "welcome") throw unexpected(welcome);
  } catch (error) {
    throw await reasonOf(conn, error, greeting.clock);
  }
}

async function makeHello(
  greeting: Omit<SenderGreeting, "offer">,
  connection: number,
): Promise<Hello> {
  const { session, life, attempt, fingerprint, token } = greeting;
  const nonce = greeting.randomBytes(16);
  const proven = { fingerprint, session, life, nonce, attempt, connection };
  const key = token?.reveal() ?? new Uint8Array();
  const proof = await helloProof(key, proven);
  const extra = connection > 0;
  return { type: "hello", version: VERSION, extra, proof, ...proven };
}

/**
 * Hears who comes. Nothing but this is read, kept or answered before the sender
 * has proved that it holds the token.
 *
 * @throws {SftpxError} `unauthorized` when the proof is wrong.
 */
export async function hearSender(
  conn: Conn,
  options: {
    readonly fingerprint: Uint8Array;
    readonly token: Secret | "open";
    readonly clock: Clock;
    /** It came where only further connections may come in. */
    readonly isSide?: boolean;
  },
  signal: AbortSignal,
): Promise<ReceiveLink> {
  const { fingerprint, token, clock, isSide = false } = options;
  const early = conn.acceptUni();
  const none = noneYet(early);
  none.catch(() => {});
  const begun = Promise.race([conn.acceptBidi(), none]);
  const stream = await bounded(begun, clock, signal);
  if (stream === undefined) {
    throw new SftpxError("connection-lost", "Cannot hear the sender: it left");
  }
  const control = controlChannel(stream);
  const first = Promise.race([control.read(), none]);
  const hello = await bounded(first, clock, signal);
  if (hello?.type !== "hello" || hello.extra !== (hello.connection > 0)) {
    throw new SftpxError(
      "protocol",
      "Cannot accept sender: it did not say hello",
    );
  }
  if (isSide && !hello.extra) {
    throw new SftpxError(
      "protocol",
      "Cannot accept sender: only further connections come in by this port",
    );
  }
  if (token !== "open") {
    const proven = { ...hello, fingerprint };
    if (!await verifyProof(token.reveal(), proven, hello.proof)) {
      throw new SftpxError(
        "unauthorized",
        "Cannot accept sender: it does not have this receiver's token",
      );
    }
  }
  return { conn, control, hello, early };
}

/**
 * A sender opens streams when it is welcome. What it sends on them before waits
 * in memory, and nobody knows yet who it is.
 */
async function noneYet(early: Promise<unknown>): Promise<never> {
  if (await early.catch(() => undefined) === undefined) {
    return await new Promise<never>(() => {}); // it left: others see that
  }
  throw new SftpxError(
    "protocol",
    "Cannot accept sender: it opened a stream before it said hello",
  );
}

/** Waits for the next control frame of a receiver. */
async function answer(
  conn: Conn,
  control: ControlChannel,
  clock: Clock,
  signal: AbortSignal,
): Promise<ControlFrame> {
  for (;;) {
    const frame = await bounded(control.read(), clock, signal);
    if (frame === undefined) {
      throw new SftpxError(
        "connection-lost",
        `Cannot hear ${conn.remote}: it ended the conversation`,
      );
    }
    if (frame.type === "refuse" || frame.type === "cancel") {
      throw new SftpxError(frame.code, frame.reason);
    }
    if (frame.type !== "ping") return frame;
    // Another process says that it is us: we are there, too.
    await control.write({ type: "pong", id: frame.id });
  }
}

function unexpected({ type }: ControlFrame): SftpxError {
  return new SftpxError("protocol", `Cannot accept ${type} from a receiver`);
}

/** Waits for a peer's word, as long as a peer may take. */
async function bounded<T>(
  word: Promise<T>,
  clock: Clock,
  signal: AbortSignal,
): Promise<T> {
  const done = new AbortController();
  const either = AbortSignal.any([signal, done.signal]);
  const late = clock.delay(GREETING_MS, either).then(() => {
    throw new SftpxError(
      "unreachable",
      `Cannot hear the peer: it said nothing for ${GREETING_MS / 1000} s`,
    );
  });
  late.catch(() => {});
  word.catch(() => {});
  try {
    return await Promise.race([word, late]);
  } finally {
    done.abort();
  }
}

/** What a broken connection was closed with says more than that it broke. */
async function reasonOf(
  conn: Conn,
  error: unknown,
  clock: Clock,
): Promise<unknown> {
  if (!(error instanceof SftpxError) || error.code !== "connection-lost") {
    return error;
  }
  const given = new AbortController();
  const info = await Promise.race([
    conn.closed.catch(() => undefined),
    clock.delay(REASON_MS, given.signal).then(() => undefined, () => undefined),
  ]);
  given.abort();
  return closeError(info) ?? error;
}
