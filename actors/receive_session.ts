/**
 * A session at the receiver: its actors, how they depend on each other, and how
 * it ends. Its sender may go and come back; the session waits for it.
 *
 * @module
 */
import { codeOf, SftpxError, sftpxErrorOf } from "../core/errors.ts";
import type { EventSink } from "../core/events.ts";
import { createOutbox } from "../core/coalesce.ts";
import type { Address } from "../core/mailbox.ts";
import { ask } from "../core/reply.ts";
import { Supervisor } from "../core/supervisor.ts";
import type { Digest } from "../crypto/digest.ts";
import type { Root } from "../store/root.ts";
import type { FileMaker } from "../workers/file_maker.ts";
import type { HashPool } from "../workers/hash_pool.ts";
import {
  connection,
  type ConnectionMessage,
  type Ending,
} from "./connection.ts";
import { type Fact, mergeFacts } from "./facts.ts";
import { migration, type MigrationMessage } from "./migration.ts";
import type { ConflictPolicy, LinkPolicy } from "./options.ts";
import type { QuietLimits } from "./quiet.ts";
import {
  type DeskRef,
  persistence,
  type PersistenceMessage,
} from "./persistence.ts";
import {
  type ReceiveOutcome,
  receiveScheduler,
  type ReceiveSchedulerMessage,
} from "./receive_scheduler.ts";
import type { ReceiveLink } from "./receive_wire.ts";
import { SESSION_POLICY, type World } from "./send_session.ts";
import type { SidePorts } from "./side_ports.ts";
import { verifier, type VerifierMessage } from "./verifier.ts";

/** What a session at the receiver needs. */
export interface ReceiveSessionDeps {
  readonly world: World;
  readonly session: Uint8Array;
  readonly journalFile: string;
  /** Opens the upload folder; every life of the session has its own. */
  readonly openRoot: () => Promise<Root>;
  readonly digest: Digest;
  /** What is shown to who comes over TCP, DER. @default {nobody comes so} */
  readonly certificate?: Uint8Array | undefined;
  readonly pool: HashPool;
  /** Makes small files on another thread. @default {they are made here} */
  readonly maker?: FileMaker | undefined;
  readonly onConflict: ConflictPolicy;
  readonly links: LinkPolicy;
  readonly allowHidden: boolean;
  readonly maxFiles: number;
  readonly maxSize: number;
  readonly reserve: (bytes: number) => Promise<void>;
  readonly reserveNow?: (bytes: number) => boolean;
  readonly release: (bytes: number) => void;
  readonly admit: (totalBytes: number | undefined) => Promise<void>;
  /** Frames that all lanes hold at a time, bytes. @default {96 MiB} */
  readonly roomBytes?: number;
  /** Opens ports for further connections. @default {there are none} */
  readonly sidePorts?: SidePorts["take"];
  readonly emit: EventSink;
  /** How long a sender may be away, ms. */
  readonly patienceMs: number;
  /** How long a sender that is there may say nothing. */
  readonly limits: QuietLimits;
  /** Told of a gap of this many milliseconds in which this process did not run. */
  readonly slept: (ms: number) => void;
}

/** A session that runs. */
export interface ReceiveSession {
  readonly hex: string;
  /** Which state of the sender it talks with. */
  readonly life: string;
  /** When it last had a connection that it lost; `undefined` while it has one. */
  readonly awaySince: number | undefined;
  /** When something of it last became durable or was decided. */
  readonly progressAt: number;
  /** Hands over a connection of its sender: the newest wins. */
  take(link: ReceiveLink): void;
  /** Hands over a further connection of its sender. */
  join(link: ReceiveLink): void;
  /** Ends it: its sender is away, and others need the room. */
  leave(): void;
  /** Whether its sender answers. */
  probe(signal: AbortSignal): Promise<boolean>;
  /** Resolves when the transfer is complete, rejects with what ended it. */
  readonly ended: Promise<ReceiveOutcome>;
}

/** An answer to a probe takes no longer than this, ms. */
const PROBE_MS = 5000;

