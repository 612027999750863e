/**
 * Sizes, rates and times as people write and read them.
 *
 * @module
 */

/**
 * Reads a size: bytes, or a number with `K`, `M`, `G` or `T` (powers of 1024).
 *
 * @throws {RangeError} When it is no size.
 */
export function parseSize(text: string): number {
  const [, digits, unit = ""] =
    /^(\d+|\d+\.\d+(?=[KMGT]))(?:([KMGT])i?)?B?$/i.exec(text.trim()) ?? [];
  const power = "KMGT".indexOf(unit.toUpperCase() || " ") + 1;
  const bytes = Math.round(Number(digits) * 1024 ** power);
  if (!Number.isSafeInteger(bytes)) {
    throw new RangeError(
      `"${text}" is no size: give bytes, or a number with K, M or G`,
    );
  }
  return bytes;
}

/**
 * Reads a time: a number with `ms`, `s`, `m` or `h`.
 *
 * @returns Milliseconds.
 * @throws {RangeError} When it is no time.
 */
export function parseDuration(text: string): number {
  const [, digits, unit = ""] =
    /^(\d+(?:\.\d+)?)(ms|s|m|h)$/i.exec(text.trim()) ?? [];
  const ms = Math.round(Number(digits) * (MS[unit.toLowerCase()] ?? NaN));
  if (!Number.isSafeInteger(ms)) {
    throw new RangeError(
      `"${text}" is no time: give a number with ms, s, m or h`,
    );
  }
  return ms;
}

/**
 * Reads a number of threads: `auto`, or 0 to 15.
 *
 * @throws {RangeError} when it is neither.
 */
export function parseThreads(text: string): number | "auto" {
  if (text === "auto") return text;
  const count = /^\d{1,2}$/.test(text) ? Number(text) : -1;
  if (count < 0 || count > 15) {
    throw new RangeError(`"${text}" is neither "auto" nor a number of 0 to 15`);
  }
  return count;
}

/** Says a number of bytes: `1.5 GiB`. */
export function formatSize(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 1023.95 && unit < SIZES.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${SIZES[unit]}`;
}

/** Says how long something takes: `8 s`, `3 min 20 s`, `2 h 05 min`. */
export function formatDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (ms < 10_000) {
    return `${(ms / 1000).toFixed(1)} s`;
  }
  if (seconds < 60) {
    return `${seconds} s`;
  }
  if (seconds < 3600) {
    return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  }
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

/** Says a count with its thousands apart: `2,004`. */
export function formatCount(count: number): string {
  // Not toLocaleString(), which takes 15 ms the first time.
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ",");
}

const SIZES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

function two(value: number): string {
  return String(value).padStart(2, "0");
}
