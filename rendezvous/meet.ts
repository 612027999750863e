/**
 * Two peers find each other, by a code or by a ticket, and each gets what its
 * half of the transfer needs: `send()` a peer to send to, `receive()` a listener.
 *
 * @module
 */
import { type Clock, systemClock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import { type Secret, secret } from "../core/secret.ts";
import { makeCertificate } from "../crypto/certificate.ts";
import { type RandomBytes, systemRandomBytes } from "../crypto/random.ts";
import { formatAddress } from "../protocol/address.ts";
import type { Dialer, Listener } from "../transport/transport.ts";
import { offerCode, takeCode } from "./by_code.ts";
import { createHelperClient, type HelperClient } from "./client.ts";
import { type Code, formatCode, parseCode, parseOwnPhrase } from "./code.ts";
import { type HelperAddress, helperDialer } from "./helper_dialer.ts";
import { ticketKeys } from "./keys.ts";
import { type HelperState, openReceiverSide } from "./receiver.ts";
import { openSenderSide } from "./sender.ts";
import type { Station } from "./station.ts";
import type { CandidateSource, PathPolicy, RelayClient } from "./types.ts";

/** What all ways of meeting can be told. */
export interface MeetOptions {
  /** Where the two are introduced: a helper, or what stands in for one. */
  readonly helper: HelperAddress | ((station: Station) => HelperClient);
  /** Which paths may be used. @default {"any"} */
  readonly policy?: PathPolicy;
  /** What finds our addresses, besides interfaces and helper. @default {[]} */
  readonly sources?: readonly CandidateSource[];
  /** Uses what the helper passes on, if it does. @default {none} */
  readonly relay?: RelayClient;
  /** Ends the wait, and what was opened for it. */
  readonly signal?: AbortSignal;
  readonly log?: Log;
}

/** What `send()` needs to reach a receiver that was met. */
export interface MetReceiver {
  /** For people. */
  readonly address: string;
  /** SHA-256 of its certificate. */
  readonly fingerprint: Uint8Array;
  /** Who it is across runs. */
  readonly identity: Uint8Array;
  readonly token?: Secret;
  readonly dialers: { readonly cubic: Dialer; readonly bbr: Dialer };
  /** Frees the sockets, once the transfer is over. */
  close(): void;
}

/** What `receive()` needs to be reached by a sender that was met. */
export interface MetSender {
  readonly certificate: { readonly cert: string; readonly key: Secret };
  readonly token: Secret;
  readonly listener: Listener;
  /** Frees the sockets, once the transfer is over. */
  close(): void;
}

/** Offers a code. */
export interface OfferByCodeOptions extends MeetOptions {
  /** One's own phrase, with a number before it or not. @default {words of the list} */
  readonly phrase?: string;
  /** Words of a phrase that is made. @default {2} */
  readonly words?: number;
  /** Told of the code when it can be given away. */
  readonly onCode: (code: string) => void;
}

/** Takes a code. */
export interface TakeByCodeOptions extends MeetOptions {
  /** As somebody typed it. */
  readonly code: string;
  /** Who we are across runs, 32 bytes: the same finds what is there of an interrupted transfer. */
  readonly identity: Uint8Array;
  /** Told when the helper has us, and we wait for the sender. @default {nobody} */
  readonly onWaiting?: () => void;
}

/** Reaches a receiver through a helper. */
export interface ReachByTicketOptions extends MeetOptions {
  /** SHA-256 of its certificate. */
  readonly fingerprint: Uint8Array;
  readonly token: Secret;
}

/** Is there for whoever has the ticket. */
export interface HostByTicketOptions extends MeetOptions {
  readonly certificate: { readonly cert: string; readonly key: Secret };
  /** SHA-256 of it. */
  readonly fingerprint: Uint8Array;
  readonly token: Secret;
  /** What is bound. @default {any address and port} */
  readonly bind?: { readonly hostname?: string; readonly port?: number };
  /** Told whether we can be found. @default {nobody} */
  readonly onHelper?: (state: HelperState) => void;
}

/**
 * Offers a code, and waits for the one who has it: `onCode` is told of it as
 * soon as it is good.
 *
 * @throws {SftpxError} `unauthorized` when somebody came with other words: the
 * code is burnt.
 */
export async function offerByCode(
  options: OfferByCodeOptions,
): Promise<MetReceiver> {
  const { phrase, words, onCode } = options;
  const own = phrase === undefined ? undefined : parseOwnPhrase(phrase);
  const world = await worldOf(options);
  const { clock, random, signal } = world;
  const side = openSenderSide(world);
  try {
    const tell = (code: Code): void => onCode(formatCode(code));
    const met = await offerCode({
      ...world,
      helper: side.helper,
      identity: random(32),
      ...own && { own },
      ...words !== undefined && { words },
      onCode: tell,
      clock,
      random,
    }, signal);
    return {
      ...met,
      address: "the other side",
      dialers: side.dialers(met),
      close: side.close,
    };
  } catch (error) {
    side.close();
    throw error;
  }
}

/**
 * Goes to the one who offers a code, or waits for it.
 *
 * @throws {SftpxError} `usage` when the code cannot be read, `unauthorized` when
 * its words are not the right ones: the code is burnt.
 */
export async function takeByCode(
  options: TakeByCodeOptions,
): Promise<MetSender> {
  const code = parseCode(options.code);
  const world = await worldOf(options);
  const side = openReceiverSide(world);
  try {
    const met = await takeCode(code, {
      ...world,
      helper: side.helper,
      identity: options.identity,
      ...options.onWaiting && { onWaiting: options.onWaiting },
    }, world.signal);
    return {
      certificate: world.certificate,
      token: met.token,
      listener: side.listen(met.keys),
      close: side.close,
    };
  } catch (error) {
    side.close();
    throw error;
  }
}

/** Gets a receiver that is at a helper for those who have its ticket. */
export async function reachByTicket(
  options: ReachByTicketOptions,
): Promise<MetReceiver> {
  const { fingerprint, token } = options;
  const side = openSenderSide(await worldOf(options));
  const keys = ticketKeys(token.reveal(), fingerprint);
  return {
    address: typeof options.helper === "function"
      ? "the other side"
      : formatAddress(options.helper),
    fingerprint,
    identity: fingerprint,
    token,
    dialers: side.dialers({ keys, fingerprint }),
    close: side.close,
  };
}

/** Is at a helper for those who have the ticket, as long as the listener is open. */
export async function hostByTicket(
  options: HostByTicketOptions,
): Promise<Listener> {
  const { certificate, fingerprint, token, bind, onHelper } = options;
  const side = openReceiverSide({
    ...await worldOf(options, { certificate, fingerprint }),
    ...bind && { bind },
    ...onHelper && { onHelper },
  });
  return side.listen(ticketKeys(token.reveal(), fingerprint));
}

interface Own {
  readonly certificate: { readonly cert: string; readonly key: Secret };
  readonly fingerprint: Uint8Array;
}

interface MeetWorld extends Own {
  readonly helper: (station: Station) => HelperClient;
  readonly policy: PathPolicy;
  readonly sources: readonly CandidateSource[];
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly signal: AbortSignal;
  readonly log?: Log;
  readonly relay?: RelayClient;
}

async function worldOf(
  options: MeetOptions,
  own?: Own,
): Promise<MeetWorld> {
  const { helper, policy = "any", sources = [], relay, log } = options;
  const [clock, random] = [systemClock, systemRandomBytes];
  return {
    ...own ?? await onceOnly(clock),
    helper: typeof helper === "function"
      ? helper
      : ({ pool }) =>
        createHelperClient(
          helperDialer({ helper, pool, random, clock }),
          clock,
        ),
    policy,
    sources,
    clock,
    random,
    signal: options.signal ?? new AbortController().signal,
    ...log && { log },
    ...relay && { relay },
  };
}

/** A certificate for this meeting only: nobody can tell that two were of one machine. */
async function onceOnly(clock: Clock): Promise<Own> {
  const now = new Date(clock.wallMs());
  const { cert, key, fingerprint } = await makeCertificate({ now, days: 14 });
  const bytes = new TextEncoder().encode(key);
  return { certificate: { cert, key: secret(bytes) }, fingerprint };
}
