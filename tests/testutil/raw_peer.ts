/**
 * Peers that say whatever a test wants, over real QUIC: frames in any order,
 * or bytes that are none.
 *
 * @module
 */
import type { Secret } from "../../core/secret.ts";
import { loadDigest } from "../../crypto/digest.ts";
import { helloProof } from "../../crypto/proof.ts";
import {
  type ControlFrame,
  decodeControl,
  encodeControl,
  type Hello,
} from "../../protocol/control.ts";
import { createFrameReader, type Frame } from "../../protocol/frame.ts";
import {
  encodePreamble,
  LANE_HEADER_BYTES,
  RECORD_HEADER_BYTES,
  writeLaneHeader,
  writeRecord,
} from "../../protocol/lane.ts";
import { encodeManifest, type ManifestFrame } from "../../protocol/manifest.ts";
import { decodeStatus, type StatusFrame } from "../../protocol/status.ts";
import { plainStatus } from "../../protocol/status_list.ts";
import { parseAddress } from "../../protocol/address.ts";
import { createEndpoint, quicDialer } from "../../transport/quic.ts";
import type {
  BidiStream,
  Conn,
  ReceiveStream,
  SendStream,
} from "../../transport/transport.ts";
import { within } from "./deadline.ts";

/** How long anything here may take, ms. */
const LONG_MS = 10_000;
const MAX_BODY = 2 ** 25;

/** BLAKE3 of bytes. */
export const { digest: blake3 } = await loadDigest();

/** Whom to reach, and as whom. */
export interface RawSenderOptions {
  readonly address: string;
  /** SHA-256 of the certificate to expect. */
  readonly fingerprint: Uint8Array;
  /** What the proof is made with; none is 32 zeros. */
  readonly token?: Secret;
  /** SHA-256 of the certificate that the proof is for. @default {fingerprint} */
  readonly provenFingerprint?: Uint8Array;
  readonly session?: Uint8Array;
  readonly life?: Uint8Array;
  readonly attempt?: number;
  readonly alpn?: string;
}

/** How a connection ended: the code and reason of its close, or that it was lost. */
export interface Ended {
  readonly code: string;
  readonly reason: string;
}

/** The control stream as a hostile peer has it. */
export interface RawControl {
  say(...frames: ControlFrame[]): Promise<void>;
  /** Writes bytes as they are. */
  raw(bytes: Uint8Array): Promise<void>;
  /** The next frame; `undefined` when there is none any more. */
  hear(): Promise<ControlFrame | undefined>;
}

/** A sender without manners. */
export interface RawSender extends AsyncDisposable {
  readonly conn: Conn;
  readonly control: RawControl;
  /** Status frames that came so far. */
  readonly statuses: readonly StatusFrame[];
  /** Bytes of status that came so far. */
  readonly statusBytes: number;
  /** A hello whose proof is right for its fields, but for those given last. */
  hello(fields?: Partial<Hello>, after?: Partial<Hello>): Promise<Hello>;
  /** Hello and offer, and the answers to them; then status is read unless told otherwise. */
  enter(options?: EnterOptions): Promise<void>;
  /** Says frames on the manifest stream. */
  manifest(...frames: (ManifestFrame | Uint8Array)[]): Promise<void>;
  /** Opens a stream of lanes, or of whatever `first` says. */
  open(first?: Uint8Array): Promise<SendStream>;
  /** Waits for a status frame, among those that were and that come. */
  status(fits: (frame: StatusFrame) => boolean): Promise<StatusFrame>;
  /** How it ended. */
  ended(): Promise<Ended>;
}

/** See {@linkcode RawSender.enter}. */
export interface EnterOptions {
  readonly label?: string;
  readonly totalBytes?: number;
  /** @default {true} */
  readonly readStatus?: boolean;
}

