/**
 * Codes: what two people read to each other, `7-tiger-lemon`.
 *
 * The number is public: it names the slot at the helper where the two meet. The
 * words are the secret, and never leave the machine. However they are written
 * (upper case, spaces, dashes of any kind, only the first four letters of a word
 * of the list), both sides come to the same bytes.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { RandomBytes } from "../crypto/random.ts";
import { wordFor, WORDS, wordsNear, wordsWith } from "./words.ts";

/** What a code says. */
export interface Code {
  /** Where the two meet: 1 to {@linkcode MAX_SLOT}. */
  readonly slot: number;
  /** The secret, as both sides write it: `tiger-lemon`. */
  readonly phrase: string;
}

/** Nine digits: nobody reads out more. */
export const MAX_SLOT = 999_999_999;

/** Words of a code that we make: 20 bits, of which one guess takes one value. */
export const DEFAULT_WORDS = 2;

/** Writes a code. */
export function formatCode({ slot, phrase }: Code): string {
  return `${slot}-${phrase}`;
}

/** Tells whether `text` is meant as a code: a number, then words. */
export function looksLikeCode(text: string): boolean {
  return text.length <= LONGEST && /^\d{1,9}-.*\p{L}/u.test(joined(text));
}

/**
 * Reads a code as somebody typed it.
 *
 * @throws {SftpxError} `usage`, when it is none, or one word of it looks
 * mistyped: a wrong guess would burn it. The error names no word that was
 * right.
 */
export function parseCode(text: string): Code {
  if (text.length > LONGEST) throw bad("it is too long");
  const [number = "", ...rest] = joined(text).split("-");
  if (!/^\d+$/.test(number)) {
    throw bad("it must begin with its number, as in 7-tiger-lemon");
  }
  const slot = number.length > 9 ? 0 : Number(number);
  if (slot < 1) throw bad(`its number must be in 1..${MAX_SLOT}`);
  const phrase = canonical(rest.join("-"));
  const slip = slipIn(phrase);
  if (slip !== undefined) {
    throw bad(
      `"${slip.word}" looks mistyped: did you mean "${
        slip.meant.join('" or "')
      }"`,
    );
  }
  return { slot, phrase };
}

/** Makes a phrase of `words` words of the list. */
export function makePhrase(words: number, random: RandomBytes): string {
  if (!Number.isInteger(words) || words < 2 || words > 8) {
    throw new RangeError(
      `Cannot make code as words must be an integer in 2..8: current value is ${words}`,
    );
  }
  const view = new DataView(random(words * 2).buffer);
  return Array.from(
    { length: words },
    (_, at) => WORDS[view.getUint16(at * 2) % WORDS.length], // 1024 divides 65536
  ).join("-");
}

/**
 * Reads a phrase that somebody chose, with or without a number before it.
 *
 * @returns The phrase, and the slot if there was a number.
 * @throws {SftpxError} `usage`, when it is weak, or the other side would take a
 * word of it for mistyped.
 */
export function parseOwnPhrase(
  text: string,
): { readonly slot: number | undefined; readonly phrase: string } {
  if (text.length > LONGEST) throw bad("it is too long");
  const [, number, rest] = /^(\d{1,9})-(.*)$/.exec(joined(text)) ?? [];
  const slot = number === undefined ? undefined : Number(number);
  if (slot === 0) throw bad(`its number must be in 1..${MAX_SLOT}`);
  const phrase = canonical(rest ?? joined(text));
  const bits = strength(phrase);
  if (bits < LEAST_BITS) {
    throw bad(
      `it is weak, worth some ${
        Math.floor(bits)
      } bits where ${LEAST_BITS} are needed: take more words, and unusual ones`,
    );
  }
  const slip = slipIn(phrase);
  if (slip !== undefined) {
    throw bad(
      `"${slip.word}" would be taken for a mistyped "${slip.meant[0]}"`,
    );
  }
  return { slot, phrase };
}

/**
 * How many bits a phrase is worth to somebody who guesses well, counted low:
 * known words, names of keys in a row, repetitions and years are tried first.
 */
export function strength(phrase: string): number {
  const seen = new Set<string>();
  let bits = 0;
  for (const part of phrase.split("-")) {
    if (seen.has(part)) continue; // said twice is worth nothing more
    seen.add(part);
    bits += strengthOf(part);
  }
  return bits;
}

/** More words that may be meant are not said. */
const MAX_MEANT = 4;
/** A guess is one in a million. */
const LEAST_BITS = 20;
const LONGEST = 200;

/** What is guessed first, whatever is added to it. */
const COMMON =
  /^(pass(wor[dt]|phrase)?|passw0rd|secret|code|test(ing)?|hello|hi|welcome|admin|root|user|guest|love|iloveyou|monkey|dragon|letmein|master|login|abc|xyz|foo|bar|baz|qux|my|the|a|is|this|cool|phrase|file|send|sftpx?|qft|croc|wormhole|correct|horse|battery|staple|qwert[yz]?|asdf(gh)?|yxcv|zxcv(bnm)?)\d{0,4}$/;

function strengthOf(part: string): number {
  if (COMMON.test(part)) return 2;
  if (WORDS.includes(part)) return 10;
  const isRow = isRowOf(part);
  if (/^\d+$/.test(part)) {
    const isYear = /^(19|20)\d\d$/.test(part);
    return isRow ? 2 : isYear ? 6 : Math.min(16, part.length * 3);
  }
  if (isRow) return 2;
  // A word of some language, or less; letters that repeat add nothing.
  return Math.min(16, new Set(part).size * 2.5);
}

/** True for `1234`, `abcd`, `9876`, `aaaa`. */
function isRowOf(text: string): boolean {
  const codes = Array.from(text, (letter) => letter.codePointAt(0) ?? 0);
  const steps = codes.slice(1).map((code, at) => code - (codes[at] ?? 0));
  return steps.length > 0 &&
    steps.every((step) => step === steps[0] && Math.abs(step) <= 1);
}

/** Lower case, one kind of dash, no space: the first thing that both sides do. */
function joined(text: string): string {
  return text.normalize("NFKC").toLowerCase()
    .replaceAll(/[\s\p{Pd}_.,;:/\u2212]+/gu, "-")
    .replaceAll(/^-+|-+$/g, "");
}

/** The words of a phrase, as both sides write them. */
function canonical(phrase: string): string {
  const parts = phrase.split("-").filter((part) => part !== "");
  if (parts.length === 0) throw bad("it has no words");
  if (parts.some((part) => !/^[\p{L}\p{M}\p{N}]+$/u.test(part))) {
    throw bad("there is a character in it that is neither letter nor digit");
  }
  return parts.map((part) => wordFor(part) ?? part).join("-");
}

interface Slip {
  readonly word: string;
  readonly meant: readonly string[];
}

/** The one word that is not of the list and nearly is, when all others are. */
function slipIn(phrase: string): Slip | undefined {
  const parts = phrase.split("-");
  const [odd, ...more] = parts.filter((part) => !WORDS.includes(part));
  if (odd === undefined || more.length > 0 || parts.length < 2) {
    return undefined;
  }
  // A word that is only begun is as good as mistyped.
  const meant = [...wordsNear(odd), ...wordsWith(odd)].slice(0, MAX_MEANT);
  return meant.length === 0 ? undefined : { word: odd, meant };
}

function bad(reason: string): SftpxError {
  return new SftpxError("usage", `Cannot read code: ${reason}`);
}
