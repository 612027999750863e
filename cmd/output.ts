/**
 * What a command says: data on standard output, talk on standard error.
 *
 * @module
 */
import type { TransferEvent } from "../core/events.ts";

/** How a command speaks. */
export interface Style {
  /** Everything as NDJSON on standard output. */
  readonly json: boolean;
  /** Nothing but data and errors. */
  readonly quiet: boolean;
  /** A line for every file too. */
  readonly verbose: boolean;
  /** Talk as NDJSON on standard error. */
  readonly logFormat: "text" | "json";
}

/** A command's data, as an event of `--json`. */
export type DataEvent =
  & Readonly<Record<string, string | number | readonly string[]>>
  & {
    readonly type: string;
  };

/** Where a command speaks. */
export interface Output {
  /** Says what happens to a transfer. */
  event(event: TransferEvent): void;
  /** Says something that is good to know. */
  note(words: string): void;
  /** Gives a line of data, or with `--json` the event in its place. */
  data(line: string, event: DataEvent): void;
  /** Says what went wrong; nothing is said after it. */
  error(failure: Failure): void;
  /** Ends with an exit code; nothing is said after it. */
  end(code: number): void;
}

/** An error as a person is told of it. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  /** Where in the code, for a bug. */
  readonly stack: string | undefined;
}

/** Whether a command sends or takes in. */
export type Role = "send" | "recv";

/** True for an event that is told even when only errors are. */
export function isTrouble(event: TransferEvent): boolean {
  return event.type === "failed" || isLeft(event);
}

/** True for an entry that did not arrive. */
export function isLeft(event: TransferEvent): boolean {
  return event.type === "entry" &&
    (event.outcome === "refused" || event.outcome === "gone");
}
