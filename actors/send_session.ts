/**
 * A session at the sender: its actors, how they depend on each other, and how
 * it ends.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { codeOf, SftpxError, sftpxErrorOf } from "../core/errors.ts";
import type { EventSink } from "../core/events.ts";
import { inTime } from "../core/in_time.ts";
import type { Late } from "../core/late.ts";
import type { Log } from "../core/log.ts";
import type { Address } from "../core/mailbox.ts";
import type { RateLimiter } from "../core/rate.ts";
import type { Secret } from "../core/secret.ts";
import { type RestartPolicy, Supervisor } from "../core/supervisor.ts";
import type { Digester } from "../crypto/digest.ts";
import type { RandomBytes } from "../crypto/random.ts";
import type { BulkOptions } from "../protocol/bulk.ts";
import type { HostAndPort } from "../protocol/address.ts";
import type { Offer } from "../protocol/control.ts";
import type { Growth, GrowthOptions } from "../protocol/growth.ts";
import type { SourceEntry } from "../store/source.ts";
import type { Conn, Dialer } from "../transport/transport.ts";
import type { HashPool } from "../workers/hash_pool.ts";
import { chunker, type ChunkerMessage, type Found } from "./chunker.ts";
import {
  connection,
  type ConnectionMessage,
  type Ending,
  SILENT_MS,
} from "./connection.ts";
import { FAR_MS, greetAgain, greetReceiver, prepareHello } from "./greeting.ts";
import { migration, type MigrationMessage, sleptEvent } from "./migration.ts";
import {
  type SendOutcome,
  sendScheduler,
  type SendSchedulerMessage,
} from "./send_scheduler.ts";
import type { CongestionChoice } from "./send_fleet.ts";
import type { Ways } from "./send_ways.ts";
import type { SendLink } from "./send_wire.ts";
import type { SendThreads } from "./send_dials.ts";
import type { SideDialer } from "./side_dials.ts";

/** What every session needs of the world around it. */
export interface World {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly randomBytes: RandomBytes;
  readonly localAddresses: () => readonly string[];
  /** Processor time of the process so far, ms. @default {not known} */
  readonly cpuMs?: () => number;
  /** See {@linkcode SupervisorEnv.intercept}: for tests. */
  readonly intercept?: (actor: string, message: unknown) => void;
}

/** What a session at the sender needs. */
export interface SendSessionDeps {
  readonly world: World;
  readonly session: Uint8Array;
  /** Where the receiver is, for people. */
  readonly address: string;
  readonly dialer: Dialer;
  /** What there is beside the first connection; done without until it is loaded. */
  readonly ways: Late<typeof import("./send_ways.ts")>;
  /** Told that the receiver's answers take long: time to load what will be wanted. */
  readonly away?: () => void;
  /** Has sockets hold more, once there are other ways. @default {they do} */
  readonly enlarge?: () => void;
  /** Dials for a connection that goes by BBR. @default {dialer} */
  readonly bbrDialer?: Dialer;
  /** Dials other ports of the receiver. @default {they are not used} */
  readonly sideDialer?: SideDialer;
  /** Decides how many connections there are. @default {what protocol/growth.ts says} */
  readonly growth?: (options: GrowthOptions) => Growth;
  /** Dials over TCP, for bulk beside QUIC. @default {none} */
  readonly bulkDialer?: (streams: number) => Dialer;
  /** Told what the receiver says that its certificate is, DER. */
  readonly shown?: (certificate: Uint8Array) => void;
  /** The same, to another port of the receiver. @default {they are not used} */
  readonly bulkSideDialer?: (place: HostAndPort, streams: number) => Dialer;
  /** When that is done. @default {short paths only} */
  readonly bulk?: BulkOptions;
  /** @default {"cubic"} */
  readonly congestion?: CongestionChoice;
  readonly fingerprint: Uint8Array;
  readonly token: Secret | undefined;
  readonly offer: Offer;
  readonly walk: () => AsyncIterable<SourceEntry | readonly SourceEntry[]>;
  readonly digest: Digester;
  readonly pool: HashPool;
  readonly limiter: RateLimiter | undefined;
  readonly lanes: number;
  /** Connections at most. */
  readonly connections: number;
  /** Connections on threads of their own. @default {none} */
  readonly threads?: SendThreads | undefined;
  readonly chunkSize: (size: number) => number;
  readonly giveUpAfterMs: number;
  readonly emit: EventSink;
}

