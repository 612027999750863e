/**
 * Two peers of one network find each other without a helper.
 *
 * One announces a port and a certificate (`lan_announce.ts`), the other dials
 * whoever announces, and says inside of that connection for which topic it has
 * come: the number of its code, which is public, or a meeting that both know of.
 * Only who has the same topic is asked about the words, so that others who send
 * on the same network cost nobody a guess. What comes of it is a stream between
 * the two, of which nobody has proved anything yet.
 *
 * The one who dials opens the stream and says version u8 (1) and topic[16]; the
 * other answers u8, 1 for "that is mine".
 *
 * @module
 */
import { concatBytes, equalBytes, toHex } from "../core/bytes.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import { type Log, nullLog } from "../core/log.ts";
import { Mailbox } from "../core/mailbox.ts";
import { formatAddress, type HostPort } from "../transport/address.ts";
import {
  createEndpoint,
  endpointPool,
  quicDialer,
  quicListener,
} from "../transport/quic.ts";
import type { BidiStream, Conn } from "../transport/transport.ts";
import { decodeAnnouncement, encodeAnnouncement } from "./lan_announce.ts";
import { type LanRadio, lanRadio } from "./lan_radio.ts";
import { perAddress } from "./per_address.ts";

/** A peer of the same network that has come for the same topic. */
export interface LanMeeting {
  readonly conn: Conn;
  /** To be spoken on by both: the PAKE comes next. */
  readonly stream: BidiStream;
  /** SHA-256 of the certificate of who announced, on `conn`. */
  readonly fingerprint: Uint8Array;
}

/** Who looks for whom. */
export interface LanOptions {
  /** Whether we announce, or dial who does. */
  readonly does: "announce" | "seek";
  /** What both have come for, 16 bytes. */
  readonly topic: Uint8Array;
  /** The certificate of who announces, made for this; who seeks needs none. */
  readonly certificate?: {
    readonly cert: string;
    readonly key: string;
    readonly fingerprint: Uint8Array<ArrayBuffer>;
  };
  /** @default {lanRadio()} */
  readonly radio?: LanRadio;
  readonly clock?: Clock;
  readonly log?: Log;
}

/** The protocol that two peers of one network speak. */
export const LAN_ALPN = "sftpx-lan/1";

/** Bytes of a topic. */
export const TOPIC_BYTES = 16;

/** Between two announcements, ms: who comes later waits so long. */
const ANNOUNCE_MS = 1000;
/** A peer that connects must say its topic by then, ms. */
const HELLO_MS = 5000;
/** Who seeks dials so many at once, and keeps so many in mind. */
const MAX_DIALS = 8;
const MAX_KNOWN = 256;
/** One that did not answer is dialed again after so long, ms. */
const AGAIN_MS = 5000;
const VERSION = 1;
const HELLO_BYTES = 1 + TOPIC_BYTES;

/**
 * Yields peers with the same topic as they are met, until `signal` aborts.
 * Whoever takes one closes its connection.
 *
 * @throws {SftpxError} "unreachable" when this machine has no network.
 */
export async function* lanMeetings(
  options: LanOptions,
  signal: AbortSignal,
): AsyncGenerator<LanMeeting> {
  const radio = options.radio ?? await lanRadio();
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const met = new Mailbox<LanMeeting>("lan", MAX_DIALS);
  const run = options.does === "announce"
    ? announce(options, radio, met, either)
    : listen(options, radio, met, either);
  run.catch((error) => over.abort(error));
  try {
    for (;;) yield await met.receive(either);
  } catch (error) {
    if (signal.aborted) return;
    throw error;
  } finally {
    over.abort();
    radio.close();
    for (const { conn } of met.close()) conn.close();
  }
}

