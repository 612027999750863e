/**
 * Frames of the status stream: what the receiver has, wants and refuses.
 *
 * | type | name       | body                                                       |
 * | ---- | ---------- | ---------------------------------------------------------- |
 * | 0x20 | VERDICT    | index, gen, kind; have: digest[32]; compare: chunks; refused: code, reason |
 * | 0x21 | CANDIDATES | index, gen, first, count, count times digest[32]; all zero: not held |
 * | 0x22 | DURABLE    | index, gen, first, count                                   |
 * | 0x23 | RETIRED    | next: all entries below it are final                       |
 * | 0x24 | CORRUPT    | index, gen, first, count                                   |
 * | 0x25 | PROGRESS   | durable bytes, received bytes, limiter                     |
 * | 0x26 | WANTED     | index, count: VERDICT want on gen 0 of each of these       |
 * | 0x42 | ARRIVED    | count, count times: connection, received bytes             |
 *
 * @module
 */
import { unreachable } from "../core/actor.ts";
import type { ErrorCode } from "../core/errors.ts";
import { byteOfCode, codeOfByte } from "./codes.ts";
import { MAX_TEXT_BYTES } from "./control.ts";
import {
  createReader,
  createWriter,
  type Reader,
  type Writer,
} from "./cursor.ts";
import { type Frame, ignoreExtension, MAX_STATUS_BODY } from "./frame.ts";
import { MAX_GEN } from "./manifest.ts";

/** What the receiver says about entries and chunks. */
export type StatusFrame =
  | {
    readonly type: "verdict";
    readonly index: number;
    readonly gen: number;
    readonly verdict: Verdict;
  }
  | {
    readonly type: "candidates";
    readonly index: number;
    readonly gen: number;
    readonly first: number;
    /** 32 bytes for each chunk from `first` on; zeros for one not held. */
    readonly digests: Uint8Array;
  }
  | {
    readonly type: "durable" | "corrupt";
    readonly index: number;
    readonly gen: number;
    readonly first: number;
    readonly count: number;
  }
  | { readonly type: "retired"; readonly next: number }
  | {
    readonly type: "progress";
    readonly durableBytes: number;
    readonly receivedBytes: number;
    readonly limiter: Limiter;
  }
  | {
    /** What came over each connection that is open; an extension. */
    readonly type: "arrived";
    readonly connections: readonly Arrived[];
  };

/** A status frame as it travels. */
export type WireStatus = StatusFrame | {
  /** Stands for verdicts: files that follow each other are wanted as they were announced first. */
  readonly type: "wanted";
  readonly index: number;
  readonly count: number;
};

/** What came over one connection. */
export interface Arrived {
  /** Its number within the session; 0 is the first. */
  readonly connection: number;
  /** Bodies of lane frames, bytes, as they arrive. */
  readonly bytes: number;
}

/** What the receiver does about a file. */
export type Verdict =
  | { readonly kind: "want" }
  | { readonly kind: "have"; readonly digest: Uint8Array }
  | {
    readonly kind: "compare";
    /** Candidates for chunks 0 to `chunks - 1` follow. */
    readonly chunks: number;
  }
  | {
    readonly kind: "refused";
    readonly code: ErrorCode;
    readonly reason: string;
  };

/** What keeps the receiver from being faster. */
export type Limiter = "none" | "disk" | "hash";

/** How many verdicts a frame may stand for. */
export const MAX_WANTED = 4096;

/** How many connections a frame may speak of. */
export const MAX_ARRIVED = 16;

/** How many candidates fit one frame. */
export const MAX_CANDIDATES: number = Math.floor((MAX_STATUS_BODY - 32) / 32);

const TYPES = {
  "verdict": 0x20,
  "candidates": 0x21,
  "durable": 0x22,
  "retired": 0x23,
  "corrupt": 0x24,
  "progress": 0x25,
  "wanted": 0x26,
  "arrived": 0x42,
} as const satisfies Record<WireStatus["type"], number>;
const NAMES: ReadonlyMap<number, WireStatus["type"]> = new Map(
  (Object.keys(TYPES) as WireStatus["type"][])
    .map((name) => [TYPES[name], name]),
);
const VERDICTS = ["want", "have", "compare", "refused"] as const;
const LIMITERS = ["none", "disk", "hash"] as const;

/**
 * Encodes a status frame, its header included.
 *
 * @throws {RangeError} when a field does not fit its place.
 */
export function encodeStatus(frame: WireStatus): Uint8Array<ArrayBuffer> {
  const to = createWriter(frame.type);
  addStatus(to, createWriter(frame.type), frame);
  return to.finish();
}

/**
 * Adds a status frame to `to`; `body` is a writer for what it needs meanwhile.
 *
 * @throws {RangeError} as `encodeStatus()` does; then nothing is added.
 */
export function addStatus(to: Writer, body: Writer, frame: WireStatus): void {
  if (body.length > 0) body.take(); // of one that could not be encoded
  writeBody(body, frame);
  to.frame(TYPES[frame.type], body);
}

/**
 * Decodes a status frame; `undefined` is an extension, to be ignored.
 *
 * @throws {SftpxError} `protocol` when the frame is not as it should be.
 */
