/**
 * Short texts as UTF-8, without asking the system: most names are ASCII, and a
 * call that encodes one takes more time than all else that is done with it.
 *
 * @module
 */
const ENCODER = new TextEncoder();

/** A text as UTF-8; a surrogate by itself becomes U+FFFD. */
export function encodeText(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  return writeAscii(bytes, 0, text) ? bytes : ENCODER.encode(text);
}

/** How many bytes `encodeText()` takes for a text. */
export function textBytes(text: string): number {
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) > 0x7f) return ENCODER.encode(text).length;
  }
  return text.length;
}

/** Writes a text as UTF-8 at `offset`, for which there must be room. */
export function writeText(
  to: Uint8Array<ArrayBuffer>,
  offset: number,
  text: string,
): void {
  if (!writeAscii(to, offset, text)) {
    ENCODER.encodeInto(text, to.subarray(offset));
  }
}

/**
 * Writes a text that is ASCII at `offset`, for which there must be room.
 *
 * @returns False when it is not; what was written then means nothing.
 */
export function writeAscii(
  to: Uint8Array,
  offset: number,
  text: string,
): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0x7f) return false;
    to[offset + at] = code;
  }
  return true;
}
