/**
 * HTTP/2 by hand, as much as a conversation with a router takes: it shares no
 * line with the platform's client or server, and can be told to be rude.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import tls from "node:tls";

/** How to connect. */
export interface RawH2Options {
  readonly port: number;
  /** What is named in TLS. */
  readonly sni?: string;
  /** What is offered; nothing when it is empty. @default {["h2"]} */
  readonly alpn?: readonly string[];
}

/** What came back. */
export interface RawAnswer {
  readonly status: number;
  readonly body: Uint8Array<ArrayBuffer>;
  /** The header block as it came, for a look at it. */
  readonly headers: Uint8Array;
}

/** A request whose body is written by the caller. */
export interface RawStream {
  /** Writes a part of the body, as far as the router lets it. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends the body. */
  end(): void;
  /** Ends the request as if it had never been meant. */
  reset(): void;
  readonly answer: Promise<RawAnswer>;
}

/** A connection. */
export interface RawH2 {
  readonly alpn: string | false;
  /** The chain of the peer, DER. */
  readonly certificate: Uint8Array;
  /** Begins a request. */
  begin(
    headers?: Readonly<Record<string, string>>,
    method?: string,
    ends?: boolean,
  ): RawStream;
  /** Sends a request and waits for all of the answer. */
  ask(
    body: Uint8Array,
    headers?: Readonly<Record<string, string>>,
    method?: string,
  ): Promise<RawAnswer>;
  /** Writes bytes as they are: no frame, or one that should not be. */
  raw(bytes: Uint8Array): void;
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;
  close(): void;
}

const WINDOW = 1 << 24;
const FRAME = 16_384;

