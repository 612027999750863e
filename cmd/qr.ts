/**
 * A QR code for a terminal.
 *
 * @module
 */
import { renderUnicodeCompact } from "uqr";
import type { Io } from "./io.ts";

/** Shows `text` as a QR code, where it fits. */
export function showQr(io: Io, text: string): void {
  const lines = renderUnicodeCompact(text, { border: 2 }).split("\n");
  const width = Math.max(...lines.map((line) => line.length));
  if (io.isTerminal.stderr && width <= io.columns()) {
    io.err(`${lines.join("\n")}\n`);
  }
}
