/**
 * What the platform's QUIC says when something fails, as the errors of this
 * project. The platform tells its errors apart by text only, so this is the one
 * place where texts are looked at, and a test pins each of them.
 *
 * @module
 */
import { type ErrorCode, ERRORS, SftpxError } from "../core/errors.ts";

/** What a failed dial to `remote` means: whom to blame, and whether to retry. */
export function dialError(remote: string, error: unknown): SftpxError {
  if (error instanceof SftpxError) return error;
  const text = textOf(error);
  for (const [pattern, code, what] of DIAL_TEXTS) {
    if (pattern.test(text)) {
      return new SftpxError(code, what.replace("%", `"${remote}"`), error);
    }
  }
  return new SftpxError(
    "unreachable",
    `Cannot reach "${remote}": ${text}`,
    error,
  );
}

/** What a failed read, write, open or accept means: `doing` is "read stream" or the like. */
export function streamError(doing: string, error: unknown): SftpxError {
  if (error instanceof SftpxError) return error;
  const text = textOf(error);
  return new SftpxError(
    "connection-lost",
    `Cannot ${doing}: ${lossOf(text)}`,
    error,
  );
}

/** What the loss of a whole connection to `remote` means. */
export function lossError(remote: string, error: unknown): SftpxError {
  if (error instanceof SftpxError) return error;
  const text = textOf(error);
  return new SftpxError(
    "connection-lost",
    `Cannot go on with "${remote}": ${lossOf(text)}`,
    error,
  );
}

/** Tells whether a dial failed because our own socket is dead: it never comes back. */
export function isSocketDead(error: unknown): boolean {
  return /endpoint stopping|endpoint driver/i.test(textOf(error));
}

/** Whether a peer has only given up in its handshake, as one that lost a race does. */
export function hasGivenUp(error: unknown): boolean {
  if (error instanceof SftpxError) return error.code === "connection-lost";
  return /closed during the handshake/i.test(textOf(error));
}

/** What failed when a socket was bound to `address`. */
export function bindError(address: string, error: unknown): SftpxError {
  const why = error instanceof Deno.errors.AddrInUse
    ? "the port is in use"
    : error instanceof Deno.errors.AddrNotAvailable
    ? "this machine does not have that address"
    : textOf(error);
  return new SftpxError("config", `Cannot listen on "${address}": ${why}`);
}

/** The number that says `code` on the wire. */
export function closeNumber(code: ErrorCode | undefined): number {
  return code === undefined ? 0 : ERRORS[code].close;
}

/** What the number of a peer's close means; `undefined` for a plain end or one that the table does not have. */
export function closeCode(number: number): ErrorCode | undefined {
  if (number === 0) return undefined; // a plain end, shared by codes that never travel
  for (const [code, row] of Object.entries(ERRORS)) {
    if (row.close === number) return code as ErrorCode;
  }
  return undefined;
}

/** What is said of a certificate that is not the pinned one. */
const UNTRUSTED = "Cannot trust %: its certificate is not the expected one";

/** Order matters: a refused certificate's text also says that a handshake failed. */
const DIAL_TEXTS: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [
    /expired|not valid (yet|after|before)|NotValidYet/i,
    "unauthorized",
    "Cannot trust %: its certificate is expired or not valid yet",
  ],
  [/certificate|UnknownIssuer|error (42|48)\b/i, "unauthorized", UNTRUSTED],
  [
    /error 120\b|known protocol/i,
    "protocol",
    "Cannot talk to %: it does not speak this version of the protocol",
  ],
  [
    /refused to accept/i,
    "peer-busy",
    "Cannot reach %: it takes no more connections now",
  ],
  [
    /closed during the handshake/i,
    "peer-busy",
    "Cannot reach %: it ended the handshake",
  ],
  [/timed out/i, "unreachable", "Cannot reach %: no answer"],
  [/endpoint stopping/i, "unreachable", "Cannot reach %: our socket is closed"],
  [
    /invalid remote address/i,
    "unreachable",
    "Cannot reach %: our socket cannot send to such an address",
  ],
];

/**
 * What the texts of a connection that is gone mean to a reader, in small letters.
 * Every transfer ends with one of them, and a regular expression takes longer to
 * compile than all else at that moment.
 */
const LOSS_TEXTS: readonly (readonly [readonly string[], string])[] = [
  [["stopped by peer"], "the peer does not read on"],
  [["timed out"], "nothing came from the peer for too long"],
  [["closed during the handshake"], "the peer ended the handshake"],
  [["reset by peer"], "the peer does not know the connection any more"],
  [
    [
      ...["connection lost", "closed", "badresource", "bad resource"],
      ...["errored", "endpoint stopping"],
    ],
    "the connection is gone",
  ],
];

function lossOf(text: string): string {
  const small = text.toLowerCase();
  const found = LOSS_TEXTS.find(([words]) =>
    words.some((word) => small.includes(word))
  );
  return found?.[1] ?? text;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
