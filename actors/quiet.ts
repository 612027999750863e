/**
 * Sees when a peer that is connected says nothing any more.
 *
 * A process that hangs keeps its connection: QUIC answers for it. So a peer that
 * was not heard for a while is asked, and one that does not answer is given up;
 * what it held is then free for others.
 *
 * Time is counted in looks, so that a time in which we did not run ourselves
 * is not held against the peer.
 *
 * @module
 */

/** How long a peer may be silent. */
export interface QuietLimits {
  /** Before it has made its offer, ms. */
  readonly offerMs: number;
  /** Once it may send, ms; it is asked several times before. */
  readonly quietMs: number;
}

/** See {@linkcode QuietLimits}. */
export const DEFAULT_QUIET_LIMITS: QuietLimits = Object.freeze({
  offerMs: 15_000,
  quietMs: 30_000,
});

/** What to do about a peer. */
export type QuietVerdict = "wait" | "ask" | "give-up";

/** The watch over one peer. */
export interface QuietWatch {
  /** Something came from the peer, or it has just connected. */
  heard(): void;
  /** Called every `lookMs`; `isOpen` once the peer may send. After a "give-up" it waits until something is heard. */
  look(isOpen: boolean): QuietVerdict;
}

/** A peer is asked so often before it is given up. */
const QUESTIONS = 3;

/** Creates a watch whose `look` is called every `lookMs`. */
export function quietWatch(limits: QuietLimits, lookMs: number): QuietWatch {
  let looks = 0;
  let asked = 0;
  let isOver = true; // until somebody is there
  return {
    heard() {
      looks = asked = 0;
      isOver = false;
    },
    look(isOpen) {
      if (isOver) return "wait";
      const silentMs = ++looks * lookMs;
      const limitMs = isOpen ? limits.quietMs : limits.offerMs;
      if (silentMs >= limitMs) {
        isOver = true;
        return "give-up";
      }
      const due = Math.floor(silentMs / limitMs * (QUESTIONS + 1));
      if (!isOpen || due <= asked) return "wait";
      asked = due;
      return "ask";
    },
  };
}
