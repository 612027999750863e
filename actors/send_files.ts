/**
 * What `send()` does, for who says how to come by its parts.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { TransferEvent } from "../core/events.ts";
import { late } from "../core/late.ts";
import { createRateLimiter } from "../core/rate.ts";
import { MAX_CHUNK_BYTES, MIN_CHUNK_BYTES } from "../protocol/entry.ts";
import type { BulkOptions } from "../protocol/bulk.ts";
import { parseAddress } from "../protocol/address.ts";
import type { Growth, GrowthOptions } from "../protocol/growth.ts";
import { fileIn } from "../store/own_file.ts";
import {
  areLittle,
  namedRoots,
  openSourceDisk,
  type SourceRoot,
  walkInSteps,
} from "../store/source.ts";
import { endpointPool, type LatePool } from "../transport/quic_endpoint.ts";
import type { QuicOptions } from "../transport/quic_options.ts";
import type { TlsOptions } from "../transport/tls_options.ts";
import type { Dialer } from "../transport/transport.ts";
import { type Dialers, peerDialers } from "./dialers.ts";
import type {
  PeerDialers,
  SendOptions,
  SendResult,
  StreamSource,
} from "./options.ts";
import { runSendSession } from "./send_session.ts";
import { lateThreads, openThreads, threadsFor } from "./threads.ts";
import type { SendParts } from "./send_parts.ts";
import { senderId } from "./sender_id.ts";
import { walkAhead } from "./chunker.ts";
import { sessionId } from "./session_id.ts";
import { lateHashing } from "./late_hashing.ts";
import { ALPN, systemWorld } from "./world.ts";

/** Options of `send()` where none are given. */
export const DEFAULT_SEND_OPTIONS: Readonly<
  Required<
    Pick<
      SendOptions,
      | "follow"
      | "exclude"
      | "lanes"
      | "connections"
      | "threads"
      | "congestion"
      | "carrier"
      | "giveUpAfterMs"
      | "fresh"
      | "checksum"
      | "b3sum"
      | "resumeDir"
    >
  >
> = Object.freeze({
  follow: false,
  exclude: Object.freeze([]),
  lanes: 8,
  connections: 4,
  threads: "auto",
  congestion: "auto",
  carrier: "auto",
  giveUpAfterMs: 600_000,
  fresh: false,
  checksum: false,
  b3sum: false,
  resumeDir: "sftpx_resume",
});

/** Chunks of files up to this size are 1 MiB, of larger ones 4 MiB. */
const LARGE_FILE_BYTES = 64 * 2 ** 30;
const DEFAULT_PORT = 4443;

/** What only tests change: times that are too long to wait for, and sockets that die. */
export interface SendInside {
  readonly endpoints?: LatePool;
  readonly quic?: QuicOptions;
  readonly tls?: TlsOptions;
  /** Where the receiver is over TCP, if that is not its own port. */
  readonly tcpPort?: number;
  /** Whether it has other ports for TCP. @default {if its port is the same} */
  readonly tcpSide?: boolean;
  /** When chunks go over TCP beside QUIC. */
  readonly bulk?: BulkOptions;
  /** Starts the Worker of a thread. */
  readonly spawnThread?: () => Worker;
  /** How many connections there are. */
  readonly growth?: (options: GrowthOptions) => Growth;
}