/** Connects and exchanges settings. */
export async function rawH2(options: RawH2Options): Promise<RawH2> {
  const { port, sni, alpn = ["h2"] } = options;
  const closed = Promise.withResolvers<void>();
  const socket = tls.connect({
    host: "127.0.0.1",
    port,
    rejectUnauthorized: false,
    ...(sni === undefined ? {} : { servername: sni }),
    ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
  });
  socket.on("error", () => {}); // told by "close"
  socket.on("close", () => closed.resolve());
  await Promise.race([
    new Promise<void>((resolve) => socket.on("secureConnect", () => resolve())),
    closed.promise.then(() => {
      throw new Error("Cannot connect: closed");
    }),
  ]);
  const streams = new Map<number, Stream>();
  let nextId = 1;
  let connectionWindow = 65_535;
  let initialWindow = 65_535;
  let wake = Promise.withResolvers<void>();
  const progress = (): void => {
    wake.resolve();
    wake = Promise.withResolvers<void>();
  };
  const send = (
    type: number,
    flags: number,
    id: number,
    payload: Uint8Array,
  ): void => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(id, 5);
    socket.write(Buffer.concat([head, payload]));
  };
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  send(4, 0, 0, Uint8Array.of(0, 4, ...u32(WINDOW), 0, 2, 0, 0, 0, 0));
  send(8, 0, 0, u32(WINDOW));

  const onFrame = (
    type: number,
    flags: number,
    id: number,
    payload: Buffer,
  ): void => {
    const stream = streams.get(id);
    switch (type) {
      case 0: // DATA
        stream?.parts.push(payload);
        if (payload.length > 0) {
          send(8, 0, 0, u32(payload.length));
          if (stream !== undefined) send(8, 0, id, u32(payload.length));
        }
        break;
      case 1: // HEADERS
        if (stream !== undefined) {
          stream.headers = payload;
          stream.status = statusOf(payload);
        }
        break;
      case 3: // RST_STREAM
        stream?.done.reject(new Error(`reset with ${payload.readUInt32BE(0)}`));
        streams.delete(id);
        break;
      case 4: // SETTINGS
        if ((flags & 1) === 0) {
          for (let at = 0; at < payload.length; at += 6) {
            if (payload.readUInt16BE(at) === 4) {
              const next = payload.readUInt32BE(at + 2);
              for (const one of streams.values()) {
                one.window += next - initialWindow;
              }
              initialWindow = next;
            }
          }
          send(4, 1, 0, new Uint8Array(0));
        }
        break;
      case 6: // PING
        if ((flags & 1) === 0) send(6, 1, 0, payload);
        break;
      case 8: { // WINDOW_UPDATE
        const more = payload.readUInt32BE(0);
        if (id === 0) connectionWindow += more;
        else if (stream !== undefined) stream.window += more;
        break;
      }
    }
    if ((type === 0 || type === 1) && (flags & 1) !== 0 && stream) {
      streams.delete(id);
      stream.done.resolve({
        status: stream.status,
        headers: stream.headers,
        body: new Uint8Array(Buffer.concat(stream.parts)),
      });
    }
    progress();
  };
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (data: Buffer) => {
    rest = rest.length === 0 ? data : Buffer.concat([rest, data]);
    let at = 0;
    while (rest.length - at >= 9) {
      const length = rest.readUIntBE(at, 3);
      if (rest.length - at < 9 + length) break;
      const id = rest.readUInt32BE(at + 5) & 0x7fff_ffff;
      const payload = rest.subarray(at + 9, at + 9 + length);
      onFrame(rest[at + 3] ?? 0, rest[at + 4] ?? 0, id, payload);
      at += 9 + length;
    }
    rest = rest.subarray(at);
  });
  let isOpen = true;
  closed.promise.then(() => {
    isOpen = false;
    for (const stream of streams.values()) {
      stream.done.reject(new Error("connection closed"));
    }
    streams.clear();
    progress();
  });

  const begin: RawH2["begin"] = (
    headers = {},
    method = "POST",
    ends = false,
  ) => {
    const id = nextId;
    nextId += 2;
    const stream: Stream = {
      parts: [],
      status: 0,
      headers: Buffer.alloc(0),
      window: initialWindow,
      done: Promise.withResolvers<RawAnswer>(),
    };
    stream.done.promise.catch(() => {}); // a caller may not want to know
    if (isOpen) streams.set(id, stream);
    else stream.done.reject(new Error("connection closed"));
    send(1, ends ? 5 : 4, id, headerBlock(method, headers));
    return {
      answer: stream.done.promise,
      async write(bytes) {
        for (let at = 0; at < bytes.length;) {
          const room = Math.min(connectionWindow, stream.window, FRAME);
          if (!streams.has(id)) return; // answered, or reset
          if (room <= 0) {
            await wake.promise;
            continue;
          }
          const part = bytes.subarray(at, at + room);
          connectionWindow -= part.length;
          stream.window -= part.length;
          send(0, 0, id, part);
          at += part.length;
        }
      },
      end: () => send(0, 1, id, new Uint8Array(0)),
      reset: () => {
        streams.delete(id);
        send(3, 0, id, u32(8));
        stream.done.reject(new Error("reset by us"));
      },
    };
  };
  return {
    alpn: socket.alpnProtocol ?? false,
    certificate: new Uint8Array(socket.getPeerCertificate().raw ?? []),
    begin,
    async ask(body, headers = {}, method = "POST") {
      const stream = begin(headers, method, body.length === 0);
      if (body.length > 0) {
        await stream.write(body);
        stream.end();
      }
      return await stream.answer;
    },
    raw: (bytes) => void socket.write(bytes),
    closed: closed.promise,
    close: () => socket.destroy(),
  };
}

interface Stream {
  parts: Buffer[];
  status: number;
  headers: Uint8Array;
  window: number;
  readonly done: PromiseWithResolvers<RawAnswer>;
}

function u32(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** Every header is a literal that nobody is to remember: no tables, no Huffman. */
function headerBlock(
  method: string,
  headers: Readonly<Record<string, string>>,
): Uint8Array {
  const all = {
    ":method": method,
    ":scheme": "https",
    ":path": "/",
    ":authority": "localhost",
    ...headers,
  };
  const text = (value: string): number[] => [
    value.length, // all are below 127
    ...new TextEncoder().encode(value),
  ];
  return Uint8Array.from(
    Object.entries(all).flatMap(([name, value]) => [
      0,
      ...text(name),
      ...text(value),
    ]),
  );
}

/** The status comes first, most often as one byte of the static table. */
function statusOf(block: Uint8Array): number {
  const STATIC: Record<number, number> = {
    0x88: 200,
    0x89: 204,
    0x8a: 206,
    0x8b: 304,
    0x8c: 400,
    0x8d: 404,
    0x8e: 500,
  };
  const [first = 0] = block;
  if (first in STATIC) return STATIC[first] ?? 0;
  // A literal with the name of the table: 0x08 or 0x48, length, three digits.
  const length = block[1] ?? 0;
  if ((length & 0x80) !== 0) return 0; // Huffman: not read here
  return Number(new TextDecoder().decode(block.subarray(2, 2 + length)));
}
