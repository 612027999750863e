/**
 * `receive()`: listens, and takes what senders bring.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { Supervisor } from "../core/supervisor.ts";
import {
  checkCertificateDates,
  readCertificate,
} from "../crypto/certificate.ts";
import { parseBind } from "../protocol/address.ts";
import { MAX_CERTIFICATE_BYTES } from "../protocol/control.ts";
import { fileIn } from "../store/own_path.ts";
import { makeStateDir } from "../store/state_dir.ts";
import { openRoot, type Root } from "../store/root.ts";
import { shareCalls } from "../store/root_calls.ts";
import { combineListeners } from "../transport/carrier.ts";
import type { QuicOptions } from "../transport/quic.ts";
import type { TlsOptions } from "../transport/tls.ts";
import { createFileMaker } from "../workers/file_maker.ts";
import { LOOK_MS, sleptEvent } from "./migration.ts";
import type { ReceiveOptions, Receiver } from "./options.ts";
import { DEFAULT_QUIET_LIMITS, type QuietLimits } from "./quiet.ts";
import { createDoor } from "./door.ts";
import {
  type EntranceOptions,
  givenEntrance,
  openEntrance,
} from "./entrance.ts";
import type { ReceiveOutcome } from "./receive_scheduler.ts";
import { startReceiveSession } from "./receive_session.ts";
import { reception, type ReceptionMessage } from "./reception.ts";
import { createSpace } from "./space.ts";
import { bulkThreadsFor, openThreads, threadsFor } from "./threads.ts";
import { loadHashing } from "./hashing.ts";
import { systemWorld } from "./world.ts";

/** Options of {@linkcode receive} where none are given. */
export const DEFAULT_RECEIVE_OPTIONS: Readonly<
  Required<
    Omit<
      ReceiveOptions,
      | "certificate"
      | "token"
      | "listener"
      | "alsoAt"
      | "signal"
      | "onEvent"
      | "log"
    >
  >
> = Object.freeze({
  bind: "0.0.0.0:4443",
  carrier: "auto",
  uploadDir: "uploads",
  resumeDir: "sftpx_resume",
  once: false,
  onConflict: "rename",
  links: "inside",
  allowHidden: false,
  maxSize: Number.MAX_SAFE_INTEGER,
  maxFiles: Number.MAX_SAFE_INTEGER,
  maxSessions: 128,
  threads: "auto",
  keepFree: 64 * 2 ** 20,
});

const DEFAULT_PORT = 4443;
/** A sender that is away this long is not waited for, ms. Its parts stay. */
const AWAY_MS = 600_000;
/** How long the last words may take to reach a sender, ms. */
const FAREWELL_MS = 50;

/**
 * Listens for senders, and takes what they bring into a folder, until it is
 * closed or its signal aborts.
 *
 * @throws {SftpxError} `config` when address or certificate are of no use,
 * `local-io` when the folder is not.
 */
export function receive(options: ReceiveOptions): Promise<Receiver> {
  return receiveInside(options, {});
}

/** What only tests change: times that are too long to wait for. */
export interface ReceiveInside {
  readonly limits?: QuietLimits;
  readonly quic?: QuicOptions;
  readonly tls?: TlsOptions;
  /** Starts the Worker of a thread. */
  readonly spawnThread?: () => Worker;
  /** Memory for frames that a session's lanes read, bytes. */
  readonly roomBytes?: number;
  /** Changes what a session's upload folder does. */
  readonly root?: (root: Root) => Root;
  /** What stands between a side port and its senders. */
  readonly sidePort?: EntranceOptions["sidePort"];
}

