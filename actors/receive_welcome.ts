/**
 * What a receiver says to a sender that it lets in.
 *
 * @module
 */
import { VERSION, type Welcome } from "../protocol/control.ts";

/** Entries that may be open at a time. */
export const WINDOW = 4096;
/** Lanes that a sender may open on one connection. */
export const MAX_LANES = 64;

/**
 * Makes a welcome.
 *
 * @param life Which state of ours speaks.
 * @param next How many entries it has heard of, when it continues. @default {it begins}
 */
export function welcomeBy(life: Uint8Array, next?: number): Welcome {
  return {
    type: "welcome",
    version: VERSION,
    continued: next !== undefined,
    life,
    next: next ?? 0,
    window: WINDOW,
    maxLanes: MAX_LANES,
  };
}
