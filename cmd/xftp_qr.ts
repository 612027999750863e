/**
 * A link as a code that a camera reads.
 *
 * @module
 */

/** Cameras read no more than this from a screen. */
const MAX_QR_LENGTH = 1002;

/** The code, in lines of half blocks; `undefined` when the text is too long. */
export async function qrOf(text: string): Promise<string[] | undefined> {
  if (text.length > MAX_QR_LENGTH) return undefined;
  const { renderUnicodeCompact } = await import("uqr");
  return renderUnicodeCompact(text, { border: 2 }).split("\n");
}
