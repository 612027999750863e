/**
 * Receivers that say whatever a test wants, to a real sender.
 *
 * @module
 */
import { makeCertificate } from "../../crypto/certificate.ts";
import type { Hello, Offer, Welcome } from "../../protocol/control.ts";
import { encodePreamble, readPreamble } from "../../protocol/lane.ts";
import { decodeManifest, type ManifestFrame } from "../../protocol/manifest.ts";
import { encodeStatus, type StatusFrame } from "../../protocol/status.ts";
import { createEndpoint, quicListener } from "../../transport/quic.ts";
import type {
  Conn,
  ReceiveStream,
  SendStream,
} from "../../transport/transport.ts";
import { within } from "./deadline.ts";
import { framesOf, type RawControl, rawControl } from "./raw_peer.ts";

const LONG_MS = 10_000;

/** The certificate of all receivers here. */
export const CERTIFICATE = await makeCertificate({ now: new Date() });

/** A receiver without manners. */
export interface RawReceiver extends AsyncDisposable {
  readonly address: string;
  readonly fingerprint: Uint8Array;
  /** The next sender; nothing is said to it. */
  accept(): Promise<RawVisit>;
}

/** One connection of a sender. */
export interface RawVisit {
  readonly conn: Conn;
  readonly control: RawControl;
  readonly hello: Hello;
  readonly manifest: readonly ManifestFrame[];
  /** Bytes that came on each kind of one-way stream. */
  readonly bytes: { manifest: number; lane: number };
  /** Lanes that were opened. */
  readonly lanes: () => number;
  /** Records of lanes, as one text: to look for content in. */
  readonly content: () => string;
  /** Reads the offer, lets it in, and reads on. */
  enter(fields?: Partial<Welcome>): Promise<Offer>;
  /** Reads what the sender sends by itself. */
  read(): void;
  status(...frames: (StatusFrame | Uint8Array)[]): Promise<void>;
  /** Waits for a manifest frame. */
  said(fits: (frame: ManifestFrame) => boolean): Promise<ManifestFrame>;
  /** Waits until lanes brought so many bytes. */
  brought(bytes: number): Promise<void>;
}

/** Listens. */
export function rawReceiver(
  certificate: { cert: string; key: string; fingerprint: Uint8Array } =
    CERTIFICATE,
  alpn = "sftpx/1",
): RawReceiver {
  const endpoint = createEndpoint({ hostname: "127.0.0.1" });
  const { cert, key, fingerprint } = certificate;
  const listener = quicListener({ endpoint, cert, key, alpn });
  const conns: Conn[] = [];
  return {
    address: endpoint.address,
    fingerprint,
    async accept() {
      const conn = await within(LONG_MS, "a sender", listener.accept());
      if (conn === undefined) throw new Error("Cannot accept: closed");
      conns.push(conn);
      return await visit(conn);
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const conn of conns) {
        conn.close();
        await conn.closed.catch(() => {});
      }
      endpoint.close();
    },
  };
}

async function visit(conn: Conn): Promise<RawVisit> {
  const stream = await conn.acceptBidi();
  if (stream === undefined) throw new Error("Cannot hear the sender: it left");
  const control = rawControl(stream);
  const hello = await control.hear();
  if (hello?.type !== "hello") throw new Error("Cannot hear hello");
  const manifest: ManifestFrame[] = [];
  const bytes = { manifest: 0, lane: 0 };
  const looks = new Set<() => void>();
  const text = new TextDecoder("latin1");
  let content = "";
  let lanes = 0;
  let status: Promise<SendStream> | undefined;

  const changed = (): void => looks.forEach((look) => look());
  const readStream = async (stream: ReceiveStream): Promise<void> => {
    let head = new Uint8Array();
    let preamble = readPreamble(head);
    while (preamble === undefined) {
      const got = await stream.readFully(new Uint8Array(1));
      if (got.length === 0) return;
      head = new Uint8Array([...head, ...got]);
      preamble = readPreamble(head);
    }
    if (preamble.kind === "manifest") {
      for await (const f of framesOf(stream, (n) => bytes.manifest += n)) {
        const frame = decodeManifest(f);
        if (frame !== undefined) manifest.push(frame);
        changed();
      }
      return;
    }
    lanes++;
    for (;;) {
      const got = await stream.readSome(new Uint8Array(65_536));
      if (got.length === 0) return;
      bytes.lane += got.length;
      content += text.decode(got);
      changed();
    }
  };
  const until = async <T>(
    what: string,
    get: () => T | undefined,
  ): Promise<T> => {
    const { promise, resolve } = Promise.withResolvers<T>();
    const look = (): void => {
      const value = get();
      if (value !== undefined) resolve(value);
    };
    looks.add(look);
    look();
    try {
      return await within(LONG_MS, what, promise);
    } finally {
      looks.delete(look);
    }
  };

  const self: RawVisit = {
    conn,
    control,
    hello,
    manifest,
    bytes,
    lanes: () => lanes,
    content: () => content,
    async enter(fields = {}) {
      await control.say({
        type: "welcome",
        version: 1,
        continued: false,
        life: new Uint8Array(16).fill(1),
        next: 0,
        window: 8192,
        maxLanes: 8,
        ...fields,
      });
      const offer = await control.hear();
      if (offer?.type !== "offer") throw new Error("Cannot hear an offer");
      await control.say({ type: "accept" });
      self.read();
      return offer;
    },
    read() {
      (async () => {
        for (;;) {
          const stream = await conn.acceptUni();
          if (stream === undefined) return;
          readStream(stream).catch(() => {});
        }
      })().catch(() => {});
    },
    async status(...frames) {
      status ??= (async () => {
        const stream = await conn.openUni();
        await stream.write(encodePreamble("status", 0));
        return stream;
      })();
      const stream = await status;
      for (const frame of frames) {
        await stream.write(
          frame instanceof Uint8Array ? frame : encodeStatus(frame),
        );
      }
    },
    said: (fits) => until("a manifest frame", () => manifest.find(fits)),
    async brought(count) {
      await until("data", () => bytes.lane >= count || undefined);
    },
  };
  return self;
}
