/**
 * Offers: what two people carry to each other by any chat, when there is no
 * helper. Each side's says where it is and how it is known; both together make
 * keys.
 *
 * `sftpx-offer:` and then, in base64url:
 *
 * | field       | bytes | meaning                                          |
 * | ----------- | ----- | ------------------------------------------------ |
 * | version     | 1     | 1                                                |
 * | role        | 1     | 0 sender, 1 receiver                             |
 * | share       | 32    | X25519                                           |
 * | fingerprint | 32    | SHA-256 of the certificate                       |
 * | identity    | 32    | who it is across runs, hashed                    |
 * | count       | 1     | of addresses, at most 8                          |
 * | addresses   |       | as candidates.ts writes them                     |
 * | check       | 4     | of SHA-256 over all before: a slip in copying    |
 *
 * @module
 */
import { createHash } from "node:crypto";
import { equalBytes, fromBase64Url, toBase64Url } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";
import { createReader, createWriter } from "../protocol/cursor.ts";
import { isUsable, readCandidate, writeCandidate } from "./candidates.ts";
import { scopeOf } from "./ip.ts";
import type { Candidate, Role } from "./types.ts";

/** What one side says. */
export interface Offer {
  readonly role: Role;
  readonly share: Uint8Array;
  readonly fingerprint: Uint8Array;
  readonly identity: Uint8Array;
  readonly candidates: readonly Candidate[];
}

/** Addresses in an offer. */
export const MAX_OFFERED = 8;

const HEAD = "sftpx-offer:";
const VERSION = 1;
const CHECK_BYTES = 4;
/** Longer than any offer, with what a chat puts around it. */
const LONGEST = 8192;
/** Lines that an offer may be broken into. */
const MAX_PARTS = 40;

/** The bytes of an offer, check included. */
export function encodeOffer(offer: Offer): Uint8Array<ArrayBuffer> {
  const { role, share, fingerprint, identity, candidates } = offer;
  const body = createWriter("offer").u8(VERSION).u8(role === "sender" ? 0 : 1)
    .bytes(share, 32).bytes(fingerprint, 32).bytes(identity, 32);
  const told = candidates.slice(0, MAX_OFFERED);
  body.u8(told.length);
  for (const candidate of told) writeCandidate(body, candidate);
  const bytes = body.finish();
  return createWriter("offer").bytes(bytes).bytes(checkOf(bytes)).finish();
}

/** The text of an offer. */
export function formatOffer(offer: Offer): string {
  return HEAD + toBase64Url(encodeOffer(offer));
}

/**
 * Finds an offer in what somebody pasted: line breaks and words around it do not
 * matter.
 *
 * @throws {SftpxError} "usage" when there is none, or it is not whole.
 */
export function parseOffer(text: string): Offer {
  if (text.length > LONGEST) throw bad("it is too long");
  const at = text.indexOf(HEAD);
  if (at < 0) throw bad(`it does not begin with ${HEAD}`);
  const body = wholeBody(text.slice(at + HEAD.length));
  if (body === undefined) throw bad("a part of it is missing, or was changed");
  try {
    const reader = createReader(body, "offer");
    const version = reader.u8();
    if (version !== VERSION) reader.fail(`its version is ${version}`);
    const role = reader.u8();
    if (role > 1) reader.fail("there is no such role");
    const fields = {
      role: role === 0 ? "sender" : "receiver",
      share: reader.bytes(32).slice(),
      fingerprint: reader.bytes(32).slice(),
      identity: reader.bytes(32).slice(),
    } as const;
    const count = reader.u8();
    if (count > MAX_OFFERED) reader.fail("it has too many addresses");
    const candidates = Array.from(
      { length: count },
      () => readCandidate(reader),
    );
    reader.end();
    return { ...fields, candidates: candidates.filter(isUsable) };
  } catch (error) {
    throw new SftpxError(
      "usage",
      "Cannot read offer: it is none of ours",
      error,
    );
  }
}

/** Addresses that go into an offer: who reads the chat learns nothing of the network behind a router. */
export function isForChat({ hostname, kind }: Candidate): boolean {
  const scope = scopeOf(hostname);
  return kind !== "relay" && (scope === "public" || scope === "shared");
}

/** What stands before a right check: a chat may have broken the line, and there may be words behind it. */
function wholeBody(text: string): Uint8Array | undefined {
  let letters = "";
  for (const part of text.trim().split(/\s+/).slice(0, MAX_PARTS)) {
    letters += part;
    const bytes = fromBase64Url(/^[\w-]*/.exec(letters)?.[0] ?? "");
    if (bytes === undefined || bytes.length <= CHECK_BYTES) continue;
    const body = bytes.subarray(0, -CHECK_BYTES);
    if (equalBytes(checkOf(body), bytes.subarray(-CHECK_BYTES))) return body;
  }
  return undefined;
}

function checkOf(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest().subarray(0, CHECK_BYTES);
}

function bad(reason: string): SftpxError {
  return new SftpxError("usage", `Cannot read offer: ${reason}`);
}