/** As `send()` of `send.ts`, with its parts from elsewhere. */
export async function sendFiles(
  options: SendOptions,
  parts: SendParts,
  {
    endpoints = endpointPool(),
    quic = {},
    tls = {},
    tcpPort,
    tcpSide,
    bulk,
    spawnThread,
    growth,
  }: SendInside = {},
): Promise<SendResult> {
  const settings = { ...DEFAULT_SEND_OPTIONS, ...options };
  const { to, resumeDir, lanes, connections, giveUpAfterMs } = settings;
  checkNumbers(settings);
  const threadCount = threadsFor(settings.threads);
  const world = systemWorld(options.log);
  const began = world.clock.now();
  const signal = options.signal ?? new AbortController().signal;
  signal.throwIfAborted();
  const where = to.dialers ?? parseAddress(to.address, DEFAULT_PORT);
  const { digest, pool, ready: hashing } = lateHashing(parts);
  const ways = late(parts.ways);
  const id = await senderId(fileIn(resumeDir, "sender.id"), world.randomBytes);
  const source = await openSources(settings.paths, parts, resumeDir, signal);
  const emit = (event: TransferEvent): void => options.onEvent?.(event);
  const dialers: PeerDialers & Partial<Dialers> = "cubic" in where
    ? where
    : peerDialers({
      ...where,
      fingerprint: to.fingerprint,
      carrier: settings.carrier,
      endpoints,
      isLittle: source.isLittle,
      quic,
      tls,
      ...(tcpPort !== undefined && { tcpPort }),
      ...(tcpSide !== undefined && { tcpSide }),
      tlsDialer: parts.tlsDialer,
      world,
      emit,
    });
  const { side } = dialers;
  const bulkDialer = settings.carrier === "auto" ? dialers.bulk : undefined;
  const mayThread = threadCount > 0 && "hostname" in where &&
    settings.carrier !== "tcp" && settings.congestion !== "bbr" &&
    options.limitRate === undefined; // for which one thread is enough
  const threads = mayThread
    ? lateThreads(
      threadCount,
      () =>
        openThreads(parts.laneThreads, threadCount, world.clock, spawnThread),
    )
    : undefined;
  const disk = openSourceDisk();
  try {
    const walk = walkAhead(() =>
      walkInSteps(source.roots, {
        ...settings,
        ignore: parts.ignore,
        disk,
        leaveOut: [resumeDir],
      }), world.clock);
    // What takes but a moment does without other ways than the first connection.
    const ready = (): Promise<unknown> => {
      walk.begin();
      return Promise.all([hashing(), source.isLittle || ways.load()]);
    };
    const away = async (): Promise<void> => {
      if (source.isLittle) return;
      if (bulkDialer !== undefined) await parts.tlsDialer();
      pool.expect?.(Infinity);
    };
    const { roots } = source;
    const isStream = settings.paths.some((path) => typeof path !== "string");
    // Where a stream is kept has another name each time.
    const named = isStream ? roots.map((it) => ({ ...it, local: "" })) : roots;
    const receiver = to.identity ?? to.fingerprint;
    const session = await sessionId(id, receiver, named);
    const outcome = await runSendSession({
      world,
      session,
      address: to.address,
      dialer: loadsMeanwhile(dialers.cubic, ready),
      bbrDialer: loadsMeanwhile(dialers.bbr, ready),
      ...(side && { sideDialer: side }),
      ...(growth && { growth }),
      ...(bulkDialer && { bulkDialer }),
      ...(dialers.shown && { shown: dialers.shown }),
      ...(dialers.bulkSide && settings.threads !== 0 &&
        { bulkSideDialer: dialers.bulkSide }),
      ...(bulk && { bulk }),
      congestion: settings.congestion,
      fingerprint: to.fingerprint,
      token: to.token,
      offer: {
        type: "offer",
        checksum: settings.checksum,
        b3sum: settings.b3sum,
        fresh: settings.fresh,
        totalBytes: undefined,
        label: labelOf(roots),
      },
      walk: walk.walk,
      away: () => away().catch(() => {}), // who wants it hears of it
      digest,
      pool,
      ways,
      enlarge: endpoints.enlarge,
      limiter: options.limitRate === undefined
        ? undefined
        : createRateLimiter(options.limitRate, world.clock),
      lanes,
      connections,
      threads: threads && "hostname" in where
        ? {
          max: threads.max,
          isForced: settings.threads !== "auto",
          hasRoom: () => threads.hasRoom,
          dialer: (place = where) =>
            threads.dialer({
              hostname: place.hostname,
              port: place.port,
              fingerprint: to.fingerprint,
              alpn: ALPN,
              quic,
            }),
        }
        : undefined,
      chunkSize: (size) =>
        settings.chunkSize ?? (size > LARGE_FILE_BYTES ? 2 ** 22 : 2 ** 20),
      giveUpAfterMs,
      emit,
    }, signal);
    const result: SendResult = {
      session: session.toHex(),
      totals: outcome.totals,
      root: outcome.root.toHex(),
      ms: Math.round(world.clock.now() - began),
      failures: outcome.failures,
    };
    const { failures: _, ...done } = result;
    options.onEvent?.({ type: "done", ...done });
    return result;
  } finally {
    await threads?.close();
    pool.close();
    endpoints.close();
    await source.close();
    disk.close();
  }
}

/** Dials, and loads meanwhile what is needed once the receiver has answered. */
function loadsMeanwhile(
  dialer: Dialer,
  ready: () => Promise<unknown>,
): Dialer {
  return {
    async dial(signal) {
      const dialled = dialer.dial(signal);
      const [conn] = await Promise.all([dialled, ready()]);
      return conn;
    },
  };
}

/** What a person at the receiver reads. */
function labelOf(roots: readonly SourceRoot[]): string {
  const [first] = roots;
  const more = roots.length > 1 ? ` and ${roots.length - 1} more` : "";
  return `${first?.name ?? ""}${more}`;
}

/** What is sent. */
interface OpenSources {
  readonly roots: readonly SourceRoot[];
  /** True for a file or few that are small: nothing is left to be made faster. */
  readonly isLittle: boolean;
  readonly close: () => Promise<void>;
}

/** Paths as they are; a stream as a file that holds what came of it. */
async function openSources(
  paths: SendOptions["paths"],
  parts: SendParts,
  resumeDir: string,
  signal: AbortSignal,
): Promise<OpenSources> {
  const [first] = paths;
  if (first === undefined) {
    throw new SftpxError("usage", "Cannot send: no paths were given");
  }
  const files = paths.filter((path) => typeof path === "string");
  if (files.length === paths.length) {
    const roots = await namedRoots(files);
    return {
      roots,
      isLittle: areLittle(roots),
      close: () => Promise.resolve(),
    };
  }
  if (paths.length > 1) {
    throw new SftpxError("usage", "Cannot send: a stream goes alone");
  }
  const { spool } = await parts.spool(); // streams are few
  const spooled = await spool(first as StreamSource, resumeDir, signal);
  return { ...spooled, isLittle: false };
}

function checkNumbers(
  settings: SendOptions & { lanes: number; connections: number },
): void {
  const { lanes, connections, chunkSize } = settings;
  if (!Number.isInteger(connections) || connections < 1 || connections > 16) {
    throw new RangeError(
      `Cannot send as connections must be an integer of 1..16: current value is ${connections}`,
    );
  }
  if (!Number.isInteger(lanes) || lanes < 1 || lanes > 64) {
    throw new RangeError(
      `Cannot send as lanes must be an integer of 1..64: current value is ${lanes}`,
    );
  }
  if (chunkSize === undefined) return;
  const isPower = Number.isInteger(Math.log2(chunkSize));
  if (!isPower || chunkSize < MIN_CHUNK_BYTES || chunkSize > MAX_CHUNK_BYTES) {
    throw new RangeError(
      `Cannot send as chunk size must be a power of two of ${MIN_CHUNK_BYTES}..${MAX_CHUNK_BYTES}: current value is ${chunkSize}`,
    );
  }
}
