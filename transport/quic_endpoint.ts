/**
 * UDP sockets that speak QUIC, made once and used for all connections.
 *
 * Each of the platform's endpoints keeps some 3 MB that are never given back,
 * so there is a fixed number of them: a pool, or one given endpoint. One
 * endpoint can listen and dial at once.
 *
 * @module
 */
import {
  type Family,
  familyOf,
  formatAddress,
  withoutBrackets,
} from "./address.ts";
import { bindError } from "./quic_errors.ts";
import { raiseSocketBuffers, type SocketBuffers } from "./socket_buffers.ts";

/** Where an endpoint is bound, and how much its socket holds. */
export interface EndpointOptions {
  /** An address of this machine. @default {"::"}, or `0.0.0.0` where there is no IPv6 */
  readonly hostname?: string;
  /** @default {0} any that is free */
  readonly port?: number;
  /** How many bytes the socket should hold, each way; 0 leaves it as it is. @default {8388608} */
  readonly bufferBytes?: number;
  /** Leaves it as it is until `enlarge` is called. @default {false} */
  readonly isLate?: boolean;
}

/** A socket that speaks QUIC. */
export interface Endpoint {
  /** Where it is bound, `host:port`. */
  readonly address: string;
  readonly port: number;
  readonly family: Family;
  /** What its socket holds; `undefined` where that cannot be known, or before `enlarge`. */
  readonly buffers: SocketBuffers | undefined;
  /** Has its socket hold what it should, once: that takes 2 ms, which a dial can wait in. */
  enlarge(): void;
  /** The platform's own, for this folder only. */
  readonly raw: Deno.QuicEndpoint;
  /** Lets peers in, for this folder only; replaces who did so before. Returns what stops it. */
  listen(options: Deno.QuicListenOptions, host: Host): () => void;
  /** True after `close`. */
  readonly closed: boolean;
  /** Ends every connection and listener of it. */
  close(): void;
}

/** Who lets peers in. */
export interface Host {
  /** A peer's first datagram came: to be accepted or refused. */
  incoming(incoming: Deno.QuicIncoming): void;
  /** Nobody can come any more: the endpoint is closed. */
  ended(error: unknown): void;
}

/** A fixed number of endpoints to dial from, made when first needed. */
export interface EndpointPool {
  /**
   * The next endpoint, in turn, that can send to addresses of `family`. One that
   * is closed has another in its place. It is not enlarged yet.
   */
  take(family: Family): Endpoint;
  close(): void;
}

/** A pool whose endpoints can be enlarged later. */
export interface LatePool extends EndpointPool {
  /** Enlarges all there are, and all that come. */
  enlarge(): void;
}

/**
 * Binds an endpoint.
 *
 * @throws {SftpxError} `config` if the address cannot be had.
 */
export function createEndpoint(options: EndpointOptions = {}): Endpoint {
  const { port = 0, bufferBytes = DEFAULT_BUFFER_BYTES, isLate = false } =
    options;
  const raw = options.hostname === undefined
    ? bindAny(port)
    : bind(withoutBrackets(options.hostname), port);
  const { hostname, port: bound } = raw.addr;
  let closed = false;
  let isLarge = bufferBytes === 0;
  let buffers: SocketBuffers | undefined;
  const enlarge = (): void => {
    if (isLarge || closed) return;
    isLarge = true;
    buffers = raiseSocketBuffers({ hostname, port: bound }, bufferBytes);
  };
  if (!isLate) enlarge();
  return {
    address: formatAddress({ hostname, port: bound }),
    port: bound,
    family: familyOf(hostname) ?? 6,
    get buffers() {
      return buffers;
    },
    enlarge,
    raw,
    listen: doorway(raw),
    get closed() {
      return closed;
    },
    close() {
      closed = true;
      raw.close();
    },
  };
}

/**
 * Hands peers to whoever listens now. The platform cannot give up waiting for
 * the next peer: what waited for one host must serve the host that follows, or
 * the first peer of that one would be lost.
 */
function doorway(raw: Deno.QuicEndpoint): Endpoint["listen"] {
  let now:
    | { readonly listener: Deno.QuicListener; readonly host: Host }
    | undefined;
  let waiting = false;
  const run = async (): Promise<void> => {
    waiting = true;
    try {
      while (now !== undefined) {
        const incoming = await now.listener.incoming();
        if (now === undefined) incoming.refuse();
        else now.host.incoming(incoming);
      }
    } catch (error) {
      now?.host.ended(error);
    } finally {
      waiting = false;
    }
  };
  return (options, host) => {
    const listener = raw.listen(options);
    const mine = now = { listener, host };
    if (!waiting) run();
    return () => {
      if (now !== mine) return; // another listens: the platform has forgotten us
      now = undefined;
      listener.stop();
    };
  };
}

/** Makes a pool of at most `size` endpoints for each family. */
export function endpointPool(
  options: { readonly size?: number; readonly bufferBytes?: number } = {},
): LatePool {
  const { size = 1, bufferBytes = DEFAULT_BUFFER_BYTES } = options;
  if (!(size >= 1)) {
    throw new RangeError(
      `Cannot create endpoint pool as size must be >= 1: current value is ${size}`,
    );
  }
  const made: Record<Family, Endpoint[]> = { 4: [], 6: [] };
  const next: Record<Family, number> = { 4: 0, 6: 0 };
  const all = (): readonly Endpoint[] => [...made[4], ...made[6]];
  let isLate = true;
  return {
    take(family) {
      const index = next[family]++ % size;
      const there = made[family][index];
      if (there !== undefined && !there.closed) return there;
      return made[family][index] = createEndpoint({
        hostname: family === 4 ? "0.0.0.0" : "::",
        bufferBytes,
        isLate,
      });
    },
    enlarge() {
      isLate = false;
      for (const endpoint of all()) endpoint.enlarge();
    },
    close() {
      for (const endpoint of all()) endpoint.close();
    },
  };
}

/** Enough for bursts at 1 Gbit/s; the kernel gives less if it is told to. */
const DEFAULT_BUFFER_BYTES = 8 * 1024 * 1024;

function bind(hostname: string, port: number): Deno.QuicEndpoint {
  try {
    return new Deno.QuicEndpoint({ hostname, port });
  } catch (error) {
    throw bindError(formatAddress({ hostname, port }), error);
  }
}

function bindAny(port: number): Deno.QuicEndpoint {
  try {
    return new Deno.QuicEndpoint({ hostname: "::", port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) {
      throw bindError(formatAddress({ hostname: "::", port }), error);
    }
    return bind("0.0.0.0", port); // no IPv6 here
  }
}
