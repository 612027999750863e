/**
 * Two peers find each other, by a code or by a ticket, and each gets what its
 * half of the transfer needs: `send()` a peer to send to, `receive()` a listener.
 *
 * @module
 */
import type { Secret } from "../core/secret.ts";
import { formatAddress } from "../protocol/address.ts";
import type { Dialer, Listener } from "../transport/transport.ts";
import { offerCode, takeCode } from "./by_code.ts";
import { type Code, formatCode, parseCode, parseOwnPhrase } from "./code.ts";
import { ticketKeys } from "./keys.ts";
import { type MeetInside, type MeetOptions, worldOf } from "./meet_world.ts";
import {
  type HelperState,
  type HostListener,
  openReceiverSide,
} from "./receiver.ts";
import { openSenderSide } from "./sender.ts";

export type { MeetInside, MeetOptions } from "./meet_world.ts";

/** What `send()` needs to reach a receiver that was met. */
export interface MetReceiver {
  /** For people. */
  readonly address: string;
  /** SHA-256 of its certificate. */
  readonly fingerprint: Uint8Array;
  /** Who it is across runs. */
  readonly identity: Uint8Array;
  /** Its access token. */
  readonly token?: Secret;
  /** How to reach it. */
  readonly dialers: { readonly cubic: Dialer; readonly bbr: Dialer };
  /** Frees the sockets, once the transfer is over; resolves when the helper has been told. */
  close(): Promise<void>;
}

/** What `receive()` needs to be reached by a sender that was met. */
export interface MetSender {
  /** What the sender expects to meet. */
  readonly certificate: { readonly cert: string; readonly key: Secret };
  /** What the sender proves that it holds. */
  readonly token: Secret;
  /** Where the sender comes in, and nobody else. */
  readonly listener: Listener;
  /** Frees the sockets, once the transfer is over; resolves when the helper has been told. */
  close(): Promise<void>;
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
  /** Its access token. */
  readonly token: Secret;
}

/** Is there for whoever has the ticket. */
export interface HostByTicketOptions extends MeetOptions {
  /** What senders expect to meet. */
  readonly certificate: { readonly cert: string; readonly key: Secret };
  /** SHA-256 of it. */
  readonly fingerprint: Uint8Array;
  /** What senders hold. */
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
export function offerByCode(
  options: OfferByCodeOptions,
): Promise<MetReceiver> {
  return offerByCodeInside(options, {});
}

/** As {@linkcode offerByCode}, for tests. */
export async function offerByCodeInside(
  options: OfferByCodeOptions,
  inside: MeetInside,
): Promise<MetReceiver> {
  const { phrase, words, onCode } = options;
  const own = phrase === undefined ? undefined : parseOwnPhrase(phrase);
  const world = await worldOf(options, inside);
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
    await side.close(); // or the helper keeps our place
    throw error;
  }
}

/**
 * Goes to the one who offers a code, or waits for it.
 *
 * @throws {SftpxError} `usage` when the code cannot be read, `unauthorized` when
 * its words are not the right ones: the code is burnt.
 */
export function takeByCode(options: TakeByCodeOptions): Promise<MetSender> {
  return takeByCodeInside(options, {});
}

/** As {@linkcode takeByCode}, for tests. */
export async function takeByCodeInside(
  options: TakeByCodeOptions,
  inside: MeetInside,
): Promise<MetSender> {
  const code = parseCode(options.code);
  const world = await worldOf(options, inside);
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
    await side.close(); // or the helper keeps our place
    throw error;
  }
}

/** Gets a receiver that is at a helper for those who have its ticket. */
export function reachByTicket(
  options: ReachByTicketOptions,
): Promise<MetReceiver> {
  return reachByTicketInside(options, {});
}

/** As {@linkcode reachByTicket}, for tests. */
export async function reachByTicketInside(
  options: ReachByTicketOptions,
  inside: MeetInside,
): Promise<MetReceiver> {
  const { fingerprint, token } = options;
  const side = openSenderSide(await worldOf(options, inside));
  const keys = ticketKeys(token.reveal(), fingerprint);
  return {
    address: options.helper === "local"
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
export function hostByTicket(
  options: HostByTicketOptions,
): Promise<HostListener> {
  return hostByTicketInside(options, {});
}

/** As {@linkcode hostByTicket}, for tests. */
export async function hostByTicketInside(
  options: HostByTicketOptions,
  inside: MeetInside,
): Promise<HostListener> {
  const { certificate, fingerprint, token, bind, onHelper } = options;
  const side = openReceiverSide({
    ...await worldOf(options, inside, { certificate, fingerprint }),
    ...bind && { bind },
    ...onHelper && { onHelper },
  });
  return side.listen(ticketKeys(token.reveal(), fingerprint));
}
