/**
 * A value that must not be printed by accident.
 *
 * @module
 */

/** Holds a secret; what prints it says `[secret]`. */
export interface Secret {
  /** The bytes themselves, for those who mean it. */
  reveal(): Uint8Array<ArrayBuffer>;
  /** `[secret]`. */
  toString(): string;
  /** `[secret]`. */
  toJSON(): string;
}

/** Wraps `bytes`. */
export function secret(bytes: Uint8Array<ArrayBuffer>): Secret {
  const hidden = (): string => "[secret]";
  return Object.freeze({
    reveal: () => bytes,
    toString: hidden,
    toJSON: hidden,
    [Symbol.for("Deno.customInspect")]: hidden,
    [Symbol.for("nodejs.util.inspect.custom")]: hidden,
  });
}
