/**
 * To whom `send` sends: which argument says it, and how the receiver is known.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { secret } from "../core/secret.ts";
import type { Peer } from "../actors/options.ts";
import { formatAddress, parseAddress } from "../protocol/address.ts";
import { looksLikeTicket, parseTicket } from "../protocol/ticket.ts";
import { quoted } from "../store/paths.ts";
import { parseToken } from "../store/secrets.ts";
import type { SEND } from "./tables.ts";
import { hinted } from "./hint.ts";
import {
  DEFAULT_CERTS,
  filesOf,
  readPeerCertificate,
  readToken,
} from "./identity_files.ts";
import type { Io } from "./io.ts";
import { knownPeer } from "./peers.ts";
import type { Values } from "./settings.ts";

/** Where `recv` listens and `send` sends when nothing else is said. */
export const DEFAULT_PORT = 4443;

const DEFAULT_SERVER = `127.0.0.1:${DEFAULT_PORT}`;

/** What to send, and the words that say to whom. */
export interface Destination {
  readonly paths: readonly string[];
  readonly server: string;
  /** True when the last argument was taken for a server as nothing is there. */
  readonly isGuessed: boolean;
}

/**
 * Tells paths from the server: the last argument is SERVER when it is a ticket,
 * or when no such path exists and it reads as an address.
 *
 * @param to What `--to` says.
 * @param preset Where to send when the command line does not say it.
 * @throws {SftpxError} "usage" when it cannot be told.
 */
export async function destination(
  args: readonly string[],
  to: string | undefined,
  preset = DEFAULT_SERVER,
): Promise<Destination> {
  const last = args.at(-1);
  const early = args.slice(0, -1).find(looksLikeTicket);
  if (early !== undefined) {
    throw new SftpxError(
      "usage",
      "Cannot send: the ticket must be the last argument",
    );
  }
  if (last === undefined) {
    throw nothingToSend();
  }
  if (looksLikeTicket(last)) {
    if (await exists(last)) {
      throw hinted(
        new SftpxError(
          "usage",
          "Cannot send: the last argument is a ticket, and a path as well",
        ),
        "write ./ before the path, or say the ticket with --to",
      );
    }
    if (to !== undefined) {
      throw new SftpxError("usage", "Cannot send: there are two receivers");
    }
    return rest(args, last, false);
  }
  if (to !== undefined) {
    return { paths: args, server: to, isGuessed: false };
  }
  if (last !== "-" && isAddress(last) && !await exists(last)) {
    if (args.length === 1) {
      throw hinted(
        new SftpxError(
          "local-io",
          `Cannot send ${quoted(last)}: it is not there`,
        ),
        `if ${quoted(last)} is the receiver, say what to send before it`,
      );
    }
    return rest(args, last, true);
  }
  return { paths: args, server: preset, isGuessed: false };
}

/** A receiver, and whether it was a ticket that told us. */
export interface FoundPeer {
  readonly peer: Peer;
  readonly isNew: boolean;
  /** True when its address is that of a helper that knows where it is. */
  readonly viaHelper?: boolean;
}

/**
 * Finds out how the receiver is known: by its ticket, by `--cert`, by an earlier
 * ticket, or as the one that this machine is itself.
 *
 * @throws {SftpxError} "unauthorized" when it is not known.
 */
export async function findPeer(
  io: Io,
  server: string,
  flags: Values<typeof SEND>,
): Promise<FoundPeer> {
  const own = await ownToken(io, flags.tokenFile);
  if (looksLikeTicket(server)) {
    const { fingerprint, token, viaHelper, ...where } = parseTicket(server);
    const given = token && secret(new Uint8Array(token));
    const peer = peerOf(formatAddress(where), fingerprint, own ?? given);
    return viaHelper
      ? { peer, isNew: false, viaHelper }
      : { peer, isNew: true };
  }
  const address = formatAddress(parseAddress(server, DEFAULT_PORT));
  if (flags.cert !== undefined) {
    const fingerprint = await readPeerCertificate(flags.cert);
    if (fingerprint === undefined) {
      throw new SftpxError(
        "config",
        `Cannot read certificate ${quoted(flags.cert)}: it is not there`,
      );
    }
    const token = own ?? askedToken(io, address);
    return { peer: peerOf(address, fingerprint, token), isNew: false };
  }
  const known = await knownPeer(io, address);
  if (known !== undefined) {
    const peer = peerOf(address, known.fingerprint, own ?? known.token);
    return { peer, isNew: false };
  }
  const files = filesOf(flags.certs ?? DEFAULT_CERTS);
  const fingerprint = await readPeerCertificate(files.cert);
  if (fingerprint === undefined) {
    throw hinted(
      new SftpxError(
        "unauthorized",
        `Cannot send to ${quoted(address)}: its certificate is not known`,
      ),
      "give the ticket that its recv prints, or --cert and --token-file",
    );
  }
  const token = own ?? await readToken(files.token);
  return { peer: peerOf(address, fingerprint, token), isNew: false };
}

/** The token of the environment or of `--token-file`. */
export async function ownToken(
  io: Io,
  file: string | undefined,
): Promise<Peer["token"]> {
  if (file !== undefined) {
    const token = await readToken(file);
    if (token === undefined) {
      throw new SftpxError(
        "config",
        `Cannot read token in ${quoted(file)}: it is not there`,
      );
    }
    return token;
  }
  const text = io.env("SFTPX_TOKEN");
  return text === undefined
    ? undefined
    : secret(parseToken(text, "token in SFTPX_TOKEN"));
}

/** Nothing to send was named. */
export function nothingToSend(): SftpxError {
  return hinted(
    new SftpxError("usage", "Cannot send: no path is given"),
    "sftpx send --help says how",
  );
}

function rest(
  args: readonly string[],
  server: string,
  isGuessed: boolean,
): Destination {
  if (args.length === 1) {
    throw nothingToSend();
  }
  return { paths: args.slice(0, -1), server, isGuessed };
}

function peerOf(
  address: string,
  fingerprint: Uint8Array,
  token: Peer["token"],
): Peer {
  return { address, fingerprint, ...token && { token } };
}

function askedToken(io: Io, address: string): Peer["token"] {
  if (!io.isTerminal.stdin || !io.isTerminal.stderr) {
    return undefined;
  }
  const answer = io.askSecret(`Token of ${address} (none if it is open): `);
  if (answer === undefined) {
    throw new SftpxError("cancelled", "Cannot go on: interrupted");
  }
  return answer === "" ? undefined : secret(parseToken(answer));
}

function isAddress(text: string): boolean {
  try {
    parseAddress(text, DEFAULT_PORT);
    return true;
  } catch {
    return false;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}
