/**
 * Two peers meet by offers that people carry to each other, with nothing but a
 * STUN server to tell each where it is.
 *
 * @module
 */
import { type Clock, systemClock } from "../core/clock.ts";
import { isFinal, SftpxError } from "../core/errors.ts";
import { type Log, nullLog } from "../core/log.ts";
import { secret } from "../core/secret.ts";
import { makeCertificate } from "../crypto/certificate.ts";
import { systemRandomBytes } from "../crypto/random.ts";
import { familyOf, type HostPort } from "../transport/address.ts";
import { addressesOf, systemLookup } from "../transport/happy_eyeballs.ts";
import { quicDialer } from "../transport/quic.ts";
import type { Dialer } from "../transport/transport.ts";
import { interfaceSource } from "./candidates.ts";
import type { HelperClient } from "./client.ts";
import type { MetReceiver, MetSender } from "./meet.ts";
import { formatOffer, isForChat, type Offer, parseOffer } from "./offer.ts";
import { offerHelper } from "./offer_helper.ts";
import { beginOffer, offeredIdentity, type OfferMet } from "./offer_keys.ts";
import type { PeerOptions } from "./peer_options.ts";
import { openReceiverSide } from "./receiver.ts";
import { openSenderSide } from "./sender.ts";
import type { Station } from "./station.ts";
import { reflexiveOf, stunPort } from "./stun_port.ts";
import type { Candidate, PathPolicy, Role } from "./types.ts";

/** How two meet by offers. */
export interface MeetByOfferOptions {
  /** Who tells us where we are, outside. */
  readonly stun: HostPort;
  /** Who we are across runs, 32 bytes. */
  readonly identity: Uint8Array;
  /** Gives our offer to the other side, and gets theirs. */
  readonly exchange: (offer: string) => Promise<string>;
  /** Told the words that both sides must be shown alike. */
  readonly onWords: (words: string) => void;
  readonly policy?: PathPolicy;
  readonly signal: AbortSignal;
  readonly log?: Log;
  /** Addresses of this machine. @default {those of its interfaces} */
  readonly addresses?: () => readonly string[];
  /** Which of our addresses go into the offer. @default {isForChat} */
  readonly isTold?: (candidate: Candidate) => boolean;
}

/** While people paste, our port is kept open so often, ms. */
const KEEP_MS = 12_000;
/** How long the other person may take to paste ours, ms. */
const PATIENCE_MS = 600_000;

/**
 * Meets the receiver.
 *
 * @throws {SftpxError} "unreachable" when STUN does not answer, "usage" when
 * what was pasted is no offer.
 */
export async function sendByOffer(
  options: MeetByOfferOptions,
): Promise<MetReceiver> {
  const own = await prepare("sender", options);
  const side = openSenderSide(own.peer);
  try {
    const met = await own.meet(side.station);
    const { cubic, bbr } = side.dialers(met);
    return {
      ...met,
      address: "the other side",
      dialers: { cubic: patient(cubic, systemClock), bbr },
      close: side.close,
    };
  } catch (error) {
    await side.close();
    throw error;
  }
}

/** Meets the sender; fails as {@linkcode sendByOffer} does. */
export async function receiveByOffer(
  options: MeetByOfferOptions,
): Promise<MetSender> {
  const own = await prepare("receiver", options);
  const side = openReceiverSide(own.peer);
  try {
    const met = await own.meet(side.station);
    return {
      certificate: own.peer.certificate,
      token: met.token,
      listener: side.listen(met.keys),
      close: side.close,
    };
  } catch (error) {
    await side.close();
    throw error;
  }
}

interface Prepared {
  readonly peer: PeerOptions;
  /** Exchanges offers, once the sockets are open. */
  meet(station: Station): Promise<OfferMet>;
}

