/**
 * The sending side of a rendezvous: meets the receiver at the helper, as often
 * as need be, and gives the transfer the connection that wins the race.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { Congestion } from "../transport/quic.ts";
import type { Conn, Dialer } from "../transport/transport.ts";
import { interfaceSource } from "./candidates.ts";
import type { HelperClient } from "./client.ts";
import { gatherAll } from "./gather.ts";
import { type MeetingKeys, NONCE_LENGTH } from "./keys.ts";
import { type Meeting, openMeeting } from "./meeting.ts";
import { onPath } from "./on_path.ts";
import { type PeerOptions, settle } from "./peer_options.ts";
import { race } from "./race.ts";
import { type Arrival, openStation, type Station } from "./station.ts";
import { relayLives, targets } from "./targets.ts";
import type { Candidate } from "./types.ts";

/** Whom a sender meets. */
export interface ReceiverToMeet {
  readonly keys: MeetingKeys;
  /** SHA-256 of its certificate. */
  readonly fingerprint: Uint8Array;
}

/** The sending side. */
export interface SenderSide {
  readonly station: Station;
  readonly helper: HelperClient;
  /** Dialers of a receiver; one receiver for each side. */
  dialers(to: ReceiverToMeet): {
    readonly cubic: Dialer;
    readonly bbr: Dialer;
  };
  /** Frees the sockets; resolves when the helper has been told. */
  close(): Promise<void>;
}

/** Connections of the receiver that may wait for a race. */
const MAX_WAITING = 4;
/** And how long, ms: a receiver comes again for each race. */
const FRESH_MS = 3000;
/** How long the receiver may take to come to the meeting, ms. */
const MEET_MS = 20_000;
/** How long the path in use may take to answer a further dial, ms. */
const AGAIN_MS = 3000;

/** Opens the sockets of a sender. */
export function openSenderSide(options: PeerOptions): SenderSide {
  const settings = settle(options);
  const { clock, log, random, policy } = settings;
  const stop = new AbortController();
  let receiver: ReceiverToMeet | undefined;
  const takers: ((arrival: Arrival) => void)[] = []; // races, the newest last
  const waiting: { readonly arrival: Arrival; readonly at: number }[] = [];
  let best: Candidate | undefined;
  let open = 0; // connections over paths that were found

  const station = openStation({
    ...settings,
    role: "sender",
    keys: () => receiver?.keys,
    arrived(arrival) {
      const taker = takers.at(-1);
      if (taker !== undefined) return taker(arrival);
      const one = { arrival, at: clock.now() };
      waiting.push(one);
      const forget = (): void => {
        const at = waiting.indexOf(one);
        if (at >= 0) waiting.splice(at, 1);
      };
      arrival.conn.closed.then(forget, forget);
      if (waiting.length > MAX_WAITING) waiting.shift()?.arrival.conn.close();
    },
  });
  const helper = options.helper(station);
  // One in use, and one that takes its place.
  const relays = relayLives(2, stop.signal);
  const gathered = gatherAll(
    interfaceSource(settings.addresses),
    options.sources ?? [],
    station.context,
    settings,
    stop.signal,
  );

  const meet = async (
    { keys, fingerprint }: ReceiverToMeet,
    congestion: Congestion,
    signal: AbortSignal,
  ): Promise<Arrival> => {
    const nonce = random(NONCE_LENGTH);
    const late = new AbortController();
    const either = AbortSignal.any([signal, late.signal]);
    const timer = clock.delay(MEET_MS, either).then(() =>
      late.abort(nobodyThere())
    );
    timer.catch(() => {});
    let meeting: Meeting | undefined;
    let observed = "";
    try {
      const there = await helper.join(keys.id, nonce, either);
      observed = there.observed;
      const nonces = { sender: nonce, receiver: await there.met() };
      meeting = await openMeeting(there.channel, {
        role: "sender",
        keys,
        nonces,
        fingerprint: options.fingerprint,
        clock,
      }, either);
    } catch (error) {
      signal.throwIfAborted();
      if (late.signal.aborted) throw late.signal.reason;
      throw error;
    } finally {
      late.abort();
    }
    try {
      return await raceAt(
        meeting,
        observed,
        { keys, fingerprint },
        congestion,
        signal,
      );
    } finally {
      await meeting.close();
    }
  };

  const raceAt = async (
    meeting: Meeting,
    observed: string,
    peer: ReceiverToMeet,
    congestion: Congestion,
    signal: AbortSignal,
  ): Promise<Arrival> => {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const telling = gathered.each(observed, meeting.tell, either);
    telling.catch((error) =>
      log.event("sender.tell-failed", { error: String(error) })
    );
    try {
      return await race({
        candidates: targets(
          meeting,
          station,
          helper,
          options,
          either,
          relays.next(),
        ),
        dial: (candidate, signal) =>
          station.dial(candidate, peer, signal, congestion),
        hear(arrive) {
          takers.push(arrive);
          for (const { arrival, at } of waiting.splice(0)) {
            // One that has waited since the last race may lead to nobody.
            if (clock.now() - at > FRESH_MS) arrival.conn.close();
            else arrive(arrival);
          }
          return () => takers.splice(takers.indexOf(arrive), 1);
        },
        policy,
        carrier: settings.carrier,
        clock,
        log,
      }, signal);
    } finally {
      over.abort();
    }
  };

  /** The path in use leads to further connections, too. */
  const again = async (
    peer: ReceiverToMeet,
    candidate: Candidate,
    congestion: Congestion,
    signal: AbortSignal,
  ): Promise<Arrival | undefined> => {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const dialing = station.dial(candidate, peer, either, congestion);
    const late = clock.delay(AGAIN_MS, either).then(() => undefined);
    late.catch(() => {});
    try {
      const first = await Promise.race([dialing, late]);
      if (first === undefined) {
        over.abort();
        dialing.then(({ conn }) => conn.close(), () => {});
      }
      return first;
    } catch {
      signal.throwIfAborted();
      return undefined; // the race finds what there is
    } finally {
      over.abort();
    }
  };

  const dialer = (peer: ReceiverToMeet, congestion: Congestion): Dialer => ({
    async dial(signal): Promise<Conn> {
      const either = AbortSignal.any([signal, stop.signal]);
      const last = open > 0 ? best : undefined;
      const arrival = (last && await again(peer, last, congestion, either)) ??
        await meet(peer, congestion, either);
      best = arrival.candidate;
      open++;
      const down = (): void => {
        open--;
      };
      arrival.conn.closed.then(down, down);
      return onPath(arrival);
    },
  });

  return {
    station,
    helper,
    dialers(to) {
      receiver = to;
      return { cubic: dialer(to, "cubic"), bbr: dialer(to, "bbr") };
    },
    async close() {
      stop.abort(
        new SftpxError(
          "cancelled",
          "Cannot reach the other side: its sockets are closed",
        ),
      );
      for (const { arrival } of waiting.splice(0)) arrival.conn.close();
      const told = helper.close();
      station.close();
      await told;
    },
  };
}

function nobodyThere(): SftpxError {
  return new SftpxError(
    "unreachable",
    "Cannot meet the other side: it is not at the helper",
  );
}
