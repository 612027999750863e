/**
 * Follows a description that leads to another one, and no further: the second
 * must be of a file.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { isIP } from "node:net";
import { concatBytes, equalBytes } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";
import { chunksOf, fetchChunks, type Routers } from "./client_download.ts";
import {
  type Description,
  MAX_DESCRIPTION_BYTES,
  routersOf,
} from "./description.ts";
import { parseDescription } from "./description_parse.ts";
import { openFileContent } from "./file_crypto.ts";

/** A description is filled up to chunks; more than this is none. */
const MAX_STORED_BYTES = 2 * MAX_DESCRIPTION_BYTES;

/**
 * Fetches the description that `outer` leads to.
 *
 * @throws {SftpxError} `integrity`, when it is not the one that was meant;
 * `protocol`, when it is none, or leads further.
 */
export async function followRedirect(
  outer: Description,
  routers: Routers,
  signal: AbortSignal,
): Promise<Description> {
  const { redirect } = outer;
  if (redirect === undefined) return outer;
  if (outer.size > MAX_STORED_BYTES) {
    throw wrong("protocol", "it is larger than a description can be");
  }
  const stored = new Uint8Array(outer.size);
  await fetchChunks(chunksOf(outer.chunks), routers, (bytes, offset) => {
    stored.set(bytes, offset);
    return Promise.resolve();
  }, signal);
  if (!equalBytes(sha512(stored), outer.digest)) {
    throw wrong("integrity", "its digest is wrong");
  }
  const opener = openFileContent(outer, stored.length);
  const text = concatBytes(opener.update(stored));
  opener.finish();
  if (
    text.length !== redirect.size || !equalBytes(sha512(text), redirect.digest)
  ) {
    throw wrong("integrity", "what is there is not what was meant");
  }
  const inner = await parseDescription(text);
  if (inner.redirect !== undefined) {
    throw wrong("protocol", "it leads further, and may not");
  }
  if (inner.party !== "recipient") {
    throw wrong("protocol", "it is not one of a recipient");
  }
  const leadsInside = hostsOf(inner).some(isPrivate) &&
    !hostsOf(outer).some(isPrivate);
  if (leadsInside) {
    throw wrong(
      "unauthorized",
      "it leads from routers of the internet to one of this network",
    );
  }
  return inner;
}

function hostsOf({ chunks }: Description): string[] {
  return routersOf(chunks).flatMap(({ router }) => router.hosts);
}

/** Whether a host is one that only those nearby can reach. */
export function isPrivate(host: string): boolean {
  if (isIP(host) === 4) {
    return /^(0|10|127|169\.254|192\.168|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./
      .test(host);
  }
  if (isIP(host) === 6) {
    const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host)?.[1];
    if (mapped !== undefined) return isPrivate(mapped);
    // What is not of the part that is given out, 2000::/3.
    return !/^[23][\da-f]{3}:/i.test(host);
  }
  return host === "localhost" ||
    /\.(localhost|local|internal|lan|home)$/.test(host) ||
    !host.includes(".");
}

function sha512(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha512").update(bytes).digest());
}

function wrong(
  code: "integrity" | "protocol" | "unauthorized",
  reason: string,
): SftpxError {
  return new SftpxError(
    code,
    `Cannot follow the redirect to the file description: ${reason}`,
  );
}
