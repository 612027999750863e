/**
 * The receivers whose tickets were used: `known_peers.yaml`, beside
 * `config.yaml`. It holds tokens, so nobody else may read it.
 *
 * ```yaml
 * "192.168.1.20:4443":
 *   fingerprint: 64 hex digits
 *   token: base64url
 * ```
 *
 * @module
 */
import { fromBase64Url, fromHex, toBase64Url, toHex } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";
import { secret } from "../core/secret.ts";
import type { Peer } from "../actors/options.ts";
import { quoted } from "../store/paths.ts";
import { writeSecret } from "../store/secrets.ts";
import { configDir } from "./config.ts";
import type { Io } from "./io.ts";
import { hinted } from "./hint.ts";
import { readSecretIfThere } from "./own_files.ts";

/** What fits into a file of secrets; the oldest are forgotten. */
const MAX_PEERS = 300;

/** Finds what an earlier ticket said of `address`. */
export async function knownPeer(
  io: Io,
  address: string,
): Promise<Peer | undefined> {
  return (await readPeers(fileOf(io))).get(address);
}

/** Remembers a receiver; what was known of its address is replaced. */
export async function rememberPeer(io: Io, peer: Peer): Promise<void> {
  const file = fileOf(io);
  const peers = await readPeers(file);
  const before = peers.get(peer.address);
  if (before !== undefined && isSame(before, peer)) {
    return;
  }
  peers.delete(peer.address);
  peers.set(peer.address, peer);
  const { stringify } = await import("@std/yaml");
  const entries = [...peers.values()].slice(-MAX_PEERS).map((each) => [
    each.address,
    {
      fingerprint: toHex(each.fingerprint),
      ...each.token && { token: toBase64Url(each.token.reveal()) },
    },
  ]);
  await writeSecret(
    file,
    `# Receivers whose tickets were used. Keep it to yourself.\n${
      stringify(Object.fromEntries(entries))
    }`,
    { force: true },
  );
}

function fileOf(io: Io): string {
  return `${configDir(io)}/known_peers.yaml`;
}

async function readPeers(file: string): Promise<Map<string, Peer>> {
  const text = await readSecretIfThere(file, "list of peers");
  const peers = new Map<string, Peer>();
  if (text === undefined) {
    return peers;
  }
  const { parse } = await import("@std/yaml");
  let list: unknown;
  try {
    list = parse(new TextDecoder().decode(text)) ?? {};
  } catch (error) {
    const { linePos } = error as { linePos?: readonly { line: number }[] };
    const line = linePos?.[0]?.line ?? 1; // and no text: it may hold a token
    throw unreadable(`${quoted(file)}, line ${line}: it is not YAML`, error);
  }
  if (typeof list !== "object" || Array.isArray(list)) {
    throw unreadable(`${quoted(file)}: it is no list of receivers`);
  }
  for (const [address, facts] of Object.entries(Object(list))) {
    const fingerprint = fromHex(textIn(facts, "fingerprint") ?? "");
    const tokenText = textIn(facts, "token");
    const token = fromBase64Url(tokenText ?? "");
    const isTokenBad = tokenText !== undefined && token?.length !== 32;
    if (fingerprint?.length !== 32 || isTokenBad) {
      throw unreadable(
        `${quoted(file)}: what it says of ${quoted(address)} is wrong`,
      );
    }
    peers.set(address, {
      address,
      fingerprint,
      ...tokenText !== undefined && token !== undefined &&
        { token: secret(token) },
    });
  }
  return peers;
}

function unreadable(why: string, cause?: unknown): SftpxError {
  return hinted(
    new SftpxError("config", `Cannot read ${why}`, cause),
    "put it right, or remove the file and give the tickets again",
  );
}

function textIn(facts: unknown, key: string): string | undefined {
  const value: unknown = Object(facts)[key];
  return value === undefined ? undefined : String(value);
}

function isSame(a: Peer, b: Peer): boolean {
  const all = ({ fingerprint, token }: Peer): string =>
    `${toHex(fingerprint)} ${token ? toHex(token.reveal()) : ""}`;
  return all(a) === all(b);
}
