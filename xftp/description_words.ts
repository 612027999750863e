/**
 * Sizes as descriptions have them: `18mb`, `320kb`, `65537`.
 *
 * @module
 */

const UNITS = ["gb", "mb", "kb"] as const;

/** Writes a size with the largest unit that has no fraction. */
export function formatSizeWord(bytes: number): string {
  for (const [index, unit] of UNITS.entries()) {
    const worth = 1024 ** (UNITS.length - index);
    if (bytes > 0 && bytes % worth === 0) return `${bytes / worth}${unit}`;
  }
  return String(bytes);
}

/** Reads a size; `undefined` when it is none. */
export function parseSizeWord(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,15})(gb|mb|kb|b)?$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const index = UNITS.findIndex((name) => name === unit?.toLowerCase());
  const bytes = Number(digits) *
    (index < 0 ? 1 : 1024 ** (UNITS.length - index));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
