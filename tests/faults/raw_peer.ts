/**
 * Peers that stop: each gets as far into a conversation as it is told to, and
 * then says nothing more. Its QUIC goes on answering for it.
 *
 * @module
 */
import { greetReceiver, type SenderGreeting } from "../../actors/greeting.ts";
import { systemClock } from "../../core/clock.ts";
import type { Secret } from "../../core/secret.ts";
import { helloProof } from "../../crypto/proof.ts";
import { systemRandomBytes } from "../../crypto/random.ts";
import { encodeControl, type Offer, VERSION } from "../../protocol/control.ts";
import { encodePreamble } from "../../protocol/lane.ts";
import { encodeManifest } from "../../protocol/manifest.ts";
import {
  type Endpoint,
  quicDialer,
  type QuicOptions,
} from "../../transport/quic.ts";
import type { Conn } from "../../transport/transport.ts";

/** Where a peer stops, in the order of a conversation. */
export const STOPS = [
  "connected",
  "half a hello",
  "hello",
  "half an offer",
  "no manifest",
  "half a manifest frame",
  "a silent lane",
  "half a lane frame",
] as const;

/** One of {@linkcode STOPS}. */
export type Stop = typeof STOPS[number];

/** Those that have not said who they are. */
export const STRANGERS: readonly Stop[] = ["connected", "half a hello"];

/** Whom to bother. */
export interface RawPeerOptions {
  readonly endpoint: Endpoint;
  readonly port: number;
  readonly fingerprint: Uint8Array;
  readonly token: Secret;
  readonly quic?: QuicOptions;
}

const NEVER = new AbortController().signal;
const OFFER: Offer = {
  type: "offer",
  checksum: false,
  b3sum: false,
  fresh: false,
  totalBytes: undefined,
  label: "a peer that stops",
};

/** Connects and stops there; gives the connection, which stays open. */
export async function stopsAt(
  stop: Stop,
  { endpoint, port, fingerprint, token, quic = {} }: RawPeerOptions,
): Promise<Conn> {
  const conn = await quicDialer({
    endpoint,
    hostname: "127.0.0.1",
    port,
    fingerprint,
    alpn: "sftpx/1",
    ...quic,
  }).dial(NEVER);
  if (stop === "connected") return conn;
  const greeting: SenderGreeting = {
    session: systemRandomBytes(32),
    life: systemRandomBytes(16),
    attempt: 1,
    fingerprint,
    token,
    offer: OFFER,
    randomBytes: systemRandomBytes,
    clock: systemClock,
  };
  const index = STOPS.indexOf(stop);
  if (index < STOPS.indexOf("no manifest")) {
    await (await conn.openBidi()).send.write(await words(stop, greeting));
    return conn;
  }
  await greetReceiver(conn, greeting, NEVER);
  if (stop === "no manifest") return conn;
  const manifest = await conn.openUni();
  await manifest.write(encodePreamble("manifest", 0));
  const frame = encodeManifest({
    type: "entry",
    index: 0,
    gen: 0,
    entry: {
      kind: "file",
      path: `file of ${greeting.session.toHex()}`,
      mode: 0o644,
      mtimeNs: 0n,
      size: 1024 * 1024,
      chunkSize: 1024 * 1024,
    },
  });
  if (stop === "half a manifest frame") {
    await manifest.write(frame.subarray(0, frame.length >> 1));
    return conn;
  }
  await manifest.write(frame);
  const lane = await conn.openUni();
  await lane.write(encodePreamble("lane", 1));
  if (stop === "half a lane frame") {
    await lane.write(Uint8Array.of(0, 0, 16, 0, 0, 1, 0, 0, 0, 0, 0, 0));
  }
  return conn;
}

/** What one says that does not get as far as an answer. */
async function words(
  stop: Stop,
  { session, life, attempt, fingerprint, token, randomBytes }: SenderGreeting,
): Promise<Uint8Array> {
  const nonce = randomBytes(16);
  const proven = { fingerprint, session, life, nonce, attempt, connection: 0 };
  const proof = await helloProof(
    token?.reveal() ?? new Uint8Array(),
    proven,
  );
  const hello = encodeControl({
    type: "hello",
    version: VERSION,
    extra: false,
    proof,
    ...proven,
  });
  if (stop === "half a hello") return hello.subarray(0, hello.length >> 1);
  if (stop === "hello") return hello;
  const offer = encodeControl(OFFER);
  return new Uint8Array([...hello, ...offer.subarray(0, offer.length >> 1)]);
}