async function prepare(
  role: Role,
  options: MeetByOfferOptions,
): Promise<Prepared> {
  const { identity, exchange, onWords, policy, signal, log = nullLog } =
    options;
  const { isTold = isForChat } = options;
  const [clock, random] = [systemClock, systemRandomBytes];
  const server = await literal(options.stun);
  const found = await stunPort(server, { clock, randomBytes: random, signal });
  const now = new Date(clock.wallMs());
  const { cert, key, fingerprint } = await makeCertificate({ now, days: 14 });
  const share = beginOffer(random);
  const addresses = options.addresses ??
    (() => Deno.networkInterfaces().map(({ address }) => address));
  const late = lateHelper();
  return {
    peer: {
      certificate: { cert, key: secret(new TextEncoder().encode(key)) },
      fingerprint,
      helper: () => late.client,
      bind: { port: found.port },
      addresses,
      ...policy && { policy },
      log,
    },
    async meet(station) {
      const candidates = [reflexiveOf(found)];
      const interfaces = interfaceSource(addresses);
      for await (
        const candidate of interfaces.gather(station.context, signal)
      ) candidates.push(candidate);
      const mine: Offer = {
        role,
        share: share.share,
        fingerprint,
        identity: offeredIdentity(identity),
        candidates: candidates.filter(isTold),
      };
      const over = new AbortController();
      const either = AbortSignal.any([signal, over.signal]);
      keepOpen(station, server, clock, either).catch(() => {}); // over
      try {
        const theirs = parseOffer(await exchange(formatOffer(mine)));
        const met = share.finish(mine, theirs);
        onWords(met.words);
        late.become(offerHelper({ theirs, keys: met.keys, clock }));
        return met;
      } finally {
        over.abort();
      }
    },
  };
}

/** A client that there will be, before anything is asked of it. */
function lateHelper(): {
  readonly client: HelperClient;
  become(client: HelperClient): void;
} {
  let real: HelperClient | undefined;
  const get = (): HelperClient => {
    if (real !== undefined) return real;
    throw new SftpxError("internal", "Cannot meet: there are no offers yet");
  };
  return {
    client: {
      allocate: (...args) => get().allocate(...args),
      claim: (...args) => get().claim(...args),
      join: (...args) => get().join(...args),
      host: (...args) => get().host(...args),
      remote: undefined,
      close: () => real?.close() ?? Promise.resolve(),
    },
    become(client) {
      real = client;
    },
  };
}

/**
 * Sends something to the STUN server now and then from the socket that the peer
 * is to reach: a socket that speaks QUIC can send nothing else than the start of
 * a connection, which that server does not answer. The router sees it.
 */
async function keepOpen(
  { pool }: Station,
  server: HostPort,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await clock.delay(KEEP_MS, signal);
    await quicDialer({
      endpoint: pool,
      ...server,
      fingerprint: new Uint8Array(32),
      alpn: "sftpx-open/1",
      dialTimeoutMs: 1000,
      clock,
    }).dial(signal).then((conn) => conn.close(), () => {});
  }
}

/** Nobody knows when the other person pastes: a first dial is tried for long. */
function patient(dialer: Dialer, clock: Clock): Dialer {
  const until = clock.now() + PATIENCE_MS;
  let hasBeen = false;
  return {
    async dial(signal) {
      for (;;) {
        try {
          const conn = await dialer.dial(signal);
          hasBeen = true;
          return conn;
        } catch (error) {
          signal.throwIfAborted();
          if (hasBeen || isFinal(error) || clock.now() > until) throw error;
        }
      }
    },
  };
}

/** The server by its address; IPv4, as that is where the NATs are. */
async function literal({ hostname, port }: HostPort): Promise<HostPort> {
  const found = await addressesOf(hostname, systemLookup);
  const address = found.find((each) => familyOf(each) === 4);
  if (address === undefined) {
    throw new SftpxError(
      "unreachable",
      `Cannot ask STUN server "${hostname}": it has no IPv4 address`,
    );
  }
  return { hostname: address, port };
}
