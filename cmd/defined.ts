/**
 * What of some values is set.
 *
 * @module
 */

/** What is set, without the rest. */
export function defined<T extends object>(
  values: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const set = Object.entries(values).filter(([, value]) => value !== undefined);
  // Only values that were undefined are gone.
  return Object.fromEntries(set) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
