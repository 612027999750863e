/**
 * File descriptions: where the chunks of a stored file are, and what opens them.
 *
 * They are YAML, as other programs of XFTP write it: keys in alphabetical order,
 * bytes as base64url with `=`, chunks grouped by router. Who has one can fetch
 * (`recipient`) or remove (`sender`) the file, so they are secrets; and they
 * come from strangers, so nothing in them is believed before it was checked.
 *
 * ```yaml
 * chunkSize: 64kb
 * digest: <SHA-512 of the stored file>
 * key: <32 bytes>
 * nonce: <24 bytes>
 * party: recipient
 * redirect:                  # only when the file is another description
 *   digest: <SHA-512 of it>
 *   size: 3276
 * replicas:
 * - chunks:
 *   - 1:<id>:<private key>:<SHA-256>[:<size>]
 *   server: xftp://...
 * size: 320kb
 * ```
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import {
  formatRouterAddress,
  parseRouterAddress,
  type RouterAddress,
  sameRouter,
} from "./address.ts";
import { MAX_PAYLOAD_BYTES } from "./chunk_plan.ts";
import { CHUNK_SIZES } from "./commands.ts";
import type { FileSecret } from "./file_crypto.ts";
import type { PrivateKey } from "./keys.ts";
import { formatSizeWord } from "./description_words.ts";

/** Who may do what with a description. */
export type Party = "recipient" | "sender";

/** A chunk on one router. */
export interface Replica {
  readonly router: RouterAddress;
  /** What the router knows it by, of this party. */
  readonly id: Uint8Array;
  /** What this party signs with: a secret. */
  readonly key: PrivateKey;
}

/** A chunk, wherever it is. */
export interface DescribedChunk {
  readonly size: number;
  /** SHA-256 of its bytes. */
  readonly digest: Uint8Array;
  /** At least one; any of them will do. */
  readonly replicas: readonly Replica[];
}

/** A file that is stored. */
export interface Description extends FileSecret {
  readonly party: Party;
  /** Bytes of the stored file, the sum of its chunks. */
  readonly size: number;
  /** SHA-512 of the stored file. */
  readonly digest: Uint8Array;
  /** In order. */
  readonly chunks: readonly DescribedChunk[];
  /** What the file is, if it is another description. */
  readonly redirect?: Redirect;
}

/** A description that is stored as a file itself. */
export interface Redirect {
  readonly size: number;
  /** SHA-512. */
  readonly digest: Uint8Array;
}

/** A description is text of this length at most; 5 GiB in 1280 chunks take 250 KiB. */
export const MAX_DESCRIPTION_BYTES = 4 * 1024 * 1024;

/** Chunks at most: 5 GiB in those of 1 MiB, three times over. */
export const MAX_CHUNKS = 16_384;

/**
 * Checks what a description says, whoever wrote it.
 *
 * @throws {SftpxError} `protocol`.
 */
export function checkDescription(description: Description): Description {
  const { chunks, size, redirect } = description;
  if (chunks.length === 0) throw badDescription("it has no chunks");
  let sum = 0;
  for (const [index, chunk] of chunks.entries()) {
    const name = `chunk ${index + 1}`;
    if (!CHUNK_SIZES.includes(chunk.size)) {
      throw badDescription(`${name} has a size that no router stores`);
    }
    if (chunk.digest.length !== 32) {
      throw badDescription(`the digest of ${name} is not a SHA-256`);
    }
    if (chunk.replicas.length === 0) {
      throw badDescription(`${name} is nowhere`);
    }
    for (const { id, key } of chunk.replicas) {
      if (id.length === 0 || id.length > 64) {
        throw badDescription(`the id of ${name} is none`);
      }
      if (key.kind !== "ed25519") {
        throw badDescription(`the key of ${name} is not Ed25519`);
      }
    }
    sum += chunk.size;
  }
  if (sum !== size) {
    throw badDescription(`its chunks have ${sum} bytes, and it says ${size}`);
  }
  if (size > MAX_PAYLOAD_BYTES) {
    throw badDescription("it is larger than 5 GiB");
  }
  if (redirect !== undefined) {
    if (redirect.digest.length !== 64) {
      throw badDescription("its redirect's digest is not a SHA-512");
    }
    if (redirect.size < 1 || redirect.size > MAX_DESCRIPTION_BYTES) {
      throw badDescription("its redirect's size is not one of a description");
    }
  }
  return description;
}

/** Writes a description. */
export function formatDescription(description: Description): string {
  const { chunks, redirect } = description;
  const usual = chunks[0]?.size ?? 0;
  const lines = [
    `chunkSize: ${formatSizeWord(usual)}`,
    `digest: ${base64(description.digest)}`,
    `key: ${base64(description.key)}`,
    `nonce: ${quotedIfNumber(base64(description.nonce))}`,
    `party: ${description.party}`,
    ...redirect === undefined ? [] : [
      "redirect:",
      `  digest: ${base64(redirect.digest)}`,
      `  size: ${redirect.size}`,
    ],
    "replicas:",
  ];
  for (const { name, router } of routersOf(chunks)) {
    lines.push("- chunks:");
    for (const [index, chunk] of chunks.entries()) {
      for (const [at, replica] of chunk.replicas.entries()) {
        if (!sameRouter(replica.router, router)) continue;
        // What all replicas share is said with the first one only.
        const shared = at > 0
          ? ""
          : `:${base64(chunk.digest)}${
            chunk.size === usual ? "" : `:${formatSizeWord(chunk.size)}`
          }`;
        lines.push(
          `  - ${index + 1}:${base64(replica.id)}:${
            base64(replica.key.der)
          }${shared}`,
        );
      }
    }
    lines.push(`  server: ${name}`);
  }
  lines.push(`size: ${formatSizeWord(description.size)}`, "");
  return lines.join("\n");
}

/** The routers that chunks are on, each once, sorted. */
export function routersOf(
  chunks: readonly DescribedChunk[],
): { name: string; router: RouterAddress }[] {
  const routers = new Map<string, RouterAddress>();
  for (const { router } of chunks.flatMap(({ replicas }) => replicas)) {
    routers.set(formatRouterAddress(router), router);
  }
  return [...routers].map(([name, router]) => ({ name, router }))
    .toSorted((a, b) => a.name < b.name ? -1 : 1);
}

/** The error of a description that is not what it is to be. */
export function badDescription(reason: string, cause?: unknown): SftpxError {
  return new SftpxError(
    "protocol",
    `Cannot use the file description: ${reason}`,
    cause,
  );
}

/** Reads the address of a router in a description, which holds no password. */
export function describedRouter(text: string): RouterAddress {
  let address: RouterAddress;
  try {
    address = parseRouterAddress(text);
  } catch (error) {
    throw badDescription("the address of a router in it is none", error);
  }
  if (address.password !== undefined) {
    throw badDescription("it has the password of a router in it");
  }
  return address;
}

function base64(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url" });
}

/** 32 characters without `=` could read as a number. */
function quotedIfNumber(text: string): string {
  return /^[-+]?[\d._]+(e[-+]?\d+)?$/i.test(text) ? `'${text}'` : text;
}