/** Dials a receiver; nothing is said yet. */
export async function rawSender(options: RawSenderOptions): Promise<RawSender> {
  const { fingerprint, token, alpn = "sftpx/1", attempt = 1 } = options;
  const { provenFingerprint = fingerprint } = options;
  const session = options.session ??
    crypto.getRandomValues(new Uint8Array(32));
  const life = options.life ?? crypto.getRandomValues(new Uint8Array(16));
  const { hostname, port } = parseAddress(options.address, 0);
  const endpoint = createEndpoint({ hostname: "127.0.0.1" });
  const dialer = quicDialer({ endpoint, hostname, port, fingerprint, alpn });
  const conn = await dialer.dial(new AbortController().signal).catch(
    (error) => {
      endpoint.close();
      throw error;
    },
  );
  const control = rawControl(await conn.openBidi());
  const statuses: StatusFrame[] = [];
  const waiting = new Set<() => void>();
  let statusBytes = 0;
  let manifest: Promise<SendStream> | undefined;

  const readStatus = async (): Promise<void> => {
    const stream = await conn.acceptUni();
    if (stream === undefined) return;
    await stream.readFully(new Uint8Array(2));
    for await (const frame of framesOf(stream, (n) => statusBytes += n)) {
      const status = decodeStatus(frame);
      if (status !== undefined) statuses.push(...plainStatus([status]));
      for (const look of waiting) look();
    }
  };

  const self: RawSender = {
    conn,
    control,
    statuses,
    get statusBytes() {
      return statusBytes;
    },
    async hello(fields = {}, after = {}) {
      const hello = {
        type: "hello" as const,
        version: 1,
        extra: false,
        session,
        life,
        nonce: crypto.getRandomValues(new Uint8Array(16)),
        attempt,
        connection: 0,
        ...fields,
      };
      const proof = await helloProof(token?.reveal() ?? new Uint8Array(), {
        ...hello,
        fingerprint: provenFingerprint,
      });
      return { ...hello, proof, ...after };
    },
    async enter({ label = "", totalBytes, readStatus: reads = true } = {}) {
      await control.say(await self.hello(), {
        type: "offer",
        checksum: false,
        b3sum: false,
        fresh: false,
        totalBytes,
        label,
      });
      for (const type of ["welcome", "accept"]) {
        const frame = await control.hear();
        if (frame?.type === type) continue;
        throw new Error(`Cannot enter: heard ${JSON.stringify(frame)}`);
      }
      if (reads) readStatus().catch(() => {});
    },
    async manifest(...frames) {
      const stream = await (manifest ??= self.open(
        encodePreamble("manifest", 0),
      ));
      for (const frame of frames) {
        await stream.write(
          frame instanceof Uint8Array ? frame : encodeManifest(frame),
        );
      }
    },
    async open(first = encodePreamble("lane", 0)) {
      const stream = await conn.openUni();
      await stream.write(first);
      return stream;
    },
    async status(fits) {
      const { promise, resolve } = Promise.withResolvers<StatusFrame>();
      const look = (): void => {
        const found = statuses.find(fits);
        if (found !== undefined) resolve(found);
      };
      waiting.add(look);
      look();
      const found = await within(LONG_MS, "a status frame", promise);
      waiting.delete(look);
      return found;
    },
    ended: () => within(LONG_MS, "the end of a connection", endOf(conn)),
    async [Symbol.asyncDispose]() {
      conn.close();
      await conn.closed.catch(() => {});
      endpoint.close();
    },
  };
  return self;
}

/** One record of a lane frame; what is not given is right. */
export interface RawRecord {
  readonly index: number;
  readonly bytes?: Uint8Array;
  readonly chunk?: number;
  readonly gen?: number;
  readonly kind?: "data" | "same";
  readonly digest?: Uint8Array;
  readonly length?: number;
}

/** A lane frame of `records`. */
export function laneFrame(...records: readonly RawRecord[]): Uint8Array {
  const size = records.reduce(
    (sum, { bytes }) => sum + RECORD_HEADER_BYTES + (bytes?.length ?? 0),
    LANE_HEADER_BYTES,
  );
  const frame = new Uint8Array(size);
  writeLaneHeader(frame, 0, {
    length: size - LANE_HEADER_BYTES,
    count: records.length,
  });
  let at = LANE_HEADER_BYTES;
  for (const record of records) {
    const { bytes = new Uint8Array(), index, chunk = 0, gen = 0 } = record;
    writeRecord(frame, at, {
      kind: record.kind ?? "data",
      gen,
      length: record.length ?? bytes.length,
      index,
      chunk,
      digest: record.digest ?? blake3(bytes),
    });
    frame.set(bytes, at + RECORD_HEADER_BYTES);
    at += RECORD_HEADER_BYTES + bytes.length;
  }
  return frame;
}

/** Speaks control frames, good or bad. */
export function rawControl(stream: BidiStream): RawControl {
  const frames = framesOf(stream.receive);
  return {
    async say(...list) {
      for (const frame of list) await stream.send.write(encodeControl(frame));
    },
    raw: (bytes) => stream.send.write(bytes),
    async hear() {
      for (;;) {
        const { value, done } = await within(
          LONG_MS,
          "a control frame",
          frames.next(),
        );
        if (done) return undefined;
        const frame = decodeControl(value);
        if (frame !== undefined) return frame;
      }
    },
  };
}

/** All frames of a stream, until it ends or is lost. */
export async function* framesOf(
  stream: ReceiveStream,
  read: (bytes: number) => void = () => {},
): AsyncGenerator<Frame, undefined> {
  const reader = createFrameReader(MAX_BODY);
  for (;;) {
    const bytes = await stream.readSome(new Uint8Array(65_536))
      .catch(() => new Uint8Array());
    if (bytes.length === 0) return;
    read(bytes.length);
    reader.push(bytes);
    for (let f = reader.next(); f !== undefined; f = reader.next()) yield f;
  }
}

/** How a connection ended. */
export async function endOf(conn: Conn): Promise<Ended> {
  try {
    const { code = "none", reason } = await conn.closed;
    return { code, reason };
  } catch {
    return { code: "lost", reason: "" };
  }
}
