/**
 * What the platform's TLS and TCP say when something fails, as the errors of
 * this project. A test pins each text that is looked at.
 *
 * @module
 */
import { type ErrorCode, SftpxError } from "../core/errors.ts";

/** What a failed dial to `remote` over TCP means: whom to blame, and whether to retry. */
export function tlsDialError(remote: string, error: unknown): SftpxError {
  if (error instanceof SftpxError) return error;
  const text = textOf(error);
  for (const [pattern, code, what] of DIAL_TEXTS) {
    if (pattern.test(text)) {
      return new SftpxError(code, what.replace("%", `"${remote}"`), error);
    }
  }
  return new SftpxError(
    "unreachable",
    `Cannot reach "${remote}" over TCP: ${text}`,
    error,
  );
}

/** What a failed read, write or end means: `doing` is "read stream" or the like. */
export function streamError(doing: string, error: unknown): SftpxError {
  if (error instanceof SftpxError) return error;
  const text = textOf(error);
  const why = LOSS_TEXTS.find(([pattern]) => pattern.test(text))?.[1] ?? text;
  return new SftpxError("connection-lost", `Cannot ${doing}: ${why}`, error);
}

/** Whether a peer that was not there yet has only left: it lost a race, or asked for our certificate alone. */
export function hasLeft(error: unknown): boolean {
  if (error instanceof SftpxError) return error.code === "connection-lost";
  return LEFT.test(textOf(error));
}

/** What it means that we have closed it ourselves. */
export function closedError(doing: string): SftpxError {
  return new SftpxError(
    "connection-lost",
    `Cannot ${doing}: the connection is gone`,
  );
}

/** What is said of a certificate that is not the pinned one. */
export function untrusted(remote: string, cause?: unknown): SftpxError {
  return new SftpxError(
    "unauthorized",
    `Cannot trust "${remote}": its certificate is not the expected one`,
    cause,
  );
}

/** Order matters: what is said of a certificate is more than that a handshake failed. */
const DIAL_TEXTS: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [
    /certificate.*(expired|not valid (yet|after|before)|NotValidYet)/i,
    "unauthorized",
    "Cannot trust %: its certificate is expired or not valid yet",
  ],
  [
    /invalid peer certificate/i,
    "unauthorized",
    "Cannot trust %: its certificate is not the expected one",
  ],
  [
    /NoApplicationProtocol|known protocol/i,
    "protocol",
    "Cannot talk to %: it does not speak this version of the protocol",
  ],
  [
    /refused/i,
    "unreachable",
    "Cannot reach % over TCP: nobody listens there",
  ],
  [/timed out/i, "unreachable", "Cannot reach % over TCP: no answer"],
  [
    /unexpected end of file|close_notify|reset by peer|broken pipe|tls handshake eof/i,
    "unreachable",
    "Cannot reach % over TCP: it ended the handshake",
  ],
  [
    /corrupt message|InvalidContentType|protocol version/i,
    "unreachable",
    "Cannot reach % over TCP: what listens there does not speak TLS as we do",
  ],
];

/** What the texts of a connection that is gone mean to a reader. */
const LOSS_TEXTS: readonly (readonly [RegExp, string])[] = [
  [/timed out/i, "nothing came from the peer for too long"],
  [
    /close_notify|unexpected end of file|reset by peer|broken pipe|bad resource|canceled|cancelled|interrupted|closed/i,
    "the connection is gone",
  ],
];

/** How a handshake ends whose other end was closed. */
const LEFT =
  /close_notify|unexpected end of file|connection reset|reset by peer|broken pipe|handshake eof/i;

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
