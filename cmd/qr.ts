/**
 * A text as a code that a camera reads.
 *
 * @module
 */
import { renderUnicodeCompact } from "uqr";
import type { Io } from "./io.ts";

/** Cameras read no more than this from a screen. */
const MAX_QR_LENGTH = 1002;

/** The code, in lines of half blocks; `undefined` when the text is too long. */
export function qrOf(text: string): string[] | undefined {
  if (text.length > MAX_QR_LENGTH) return undefined;
  return renderUnicodeCompact(text, { border: 2 }).split("\n");
}

/** Shows `text` as a QR code, on a terminal where it fits. */
export function showQr(io: Io, text: string): void {
  if (!io.isTerminal.stderr) return;
  const lines = qrOf(text) ?? [];
  const width = Math.max(0, ...lines.map((line) => line.length));
  if (width > 0 && width <= io.columns()) io.err(`${lines.join("\n")}\n`);
}
