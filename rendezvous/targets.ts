/**
 * What is dialed at a meeting, on either side.
 *
 * @module
 */
import type { HelperClient } from "./client.ts";
import type { Meeting } from "./meeting.ts";
import type { PeerOptions } from "./peer_options.ts";
import type { Station } from "./station.ts";
import type { Candidate } from "./types.ts";

/** What is relayed: as long as it is in use, and not much longer. */
export interface RelayLives {
  /** The signal of one meeting's relay. It outlives the meeting; the oldest end when there are too many. */
  next(): AbortSignal;
}

/** Keeps the relays of at most `max` meetings; all end when `signal` aborts. */
export function relayLives(max: number, signal: AbortSignal): RelayLives {
  const lives: AbortController[] = []; // the oldest first
  return {
    next() {
      const life = new AbortController();
      lives.push(life);
      if (lives.length > max) lives.shift()?.abort();
      return AbortSignal.any([life.signal, signal]);
    },
  };
}

/**
 * What we dial: the peer's addresses, and the helper's ports that stand for it.
 *
 * @param signal Ends the search.
 * @param life Ends what a relayed path runs over, which is later.
 */
export async function* targets(
  meeting: Meeting,
  station: Station,
  helper: HelperClient,
  options: PeerOptions,
  signal: AbortSignal,
  life: AbortSignal,
): AsyncIterable<Candidate> {
  const all = allTargets(meeting, station, helper, options, signal, life);
  for await (const candidate of all) {
    station.note(candidate);
    yield candidate;
  }
}

async function* allTargets(
  meeting: Meeting,
  station: Station,
  helper: HelperClient,
  options: PeerOptions,
  signal: AbortSignal,
  life: AbortSignal,
): AsyncIterable<Candidate> {
  const { relay, policy = "any" } = options;
  const mayRelay = relay !== undefined &&
    (policy === "any" || policy === "relay-only");
  if (!mayRelay) return yield* meeting.candidates();
  const queue: Candidate[] = [];
  let wake = Promise.withResolvers<void>();
  const put = (candidate: Candidate): void => {
    queue.push(candidate);
    wake.resolve();
  };
  const fromPeer = (async () => {
    for await (const candidate of meeting.candidates()) put(candidate);
  })();
  const fromRelay = (async () => {
    const grant = await meeting.relay();
    const { remote } = helper;
    if (grant === undefined || remote === undefined) return;
    const at = remote.slice(0, remote.lastIndexOf(":"));
    const context = {
      ...station.context,
      helper: at.replace(/^\[|\]$/g, ""),
    };
    for await (const candidate of relay.targets(grant, context, life)) {
      put(candidate);
    }
  })();
  let isOver = false;
  Promise.allSettled([fromPeer, fromRelay]).then(() => {
    isOver = true;
    wake.resolve();
  });
  for (;;) {
    const candidate = queue.shift();
    if (candidate !== undefined) yield candidate;
    else if (isOver || signal.aborted) return;
    else {
      await wake.promise;
      wake = Promise.withResolvers();
    }
  }
}