/** Starts a session. It runs until it is complete, fails, or `signal` aborts. */
export function startReceiveSession(
  deps: ReceiveSessionDeps,
  first: ReceiveLink,
  signal: AbortSignal,
): ReceiveSession {
  const { world, session, emit } = deps;
  const { clock } = world;
  const hex = session.toHex();
  const own = new AbortController();
  const facts = createOutbox<number, Fact>(mergeFacts);
  const desk: DeskRef = { current: undefined };
  let waiting: ReceiveLink | undefined = first;
  let wake: () => void = () => {};
  let awaySince: number | undefined = undefined;
  let life = first.hello.life.toHex();
  let newest = { life, attempt: first.hello.attempt };
  let outcome: ReceiveOutcome | undefined;
  let ending: Ending | undefined;
  let isHeld = false;
  let runs = 0;
  let progressAt = clock.now();
  let isOver = false;

  /** Waits for the sender, as long as it may be away. */
  const link = async (signal: AbortSignal): Promise<ReceiveLink> => {
    if (isHeld) awaySince ??= clock.now();
    while (waiting === undefined) {
      const left = deps.patienceMs - (clock.now() - (awaySince ?? clock.now()));
      if (left <= 0) {
        throw new SftpxError(
          "cancelled",
          "Cannot finish: the sender went away and did not come back",
        );
      }
      const given = new AbortController();
      const either = AbortSignal.any([signal, given.signal]);
      const come = new Promise<void>((resolve) => wake = resolve);
      await Promise.race([come, clock.delay(left, either)]).finally(() =>
        given.abort()
      );
      signal.throwIfAborted();
    }
    const next = waiting;
    waiting = undefined;
    isHeld = true;
    awaySince = undefined;
    life = next.hello.life.toHex();
    return next;
  };

  const supervisor = new Supervisor(`receive ${hex.slice(0, 8)}`, {
    ...SESSION_POLICY,
    patienceMs: Infinity, // `link` has its own
    backoffMs: 0, // the sender's dials are spaced already
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
  const storage = supervisor.add<PersistenceMessage>({
    name: "persistence",
    capacity: 64,
    restart: "permanent",
    shutdownMs: 30_000, // a disk may be slow, and this is what it is for
    create: () =>
      persistence({
        ...deps,
        facts,
        desk,
        secret: world.randomBytes(8),
        warn: (message) => emit({ type: "warning", message }),
      }),
  });
  const judge = supervisor.add<VerifierMessage>({
    name: "verifier",
    capacity: 64,
    restart: "permanent",
    create: () =>
      verifier({ digest: deps.digest, facts, persistence: storage }),
  });
  const scheduler = supervisor.add<ReceiveSchedulerMessage>({
    name: "scheduler",
    capacity: 64,
    restart: "permanent",
    create: () =>
      receiveScheduler({
        ...deps,
        cpuMs: world.cpuMs,
        session: hex,
        verifier: judge,
        persistence: storage,
        facts,
        desk,
        randomBytes: world.randomBytes,
        nextRun: () => ++runs,
        progress() {
          progressAt = clock.now();
          supervisor.progress();
        },
        silent: (conn) => holder.offer({ type: "silent", conn }),
        finished(done) {
          outcome = done;
          own.abort();
        },
      }),
  });
  const watch: { migration?: Address<MigrationMessage<ReceiveLink>> } = {};
  const holder = supervisor.add<ConnectionMessage<ReceiveLink>>({
    name: "connection",
    capacity: 4,
    restart: "permanent",
    create: () =>
      connection<ReceiveLink>({
        link,
        scheduler,
        migration: () => {
          if (watch.migration === undefined) {
            throw new TypeError("Cannot run yet");
          }
          return watch.migration;
        },
        ending: () => ending,
      }),
  });
  watch.migration = supervisor.add<MigrationMessage<ReceiveLink>>({
    name: "migration",
    capacity: 4,
    restart: "permanent",
    create: () =>
      migration({
        localAddresses: () => [], // the endpoint listens on all of them
        moved: (move) => emit({ type: "moved", session: hex, ...move }),
        slept(ms) {
          supervisor.progress();
          deps.slept(ms);
        },
      }),
  });

  const run = async (): Promise<ReceiveOutcome> => {
    let failure: unknown;
    try {
      await supervisor.run(AbortSignal.any([signal, own.signal]));
    } catch (error) {
      failure = error;
    } finally {
      isOver = true;
      waiting?.conn.close();
      waiting = undefined;
    }
    if (outcome !== undefined) return outcome;
    if (signal.aborted) {
      throw new SftpxError(
        "cancelled",
        "Cannot finish: the receiver was stopped",
      );
    }
    if (failure === undefined) {
      throw new SftpxError("cancelled", "Cannot finish: others need the room");
    }
    throw sftpxErrorOf(failure) ??
      new SftpxError("internal", "Cannot finish: something broke", failure);
  };
  const ended = run();
  ended.catch(() => {}); // whoever started it hears of it

  return {
    hex,
    get life() {
      return waiting?.hello.life.toHex() ?? life;
    },
    get awaySince() {
      return waiting === undefined ? awaySince : undefined;
    },
    get progressAt() {
      return progressAt;
    },
    take(next) {
      const { hello } = next;
      // Words of an earlier dial may come later than those of a later one.
      const isOld = hello.life.toHex() === newest.life &&
        hello.attempt <= newest.attempt;
      if (isOld || isOver) return next.conn.close();
      newest = { life: hello.life.toHex(), attempt: hello.attempt };
      waiting?.conn.close();
      waiting = next;
      if (isHeld && awaySince === undefined) holder.offer({ type: "replaced" });
      wake();
    },
    join(link) {
      if (scheduler.offer({ type: "joined", link })) return;
      link.conn.close("peer-busy", "Cannot join: too much is going on");
    },
    leave: () => own.abort(),
    async probe(signal) {
      if (waiting !== undefined) return true; // it has only just come
      try {
        return await ask<ReceiveSchedulerMessage, boolean>(
          scheduler,
          (reply) => ({ type: "probe", reply }),
          { signal, clock, timeoutMs: PROBE_MS },
        );
      } catch {
        return false; // no answer is an answer
      }
    },
    ended,
  };
}
