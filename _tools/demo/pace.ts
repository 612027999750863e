/**
 * How fast the demo sends, for there to be a third and two thirds of the way.
 *
 * @module
 */

/** What is sent at its own speed: that takes long enough on any machine. */
const SLOW_ENOUGH_BYTES = 8 * 1024 ** 3;
/** A checkpoint takes up to a second, so kills fall within an eighth of where they should. */
const SECONDS = 8;

/** Bytes a second at which so much is sent; `undefined` for no limit. */
export function rateToKill(bytes: number): number | undefined {
  return bytes < SLOW_ENOUGH_BYTES
    ? Math.max(1024, Math.ceil(bytes / SECONDS))
    : undefined;
}
