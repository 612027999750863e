/**
 * A line on which a code is typed: the tabulator completes words of the list.
 * Pure, so that keys in are text out.
 *
 * @module
 */
import { wordsWith } from "../rendezvous/words.ts";

/** A line that is typed. */
export interface CodeLine {
  /** What stands there. */
  readonly text: string;
  /** What fits when there are several words to choose from. */
  readonly choices: readonly string[];
  /**
   * Takes a key. `done` with the line at its end, `undefined` in `text` when it
   * was broken off.
   */
  key(byte: number): "more" | "done" | "broken";
}

/** At most so many words are shown to choose from. */
const MAX_CHOICES = 12;
const LONGEST = 200;

/** Makes an empty line. */
export function createCodeLine(): CodeLine {
  let text = "";
  let choices: readonly string[] = [];
  const complete = (): void => {
    const [, before = "", part = ""] = /^(.*?)([a-z]*)$/i.exec(text) ?? [];
    if (part === "") return;
    const words = wordsWith(part.toLowerCase());
    const [only, ...more] = words;
    if (only === undefined) return;
    if (more.length === 0) {
      // A code has at least two words: after the first another follows.
      text = `${before}${only}${/[a-z]/i.test(before) ? "" : "-"}`;
      return;
    }
    text = before + commonStart(words);
    choices = words.slice(0, MAX_CHOICES);
  };
  return {
    get text() {
      return text;
    },
    get choices() {
      return choices;
    },
    key(byte) {
      choices = [];
      switch (byte) {
        case 0x03: // Ctrl-C
        case 0x04: // Ctrl-D
          return "broken";
        case 0x0a:
        case 0x0d:
          return "done";
        case 0x08:
        case 0x7f:
          text = text.slice(0, -1);
          return "more";
        case 0x15: // Ctrl-U
          text = "";
          return "more";
        case 0x09:
          complete();
          return "more";
        default:
          if (byte >= 0x20 && byte < 0x7f && text.length < LONGEST) {
            text += String.fromCharCode(byte);
          }
          return "more";
      }
    },
  };
}

function commonStart(words: readonly string[]): string {
  const [first = "", ...others] = words;
  let length = first.length;
  for (const word of others) {
    while (!word.startsWith(first.slice(0, length))) length--;
  }
  return first.slice(0, length);
}