/** As {@linkcode receive}, for tests. */
export async function receiveInside(
  options: ReceiveOptions,
  {
    limits = DEFAULT_QUIET_LIMITS,
    quic = {},
    tls = {},
    roomBytes,
    root = (root) => root,
    sidePort,
    spawnThread,
  }: ReceiveInside,
): Promise<Receiver> {
  const settings = { ...DEFAULT_RECEIVE_OPTIONS, ...options };
  const threadCount = threadsFor(settings.threads);
  const bulkCount = bulkThreadsFor(settings.threads);
  const { uploadDir, resumeDir, certificate } = settings;
  const world = systemWorld(options.log);
  const emit = settings.onEvent ?? (() => {});
  const now = new Date(world.clock.wallMs());
  const known = readCertificate(certificate.cert, now);
  checkCertificateDates(known, now);
  const { fingerprint } = known;
  const where = parseBind(settings.bind, DEFAULT_PORT);
  await makeStateDir(resumeDir);
  const { digest, pool } = await loadHashing();
  const maker = createFileMaker();
  const calls = shareCalls();
  const openUploads = (): Promise<Root> =>
    openRoot(uploadDir, { calls: calls.lend() });
  const first = await openUploads().catch((error) => {
    calls.close();
    throw error;
  });
  await first.removeEmptyPartials(); // of a receiver that was killed at the end
  const space = createSpace(() => first.free(), settings.keepFree, world.clock);
  const entrance = givenEntrance(settings.listener) ?? openEntrance({
    ...where,
    certificate,
    carrier: settings.carrier,
    threads: threadCount > 0
      ? () => openThreads(laneThreads, threadCount, world.clock, spawnThread)
      : undefined,
    bulkThreads: bulkCount > 0
      ? () => openThreads(laneThreads, bulkCount, world.clock, spawnThread)
      : undefined,
    quic,
    tls,
    sidePort,
    clock: world.clock,
    log: world.log,
    emit,
  });
  const { side } = entrance;
  const listener = settings.alsoAt === undefined
    ? entrance.listener
    : combineListeners(entrance.listener, settings.alsoAt);
  const door = createDoor(listener);
  const own = new AbortController();
  const signal = settings.signal === undefined
    ? own.signal
    : AbortSignal.any([own.signal, settings.signal]);
  const began = new Map<string, number>();
  let sleptAt = -Infinity;
  /** Every session sees it; one word is enough. */
  const slept = (ms: number): void => {
    const now = world.clock.now();
    if (now - sleptAt >= LOOK_MS * 2) emit(sleptEvent(ms));
    sleptAt = now;
  };

  const ended = (hex: string, result: ReceiveOutcome | SftpxError): void => {
    const ms = Math.round(world.clock.now() - (began.get(hex) ?? 0));
    began.delete(hex);
    if (result instanceof SftpxError) {
      const { code, message } = result;
      emit({ type: "failed", session: hex, code, message });
      return;
    }
    const { totals, root } = result;
    emit({ type: "done", session: hex, totals, root: root.toHex(), ms });
    if (settings.once) own.abort();
  };

  const supervisor = new Supervisor("receiver", {
    strategy: "one-for-one",
    maxCrashes: 3,
    crashWindowMs: 60_000,
    backoffMs: 250,
    backoffCapMs: 15_000,
    patienceMs: Infinity,
    shutdownMs: 60_000, // sessions flush what they have
  }, world);
  supervisor.add<ReceptionMessage>({
    name: "reception",
    capacity: 64,
    restart: "permanent",
    create: () =>
      reception({
        door,
        sideDoor: side?.door,
        fingerprint,
        token: settings.token,
        maxSessions: settings.maxSessions,
        emit,
        ended,
        start(link, signal) {
          const hex = link.hello.session.toHex();
          began.set(hex, world.clock.now());
          return startReceiveSession(
            {
              ...settings,
              world,
              certificate: settings.carrier !== "quic" &&
                  known.der.length <= MAX_CERTIFICATE_BYTES
                ? known.der
                : undefined,
              session: link.hello.session,
              journalFile: fileIn(resumeDir, `${hex}.bitmap`),
              openRoot: async () => root(await openUploads()),
              digest,
              pool,
              maker,
              reserve: space.reserve,
              reserveNow: space.reserveNow,
              release: space.release,
              admit: (totalBytes) => space.check(totalBytes ?? 0),
              ...(side && { sidePorts: side.take }),
              ...(roomBytes !== undefined && { roomBytes }),
              emit,
              patienceMs: AWAY_MS,
              limits,
              slept,
            },
            link,
            signal,
          );
        },
      }),
  });

  const run = async (): Promise<void> => {
    try {
      await supervisor.run(signal);
    } finally {
      door.close();
      side?.door.close();
      await world.clock.delay(FAREWELL_MS);
      entrance.close();
      pool.close();
      maker.close();
      first.close();
      calls.close();
    }
  };
  const finished = run();
  finished.catch(() => {}); // whoever waits for it hears of it
  const { address } = listener;
  emit({ type: "listening", address, fingerprint: fingerprint.toHex() });
  return {
    address,
    fingerprint,
    finished,
    async close() {
      own.abort();
      await finished;
    },
  };
}

/** What it takes to have threads. */
const laneThreads = () => import("../workers/lane_threads.ts");
