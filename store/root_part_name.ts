/**
 * What a part is called in its folder.
 *
 * @module
 */

/** The name of a part. */
export function partName(slot: number): string {
  return `${slot}.part`;
}
