/**
 * CPace, a balanced PAKE: two who know the same few words come to the same key,
 * and whoever does not know them learns nothing but whether one guess was right.
 *
 * This is the suite CPACE-RISTR255-SHA512 of draft-irtf-cfrg-cpace-21, as
 * initiator and responder. Its names are the draft's; `tests/vectors/cpace.json`
 * holds the draft's vectors (appendix B.3).
 *
 * ```text
 * g   = map(SHA-512(lv(DSI) ‖ lv(PRS) ‖ lv(zeros) ‖ lv(CI) ‖ lv(sid)))
 * Y   = g · y                       y is random; Y goes to the peer
 * K   = Y_peer · y                  never the neutral element
 * ISK = SHA-512(lv(DSI "_ISK") ‖ lv(sid) ‖ lv(K) ‖ lv(Ya) ‖ lv(ADa) ‖ lv(Yb) ‖ lv(ADb))
 * lv(x) = LEB128(length of x) ‖ x
 * ```
 *
 * @module
 */
import { createHash } from "node:crypto";
import { ristretto255, ristretto255_hasher } from "@noble/curves/ed25519.js";
import { concatBytes } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";
import type { RandomBytes } from "./random.ts";

/** Bytes of what each side sends. */
export const SHARE_LENGTH = 32;

/** Bytes of the key that both come to. */
export const ISK_LENGTH = 64;

/** What both sides must agree on. */
export interface CpaceInput {
  /** The password-related string. */
  readonly prs: Uint8Array;
  /** The channel: what this key is for, and between whom. */
  readonly ci: Uint8Array;
  /** Names this one exchange; never the same twice. */
  readonly sid: Uint8Array;
}

/** What one side says: its share, and what the key is to be bound to. */
export interface CpaceSide {
  readonly share: Uint8Array;
  /** Associated data. */
  readonly ad: Uint8Array;
}

/** One exchange of one side. */
export interface Cpace {
  /** What the peer must be sent. */
  readonly share: Uint8Array<ArrayBuffer>;
  /**
   * The key, once both sides are known. It is the same on both only if all
   * inputs are. It can be had once.
   *
   * @param isInitiator Whether we are the one whose side comes first.
   * @throws {SftpxError} `unauthorized` when the peer's share is no element, or
   * makes a key that everybody knows.
   */
  finish(
    sides: { readonly initiator: CpaceSide; readonly responder: CpaceSide },
    isInitiator: boolean,
  ): Uint8Array<ArrayBuffer>;
}

/** Begins an exchange. */
export function beginCpace(input: CpaceInput, random: RandomBytes): Cpace {
  return cpaceWith(input, sampleScalar(random));
}

/** As {@linkcode beginCpace}, with a scalar that is not random: for vectors only. */
export function cpaceWith(input: CpaceInput, scalar: bigint): Cpace {
  const share = new Uint8Array(
    generator(input).multiply(scalar).toBytes(),
  );
  let left: bigint | undefined = scalar;
  return {
    share,
    finish({ initiator, responder }, isInitiator) {
      if (left === undefined) {
        throw new TypeError("Cannot finish as this exchange has been used");
      }
      const peer = isInitiator ? responder : initiator;
      const key = scalarMultVfy(left, peer.share);
      left = undefined;
      return sha512(
        lv(DSI_ISK),
        lv(input.sid),
        lv(key),
        ...[initiator, responder].flatMap(({ share, ad }) => [
          lv(share),
          lv(ad),
        ]),
      );
    },
  };
}

/** The string that the generator comes from; for vectors. */
export function generatorString({ prs, ci, sid }: CpaceInput): Uint8Array {
  const zeros = Math.max(
    0,
    HASH_BLOCK - lv(prs).length - lv(DSI).length - 1,
  );
  return concatBytes(
    lv(DSI),
    lv(prs),
    lv(new Uint8Array(zeros)),
    lv(ci),
    lv(sid),
  );
}

/** The generator that only those have who know the words; for vectors. */
export function generator(input: CpaceInput): Element {
  const { deriveToCurve } = ristretto255_hasher; // not all its groups have it
  if (deriveToCurve === undefined) {
    throw new TypeError("Cannot map to ristretto255");
  }
  return deriveToCurve(sha512(generatorString(input)));
}

/**
 * `share` times `scalar`.
 *
 * @throws {SftpxError} `unauthorized` when that is the neutral element, or
 * `share` is none.
 */
export function scalarMultVfy(
  scalar: bigint,
  share: Uint8Array,
): Uint8Array<ArrayBuffer> {
  let point: Element;
  try {
    point = ristretto255.Point.fromBytes(share);
  } catch { // without the cause, which says what it read
    throw refused();
  }
  // Before and after: the library does not multiply the neutral element.
  if (point.is0()) throw refused();
  const key = point.multiply(scalar);
  if (key.is0()) throw refused();
  return new Uint8Array(key.toBytes());
}

/** A scalar of the group as the draft recommends: 252 random bits, little-endian. */
export function sampleScalar(random: RandomBytes): bigint {
  for (;;) {
    const bytes = random(32);
    bytes[31] = (bytes[31] ?? 0) & 0x0f;
    const scalar = littleEndian(bytes);
    if (scalar !== 0n) return scalar;
  }
}

/** A number from its bytes, the smallest first. */
export function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${bytes.slice().reverse().toHex() || "0"}`);
}

type Element = InstanceType<typeof ristretto255.Point>;

const TEXT = new TextEncoder();
const DSI = TEXT.encode("CPaceRistretto255");
const DSI_ISK = TEXT.encode("CPaceRistretto255_ISK");
/** SHA-512 takes in this many bytes at a time: the words fill the first. */
const HASH_BLOCK = 128;

function lv(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const length: number[] = [];
  let rest = bytes.length;
  for (; rest >= 128; rest = Math.floor(rest / 128)) {
    length.push(rest % 128 | 128);
  }
  return concatBytes(Uint8Array.of(...length, rest), bytes);
}

function sha512(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const hash = createHash("sha512");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

function refused(): SftpxError {
  return new SftpxError(
    "unauthorized",
    "Cannot agree on a key: what the peer says is not in the group",
  );
}
