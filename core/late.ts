/**
 * What is loaded when it is wanted.
 *
 * @module
 */

/** Something that may not be there yet. */
export interface Late<T> {
  /** It, once it is there. */
  readonly now: T | undefined;
  /** Loads it, once; who asks later gets the same. */
  load(): Promise<T>;
}

/** Makes one of what loads it. */
export function late<T>(load: () => Promise<T>): Late<T> {
  let loaded: T | undefined;
  let loading: Promise<T> | undefined;
  const once = async (): Promise<T> => loaded = await load();
  return {
    get now() {
      return loaded;
    },
    load: () => loading ??= once(),
  };
}

/** What is there already, as if it came late. */
export function present<T>(value: T): Late<T> {
  return { now: value, load: () => Promise.resolve(value) };
}
