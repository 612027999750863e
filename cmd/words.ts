/**
 * Sentences within sentences.
 *
 * @module
 */

/** A sentence as the end of another one. */
export function lowered(words: string): string {
  return words.replace(
    /(^|: )([A-Z])(?=[a-z ])/g,
    (_, before: string, letter: string) => before + letter.toLowerCase(),
  );
}
