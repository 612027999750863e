/**
 * The receiving side of a rendezvous: is at the helper for whoever holds the
 * keys, opens the way for each sender that comes, and gives the transfer a
 * listener of those that got through.
 *
 * @module
 */
import { codeOf, isRetryable } from "../core/errors.ts";
import { backlog } from "../transport/backlog.ts";
import type { Listener } from "../transport/transport.ts";
import { interfaceSource, isFit } from "./candidates.ts";
import type { Caller, HelperClient } from "./client.ts";
import { gatherAll } from "./gather.ts";
import { type MeetingKeys, NONCE_LENGTH } from "./keys.ts";
import { openMeeting } from "./meeting.ts";
import { onPath } from "./on_path.ts";
import { type PeerOptions, settle } from "./peer_options.ts";
import {
  type Arrival,
  describe,
  openStation,
  type Station,
} from "./station.ts";
import { relayLives, targets } from "./targets.ts";

/** What a receiver can be told. */
export interface ReceiverOptions extends PeerOptions {
  /** Told when it is at the helper, with its address as that sees it, and when it is not any more. */
  readonly onHelper?: (state: HelperState) => void;
}

/** Whether a receiver can be found. */
export type HelperState =
  | { readonly isThere: true; readonly observed: string }
  | { readonly isThere: false; readonly error: unknown };

/** Where senders come in who were met at a helper. */
export interface HostListener extends Listener {
  /** Lets nobody in any more; resolves when the helper has been told. */
  close(): Promise<void>;
}

/** The receiving side. */
export interface ReceiverSide {
  readonly station: Station;
  readonly helper: HelperClient;
  /**
   * Listens for those who hold `keys`, until it is closed. Can be called once.
   */
  listen(keys: MeetingKeys): HostListener;
  /** Frees the sockets; resolves when the helper has been told. */
  close(): Promise<void>;
}

/** Senders that may be meeting us at a time. */
const MAX_MEETINGS = 64;
/** Senders that got through and are waiting to be accepted. */
const MAX_WAITING = 64;
/** Senders that may be coming by way of the relay. */
const MAX_RELAYS = 64;
/** TCP gives QUIC, and what the sender dials, a start of this, ms. */
const TCP_DELAY_MS = 3000;
/** How long the way is kept open for a sender, ms. */
const PUNCH_MS = 25_000;
/** A helper that is gone is looked for after this long, and then less often, ms. */
const FIRST_WAIT_MS = 500;
const LAST_WAIT_MS = 15_000;

/** Opens the sockets of a receiver. */
export function openReceiverSide(options: ReceiverOptions): ReceiverSide {
  const settings = settle(options);
  const { clock, log, random } = settings;
  const { onHelper = () => {} } = options;
  const stop = new AbortController();
  const { signal } = stop;
  const waiting = backlog();
  let current: MeetingKeys | undefined;

  const arrived = (arrival: Arrival): void => {
    const { conn, candidate } = arrival;
    if (
      signal.aborted || waiting.size >= MAX_WAITING ||
      !isFit(candidate, settings)
    ) return conn.close("peer-busy");
    log.event("receiver.arrived", { candidate: describe(candidate) });
    waiting.put(onPath(arrival));
  };
  const station = openStation({
    ...settings,
    role: "receiver",
    keys: () => current,
    arrived,
  });
  const helper = options.helper(station);
  const relays = relayLives(MAX_RELAYS, signal);
  const gathered = gatherAll(
    interfaceSource(settings.addresses),
    options.sources ?? [],
    station.context,
    settings,
    signal,
  );

  /** Meets one sender, and sends into whatever may let it in. */
  const serve = async (
    { channel, nonce, observed }: Caller,
    keys: MeetingKeys,
  ): Promise<void> => {
    const mine = random(NONCE_LENGTH);
    await channel.write({ type: "accept", nonce: mine });
    const meeting = await openMeeting(channel, {
      role: "receiver",
      keys,
      nonces: { sender: nonce, receiver: mine },
      fingerprint: options.fingerprint,
      clock,
    }, signal);
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const peer = { keys, fingerprint: meeting.fingerprint };
    const punch = async (
      candidate: Parameters<typeof station.dial>[0],
    ): Promise<void> => {
      try {
        arrived(await station.dial(candidate, peer, either));
      } catch (error) {
        if (either.aborted) return;
        log.event("receiver.punch-failed", {
          candidate: describe(candidate),
          error: error instanceof Error ? error.message : String(error),
        });
      }
    };
    const late = clock.delay(PUNCH_MS, either).catch(() => {});
    const talk = async (): Promise<void> => {
      const telling = gathered.each(observed, meeting.tell, either);
      telling.catch((error) =>
        log.event("receiver.tell-failed", { error: String(error) })
      );
      for await (
        const candidate of targets(
          meeting,
          station,
          helper,
          options,
          either,
          relays.next(),
        )
      ) {
        if (!isFit(candidate, settings)) continue;
        // Over TCP there is nothing to open, and the sender dials; but it may
        // be the one who can be dialed.
        const startMs = candidate.carrier === "tcp" ? TCP_DELAY_MS : 0;
        clock.delay(startMs, either).then(() => punch(candidate), () => {});
      }
    };
    try {
      // The sender says when it is through. When the helper is lost before that
      // it may still be on its way.
      await Promise.race([
        talk().catch((error) => {
          if (codeOf(error) !== "connection-lost") throw error;
        }),
        late,
      ]);
      if (!meeting.isOver) await late;
    } finally {
      over.abort();
      await meeting.close();
    }
  };

  let meetings = 0;
  const welcome = (caller: Caller, keys: MeetingKeys): void => {
    if (meetings >= MAX_MEETINGS) {
      caller.channel.close(); // it comes again
      return;
    }
    meetings++;
    serve(caller, keys).catch((error) => {
      log.event("receiver.meeting-failed", {
        error: error instanceof Error ? error.message : String(error),
      });
      caller.channel.close();
    }).finally(() => meetings--);
  };

  const stay = async (keys: MeetingKeys): Promise<void> => {
    let waitMs = FIRST_WAIT_MS;
    while (!signal.aborted) {
      try {
        await helper.host(
          keys.id,
          (caller) => welcome(caller, keys),
          (observed) => {
            waitMs = FIRST_WAIT_MS;
            onHelper({ isThere: true, observed });
          },
          signal,
        );
      } catch (error) {
        if (signal.aborted) return;
        onHelper({ isThere: false, error });
        log.event("receiver.helper-lost", { error: String(error) });
        if (!isRetryable(error)) waitMs = LAST_WAIT_MS;
      }
      await clock.delay(waitMs * (0.5 + randomShare(random) / 2), signal)
        .catch(() => {});
      waitMs = Math.min(LAST_WAIT_MS, waitMs * 2);
    }
  };

  return {
    station,
    helper,
    listen(keys) {
      if (current !== undefined) {
        throw new TypeError("Cannot listen twice with one side");
      }
      current = keys;
      stay(keys); // never rejects
      const [first] = station.context.endpoints;
      return {
        address: first?.address ?? "",
        accept: () => waiting.take(),
        close,
      };
    },
    close,
  };

  async function close(): Promise<void> {
    stop.abort();
    waiting.close();
    const told = helper.close();
    // What was accepted has its last words to say.
    clock.delay(FAREWELL_MS).then(() => station.close());
    await told;
  }
}

/** How long the last words of accepted connections may take, ms. */
const FAREWELL_MS = 200;

function randomShare(random: (n: number) => Uint8Array): number {
  return (random(1)[0] ?? 0) / 256;
}