/** How sessions restart what fails, but for their patience. */
export const SESSION_POLICY: Omit<RestartPolicy, "patienceMs"> = Object.freeze({
  strategy: "rest-for-one",
  maxCrashes: 3,
  crashWindowMs: 10_000,
  backoffMs: 250,
  backoffCapMs: 15_000,
  shutdownMs: 5_000,
});

/** A first connection beside others is silent sooner: ms, and round trips. */
const SOON_MS = 1500;
const SOON_TRIPS = 4;
/** A receiver that was never there is not waited for as long, ms. */
const FIRST_CONTACT_MS = 30_000;

/**
 * Sends all of it, however often the way there breaks.
 *
 * @throws {SftpxError} with what ended it: `cancelled` when `signal` did.
 */
export async function runSendSession(
  deps: SendSessionDeps,
  signal: AbortSignal,
): Promise<SendOutcome> {
  const { world, emit, address, session } = deps;
  const { bbrDialer = deps.dialer, congestion = "cubic" } = deps;
  const hex = session.toHex();
  const own = new AbortController();
  let outcome: SendOutcome | undefined;
  let failure: unknown;
  let ending: Ending | undefined;
  let life = new Uint8Array(16);
  let attempt = 0;
  let wasAccepted = false;
  let mayForget = deps.offer.fresh;
  const began = world.clock.now();
  let heardAt = began;
  let soughtAt: number | undefined; // since when there is nobody to talk to
  let unreached: unknown; // why, as last heard
  let spare: SendLink | undefined;
  let current: SendLink | undefined; // the newest
  let further = 0; // connections by QUIC beside the first

  const end = (error: unknown): void => {
    failure ??= error;
    own.abort();
  };
  const stopped = (): Ending | undefined =>
    signal.aborted
      ? { code: "cancelled", reason: "Cannot go on: the sender was stopped" }
      : undefined;
  /** Whatever is heard says that we were accepted. */
  const heard = (): void => {
    heardAt = world.clock.now();
    soughtAt = undefined;
    wasAccepted = true;
    mayForget = false; // what comes from here on is to be kept
  };
  const unheard = (error: unknown): void => {
    const waitedMs = world.clock.now() - began;
    if (!wasAccepted && waitedMs >= FIRST_CONTACT_MS) end(error);
  };
  /** Dials, for as long as patience lasts. */
  const link = async (signal: AbortSignal): Promise<SendLink> => {
    const now = world.clock.now();
    if (soughtAt === undefined) unreached = undefined;
    soughtAt ??= now;
    const ms = Math.max(0, soughtAt + deps.giveUpAfterMs - now);
    const late = (cause: unknown): SftpxError => {
      const reason = `Cannot reach "${address}": no answer in time`;
      const failure = sftpxErrorOf(unreached) ??
        new SftpxError("unreachable", reason, cause);
      if (soughtAt !== undefined) end(failure); // or the one we had has spoken again
      return failure;
    };
    return await inTime({ clock: world.clock, ms, signal, late }, linkNow)
      .catch((error) => { // it may say more than that the time is up
        throw unreached = error;
      });
  };
  const linkNow = async (signal: AbortSignal): Promise<SendLink> => {
    if (spare !== undefined) {
      const link = spare;
      spare = undefined;
      heardAt = world.clock.now();
      return link;
    }
    emit({ type: "connecting", address, attempt: ++attempt });
    try {
      const first = congestion === "bbr" ? bbrDialer : deps.dialer;
      const greeting = { ...deps, ...world, life, attempt };
      const hello = prepareHello(greeting);
      const conn = await first.dial(signal);
      try {
        const offer = { ...deps.offer, fresh: mayForget };
        const ports = (conn: Conn, tripMs: number): number => {
          if (tripMs >= FAR_MS) deps.away?.();
          return ways()?.early(conn, tripMs) ?? 0;
        };
        const link = await greetReceiver(
          conn,
          { ...greeting, offer, hello, ports },
          signal,
        );
        signal.throwIfAborted(); // or nobody would close it
        current = link;
        const { certificate } = link.welcome;
        if (certificate) deps.shown?.(certificate);
        link.accepted.then(heard, unheard);
        return link;
      } catch (error) {
        const { code, reason } = stopped() ?? {};
        conn.close(code, reason);
        throw error;
      }
    } catch (error) {
      unheard(error);
      throw error;
    }
  };

  const dialBy = async (
    { hello: { life, attempt }, accepted }: SendLink,
    dialer: Dialer,
    connection: number,
    signal: AbortSignal,
  ): Promise<Conn> => {
    const conn = await dialer.dial(signal);
    try {
      await accepted.catch((error) => { // it turns others away before
        throw sftpxErrorOf(error) ??
          new SftpxError(
            "connection-lost",
            "Cannot join: nothing is under way",
          );
      });
      const greeting = { ...deps, ...world, life, attempt };
      await greetAgain(conn, greeting, connection, signal);
      if (conn.carrier !== "tcp") {
        further++;
        conn.closed.catch(() => {}).finally(() => further--);
      }
      return conn;
    } catch (error) {
      conn.close();
      throw error;
    }
  };

  let made: Ways | undefined;
  const ways = (): Ways | undefined =>
    made ??= deps.ways.now?.createWays({
      ...{ ...deps, ...world, bbrDialer, congestion, dialBy },
    });
  const supervisor = new Supervisor(`send ${hex.slice(0, 8)}`, {
    ...SESSION_POLICY,
    patienceMs: deps.giveUpAfterMs,
  }, {
    ...world,
    onRestart({ error, actor }) {
      const code = codeOf(error);
      const reason = sftpxErrorOf(error)?.message ?? `${actor} failed`;
      emit({ type: "reconnecting", session: hex, code, reason });
    },
    onGiveUp(error) {
      ending = {
        code: codeOf(error),
        reason: sftpxErrorOf(error)?.message ?? "",
      };
    },
  });
  // The address of the scheduler is known once it is added, before anything runs.
  const later: { scheduler?: Address<SendSchedulerMessage> } = {};
  const toScheduler = (): Address<SendSchedulerMessage> => {
    if (later.scheduler === undefined) throw new TypeError("Cannot run yet");
    return later.scheduler;
  };
  const chunks = supervisor.add<ChunkerMessage>({
    name: "chunker",
    capacity: 4,
    restart: "permanent",
    create: () =>
      chunker({
        walk: deps.walk,
        scheduler: toScheduler as () => Address<Found>,
      }),
  });
  const scheduler = later.scheduler = supervisor.add<SendSchedulerMessage>({
    name: "scheduler",
    capacity: 64,
    restart: "permanent",
    create() {
      life = world.randomBytes(16);
      return sendScheduler({
        ...deps,
        life,
        ...(world.cpuMs && { cpuMs: world.cpuMs }),
        session: hex,
        chunker: chunks,
        ways,
        loadWays: deps.ways.load,
        progress: () => supervisor.progress(),
        heard,
        finished(done) {
          outcome = done;
          own.abort();
        },
      });
    },
  });
  const watch: { migration?: Address<MigrationMessage<SendLink>> } = {};
  supervisor.add<ConnectionMessage<SendLink>>({
    name: "connection",
    capacity: 4,
    restart: "permanent",
    create: () =>
      connection<SendLink>({
        link,
        scheduler,
        migration: () => {
          if (watch.migration === undefined) {
            throw new TypeError("Cannot run yet");
          }
          return watch.migration;
        },
        ending: () => stopped() ?? ending,
        silence: {
          silentMs: () => world.clock.now() - heardAt,
          // Over others it could go on: word of what arrives comes often.
          limitMs: () =>
            further === 0 ? SILENT_MS : Math.min(
              Math.max(SOON_MS, SOON_TRIPS * (current?.tripMs ?? 0)),
              SILENT_MS,
            ),
          keep: (link) => spare = link,
        },
      }),
  });
  watch.migration = supervisor.add<MigrationMessage<SendLink>>({
    name: "migration",
    capacity: 4,
    restart: "permanent",
    create: () =>
      migration({
        localAddresses: world.localAddresses,
        moved(move) {
          emit({ type: "moved", session: hex, ...move });
          supervisor.hurry();
        },
        slept(ms) {
          supervisor.progress();
          soughtAt = undefined;
          emit(sleptEvent(ms));
        },
      }),
  });

  try {
    await supervisor.run(AbortSignal.any([signal, own.signal]));
  } catch (error) {
    failure ??= error;
  }
  spare?.conn.close();
  if (outcome !== undefined) return outcome;
  if (signal.aborted) {
    throw new SftpxError(
      "cancelled",
      "Cannot finish: the transfer was stopped",
      signal.reason,
    );
  }
  throw sftpxErrorOf(failure) ??
    new SftpxError("internal", "Cannot finish: something broke", failure);
}