export function decodeStatus(frame: Frame): WireStatus | undefined {
  const type = NAMES.get(frame.type);
  if (type === undefined) return ignoreExtension(frame.type, "status");
  const reader = createReader(frame.body, type);
  const decoded = decodeBody(type, reader);
  reader.end();
  return decoded;
}

function writeBody(to: Writer, frame: WireStatus): void {
  switch (frame.type) {
    case "retired":
      to.varint(frame.next);
      return;
    case "wanted":
      if (!(frame.count >= 1 && frame.count <= MAX_WANTED)) {
        throw new RangeError(
          `Cannot encode WANTED as there must be 1 to ${MAX_WANTED} files: current number is ${frame.count}`,
        );
      }
      to.varint(frame.index).varint(frame.count);
      return;
    case "progress":
      to.varint(frame.durableBytes).varint(frame.receivedBytes)
        .u8(LIMITERS.indexOf(frame.limiter));
      return;
    case "arrived": {
      const { connections } = frame;
      if (connections.length > MAX_ARRIVED) {
        throw new RangeError(
          `Cannot encode ARRIVED as there must be at most ${MAX_ARRIVED} connections: current number is ${connections.length}`,
        );
      }
      to.varint(connections.length);
      for (const { connection, bytes } of connections) {
        to.varint(connection).varint(bytes);
      }
      return;
    }
    case "verdict":
      to.varint(frame.index).varint(checkGen(frame.gen));
      writeVerdict(to, frame.verdict);
      return;
    case "candidates": {
      const count = frame.digests.length / 32;
      if (!Number.isInteger(count) || count < 1 || count > MAX_CANDIDATES) {
        throw new RangeError(
          `Cannot encode CANDIDATES as there must be 1 to ${MAX_CANDIDATES} digests: current length is ${frame.digests.length}`,
        );
      }
      to.varint(frame.index).varint(checkGen(frame.gen))
        .varint(frame.first).varint(count).bytes(frame.digests);
      return;
    }
    case "durable":
    case "corrupt":
      checkGen(frame.gen);
      to.varint(frame.index).varint(frame.gen).varint(frame.first)
        .varint(frame.count);
      return;
    default:
      unreachable(frame);
  }
}

function checkGen(gen: number): number {
  if (gen <= MAX_GEN) return gen;
  throw new RangeError(
    `Cannot encode status as gen must be <= ${MAX_GEN}: current value is ${gen}`,
  );
}

function writeVerdict(to: Writer, verdict: Verdict): void {
  to.u8(VERDICTS.indexOf(verdict.kind));
  switch (verdict.kind) {
    case "want":
      return;
    case "have":
      to.bytes(verdict.digest, 32);
      return;
    case "compare":
      to.varint(verdict.chunks);
      return;
    case "refused":
      to.u8(byteOfCode(verdict.code)).text(verdict.reason, MAX_TEXT_BYTES);
      return;
    default:
      unreachable(verdict);
  }
}

function decodeBody(type: WireStatus["type"], from: Reader): WireStatus {
  switch (type) {
    case "wanted": {
      const index = from.varint();
      const most = Math.min(MAX_WANTED, Number.MAX_SAFE_INTEGER - index);
      const count = from.varint(most);
      return count >= 1
        ? { type, index, count }
        : from.fail("there is nothing that is wanted");
    }
    case "retired":
      return { type, next: from.varint() };
    case "progress":
      return {
        type,
        durableBytes: from.varint(),
        receivedBytes: from.varint(),
        limiter: decodeName(from, LIMITERS, "limiter"),
      };
    case "arrived":
      return {
        type,
        connections: Array.from({ length: from.varint(MAX_ARRIVED) }, () => ({
          connection: from.varint(),
          bytes: from.varint(),
        })),
      };
    case "verdict":
      return {
        type,
        index: from.varint(),
        gen: from.varint(MAX_GEN),
        verdict: decodeVerdict(from),
      };
    case "candidates": {
      const { count, ...range } = decodeRange(from);
      return { type, ...range, digests: from.bytes(count * 32) };
    }
    case "durable":
    case "corrupt":
      return { type, ...decodeRange(from) };
    default:
      return unreachable(type);
  }
}

function decodeVerdict(from: Reader): Verdict {
  const kind = decodeName(from, VERDICTS, "verdict");
  switch (kind) {
    case "want":
      return { kind };
    case "have":
      return { kind, digest: from.bytes(32) };
    case "compare": {
      const chunks = from.varint();
      return chunks >= 1
        ? { kind, chunks }
        : from.fail("there is nothing to compare");
    }
    case "refused":
      return {
        kind,
        code: codeOfByte(from.u8()),
        reason: from.string(MAX_TEXT_BYTES),
      };
    default:
      return unreachable(kind);
  }
}

function decodeRange(
  from: Reader,
): { index: number; gen: number; first: number; count: number } {
  const index = from.varint();
  const gen = from.varint(MAX_GEN);
  const first = from.varint();
  const count = from.varint(Number.MAX_SAFE_INTEGER - first);
  return count >= 1
    ? { index, gen, first, count }
    : from.fail("the range is empty");
}

function decodeName<Name extends string>(
  from: Reader,
  names: readonly Name[],
  what: string,
): Name {
  const code = from.u8();
  return names[code] ?? from.fail(`${what} ${code} is unknown`);
}
