/** What a log field may hold: never a key, a path's content or a payload. */
export type Field = string | number | boolean;

/** Structured events: the name is the meaning, the fields are the data. */
export interface Log {
  event(name: string, fields?: Readonly<Record<string, Field>>): void;
  child(fields: Readonly<Record<string, Field>>): Log;
}

/** A log that keeps nothing. */
export const nullLog: Log = {
  event: () => {},
  child: () => nullLog,
};