/** The side that announces. */
async function announce(
  options: LanOptions,
  radio: LanRadio,
  met: Mailbox<LanMeeting>,
  signal: AbortSignal,
): Promise<void> {
  const { certificate, clock = systemClock, topic, log = nullLog } = options;
  if (certificate === undefined) {
    throw new TypeError("Cannot announce: there is no certificate");
  }
  const endpoint = createEndpoint({ hostname: "0.0.0.0", bufferBytes: 0 });
  const listener = quicListener({
    endpoint,
    ...certificate,
    alpn: LAN_ALPN,
    maxHandshakes: 32,
    maxWaiting: 16,
    handshakeTimeoutMs: HELLO_MS,
    clock,
    log,
  });
  signal.addEventListener("abort", () => {
    listener.close();
    // Connections that were given away live on it: closed when they are.
    Promise.allSettled([...given]).then(() => endpoint.close());
  }, { once: true });
  const given = new Set<Promise<unknown>>();
  const visits = perAddress({ perSecond: 2, burst: 10 }, clock);

  const greet = async (conn: Conn): Promise<void> => {
    const stop = closeLate(conn, clock);
    try {
      const stream = await conn.acceptBidi();
      const hello = await stream?.receive.readFully(
        new Uint8Array(HELLO_BYTES),
      );
      if (stream === undefined || hello?.length !== HELLO_BYTES) {
        throw noHello();
      }
      const isMine = hello[0] === VERSION &&
        equalBytes(hello.subarray(1), topic);
      await stream.send.write(Uint8Array.of(isMine ? 1 : 0));
      stop();
      if (!isMine) {
        // The peer closes, once it has read; or we do, later.
        closeLate(conn, clock);
        return;
      }
      given.add(conn.closed);
      const { fingerprint } = certificate;
      if (!met.offer({ conn, stream, fingerprint })) conn.close("peer-busy");
    } catch (error) {
      stop();
      conn.close();
      log.event("lan.hello-failed", { error: String(error) });
    }
  };
  const serve = async (): Promise<void> => {
    for (;;) {
      const conn = await listener.accept();
      if (conn === undefined) return;
      const host = conn.remote.slice(0, conn.remote.lastIndexOf(":"));
      if (visits.take(host)) greet(conn); // never rejects
      else conn.close("peer-busy");
    }
  };
  const words = encodeAnnouncement({
    port: endpoint.port,
    fingerprint: certificate.fingerprint,
  });
  drain(radio);
  serve();
  for (;;) {
    await radio.send(words);
    await clock.delay(ANNOUNCE_MS, signal);
  }
}

/** What others announce is of no interest here, but must not pile up. */
async function drain(radio: LanRadio): Promise<void> {
  while (await radio.receive() !== undefined);
}

/** The side that seeks. */
async function listen(
  options: LanOptions,
  radio: LanRadio,
  met: Mailbox<LanMeeting>,
  signal: AbortSignal,
): Promise<void> {
  const { clock = systemClock, log = nullLog } = options;
  const known = new Map<string, number>(); // when each may be dialed again
  const pool = endpointPool({ bufferBytes: 0 });
  const given = new Set<Promise<unknown>>();
  signal.addEventListener("abort", () => {
    Promise.allSettled([...given]).then(() => pool.close());
  }, { once: true });
  let dials = 0;
  const meet = async (
    at: HostPort,
    fingerprint: Uint8Array,
    key: string,
  ): Promise<void> => {
    dials++;
    try {
      const conn = await quicDialer({
        endpoint: pool,
        ...at,
        fingerprint,
        alpn: LAN_ALPN,
        dialTimeoutMs: HELLO_MS,
        clock,
      }).dial(signal);
      const stream = await ask(conn, options.topic, clock);
      if (stream === undefined) {
        conn.close();
        return;
      }
      given.add(conn.closed);
      if (!met.offer({ conn, stream, fingerprint })) conn.close();
    } catch (error) {
      known.set(key, clock.now() + AGAIN_MS);
      log.event("lan.dial-failed", {
        remote: formatAddress(at),
        error: String(error),
      });
    } finally {
      dials--;
    }
  };
  for (;;) {
    const datagram = await radio.receive();
    if (datagram === undefined || signal.aborted) return;
    const said = decodeAnnouncement(datagram.bytes);
    if (said === undefined || dials >= MAX_DIALS) continue;
    const { hostname } = datagram.from;
    // By certificate and place: who copies another's words is another.
    const key = `${toHex(said.fingerprint)} ${hostname} ${said.port}`;
    if (clock.now() < (known.get(key) ?? 0)) continue;
    known.delete(key);
    known.set(key, Infinity);
    const [oldest] = known.keys();
    if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
    meet({ hostname, port: said.port }, said.fingerprint, key);
  }
}

/** Says our topic; `undefined` when it is not the peer's. */
async function ask(
  conn: Conn,
  topic: Uint8Array,
  clock: Clock,
): Promise<BidiStream | undefined> {
  const stop = closeLate(conn, clock);
  try {
    const stream = await conn.openBidi();
    await stream.send.write(concatBytes(Uint8Array.of(VERSION), topic));
    const [answer] = await stream.receive.readFully(new Uint8Array(1));
    return answer === 1 ? stream : undefined;
  } finally {
    stop();
  }
}

/** Closes a connection after a while, unless it is stopped before. */
function closeLate(conn: Conn, clock: Clock): () => void {
  const over = new AbortController();
  clock.delay(HELLO_MS, over.signal).then(() => conn.close(), () => {});
  const stop = (): void => over.abort();
  conn.closed.then(stop, stop);
  return stop;
}

function noHello(): SftpxError {
  return new SftpxError(
    "protocol",
    "Cannot meet peer of the local network: it does not say what it has come for",
  );
}
