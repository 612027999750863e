/**
 * A sender and a receiver in one process, over a network in memory: all actors,
 * real files, and time that passes only while all of them wait.
 *
 * @module
 */
import type { Clock } from "../../core/clock.ts";
import { SftpxError } from "../../core/errors.ts";
import type { TransferEvent } from "../../core/events.ts";
import { present } from "../../core/late.ts";
import { nullLog } from "../../core/log.ts";
import { type Secret, secret } from "../../core/secret.ts";
import { Supervisor } from "../../core/supervisor.ts";
import { type Digest, loadDigest } from "../../crypto/digest.ts";
import { systemRandomBytes } from "../../crypto/random.ts";
import {
  type ReceiveSessionDeps,
  startReceiveSession,
} from "../../actors/receive_session.ts";
import type { ReceiveOutcome } from "../../actors/receive_scheduler.ts";
import {
  reception,
  type ReceptionDeps,
  type ReceptionMessage,
} from "../../actors/reception.ts";
import { createDoor } from "../../actors/door.ts";
import { DEFAULT_QUIET_LIMITS } from "../../actors/quiet.ts";
import {
  runSendSession,
  type SendSessionDeps,
  type World,
} from "../../actors/send_session.ts";
import type { SendOutcome } from "../../actors/send_scheduler.ts";
import * as ways from "../../actors/send_ways.ts";
import { openRoot } from "../../store/root.ts";
import { namedRoots, openSourceDisk, walkInSteps } from "../../store/source.ts";
import type { SourceDisk } from "../../store/source_disk.ts";
import { type MemoryNetwork, memoryNetwork } from "../../transport/memory.ts";
import type { Conn } from "../../transport/transport.ts";
import { createHashPool, type HashPool } from "../../workers/hash_pool.ts";
import { within } from "../testutil/deadline.ts";
import { type IdleClock, idleClock } from "../testutil/idle_clock.ts";
import { tempDir } from "../testutil/temp.ts";
import { makeTree, sameTree, type TreeSpec } from "../testutil/tree.ts";

/** The two ends. */
export type Side = "sender" | "receiver";

/** What a pair can be told. */
export interface PairOptions {
  /** What is sent. @default {SMALL_TREE} */
  readonly tree?: TreeSpec;
  /** Called before an actor handles a message: what it throws, the actor has thrown. */
  readonly intercept?: (side: Side, actor: string, message: unknown) => void;
  /** Told of every connection, at the sender's end. */
  readonly dialled?: (conn: Conn, number: number) => void;
  /** Puts something in front of a connection, at the sender's end. @default {nothing} */
  readonly path?: (conn: Conn, number: number, clock: Clock) => Conn;
  /** Processor time that a side has used, ms. @default {not known} */
  readonly cpuMs?: (side: Side, nowMs: number) => number;
  /** The disk that is sent from. @default {this machine's} */
  readonly disk?: (disk: SourceDisk, clock: Clock) => SourceDisk;
  readonly send?: Partial<SendSessionDeps>;
  readonly receive?: Partial<ReceiveSessionDeps>;
  readonly reception?: Partial<ReceptionDeps>;
}

/** One life of a receiver. */
export interface Receiving {
  /** How its transfers ended, oldest first. */
  readonly results: readonly (ReceiveOutcome | SftpxError)[];
  /** The next transfer that ends well. */
  readonly done: Promise<ReceiveOutcome>;
  /** Ends with the receiver. */
  readonly finished: Promise<void>;
  /** Ends the receiver in order. */
  close(): Promise<void>;
}

/** Two ends and all that is between. */
export interface Pair extends AsyncDisposable {
  readonly network: MemoryNetwork;
  readonly time: IdleClock;
  /** What is sent: a folder of the name "tree". */
  readonly source: string;
  readonly uploads: string;
  readonly resumeDir: string;
  /** Connections as the sender dialled them. */
  readonly conns: readonly Conn[];
  readonly events: Readonly<Record<Side, TransferEvent[]>>;
  /** Starts a life of the receiver. */
  receive(): Receiving;
  /** Runs a life of the sender. */
  send(signal?: AbortSignal): Promise<SendOutcome>;
  /** Lets time pass until `work` settles; a transfer that hangs is an error. */
  run<T>(work: Promise<T>): Promise<T>;
  /** How what arrived differs from what was sent. */
  differences(): Promise<string[]>;
}

/** Chunks of the test's files, bytes. */
export const CHUNK = 1 << 16;

/** One of everything, and quick to send. */
export const SMALL_TREE: TreeSpec = {
  "a.txt": "some text",
  "big": CHUNK * 20 + 17,
  "dir/empty": "",
  "dir/two": CHUNK + 1,
  "dir/sub/ünï 🎉": 300,
  "hollow": { kind: "dir" },
  "link": { kind: "link", target: "a.txt" },
  "small/1": 10,
  "small/2": 20,
  "small/3": CHUNK,
  "z": { kind: "file", size: 3, mode: 0o755 },
};

/** Where the receiver listens. */
export const ADDRESS = "memory:receiver";
/** The receiver's certificate, as far as anyone here cares. */
export const FINGERPRINT: Uint8Array = new Uint8Array(32).fill(7);
const SESSION = new Uint8Array(32).fill(9);
/** Real time that a transfer may take, ms. */
const LONGEST_MS = 20_000;

/** The token that both ends have. */
export const TOKEN: Secret = secret(new Uint8Array(32).fill(3));

let digest: Promise<Digest> | undefined;

/** BLAKE3, in place. */
export async function hashing(): Promise<{ digest: Digest; pool: HashPool }> {
  const loaded = await (digest ??= loadDigest());
  return { digest: loaded, pool: createHashPool({ digest: loaded, size: 0 }) };
}

/** Makes a pair; nothing runs yet. */
export async function pair(options: PairOptions = {}): Promise<Pair> {
  const dir = await tempDir();
  const source = dir.join("source", "tree");
  const uploads = dir.join("up");
  const resumeDir = dir.join("resume");
  await makeTree(source, options.tree ?? SMALL_TREE);
  const { digest, pool } = await hashing();
  const time = idleClock();
  const network = memoryNetwork();
  const disk = openSourceDisk();
  const conns: Conn[] = [];
  const events: Record<Side, TransferEvent[]> = { sender: [], receiver: [] };

  const world = (side: Side): World => ({
    clock: time.clock,
    log: nullLog,
    random: () => 0.5,
    randomBytes: systemRandomBytes,
    localAddresses: () => ["127.0.0.1"],
    ...(options.cpuMs &&
      { cpuMs: () => options.cpuMs?.(side, time.clock.now()) ?? 0 }),
    intercept(actor, message) {
      if (typeOf(message) !== "tick") time.stir();
      options.intercept?.(side, actor, message);
    },
  });
  const counted: HashPool = {
    ...pool,
    digest(bytes) {
      time.stir();
      return pool.digest(bytes);
    },
    digestNow(bytes) {
      time.stir();
      return pool.digestNow?.(bytes);
    },
    digestParts(bytes, parts) {
      time.stir();
      return pool.digestParts(bytes, parts);
    },
  };

  return {
    network,
    time,
    source,
    uploads,
    resumeDir,
    conns,
    events,
    receive: () => startReceiver(),
    async send(signal = new AbortController().signal) {
      const roots = await namedRoots([source]);
      const dialer = network.dialer(ADDRESS);
      return await runSendSession({
        world: world("sender"),
        session: SESSION,
        address: ADDRESS,
        dialer: {
          async dial(signal) {
            const conn = await dialer.dial(signal);
            conns.push(conn);
            options.dialled?.(conn, conns.length);
            return options.path?.(conn, conns.length, time.clock) ?? conn;
          },
        },
        ways: present(ways),
        fingerprint: FINGERPRINT,
        token: TOKEN,
        offer: {
          type: "offer",
          checksum: false,
          b3sum: false,
          fresh: false,
          totalBytes: undefined,
          label: "tree",
        },
        walk: () =>
          walkInSteps(roots, {
            disk: options.disk?.(disk, time.clock) ?? disk,
          }),
        digest,
        pool: counted,
        limiter: undefined,
        lanes: 2,
        connections: 1,
        chunkSize: () => CHUNK,
        giveUpAfterMs: 60_000,
        emit: (event) => events.sender.push(event),
        ...options.send,
      }, signal);
    },
    run: (work) => within(LONGEST_MS, "the transfer", time.drive(work)),
    differences: () => sameTree(source, `${uploads}/tree`),
    async [Symbol.asyncDispose]() {
      disk.close();
      await dir[Symbol.asyncDispose]();
    },
  };

  function startReceiver(): Receiving {
    const own = new AbortController();
    const listener = network.listen(ADDRESS);
    const door = createDoor(listener);
    const results: (ReceiveOutcome | SftpxError)[] = [];
    const done = Promise.withResolvers<ReceiveOutcome>();
    const receiverWorld = world("receiver");
    const supervisor = new Supervisor("receiver", {
      strategy: "one-for-one",
      maxCrashes: 3,
      crashWindowMs: 60_000,
      backoffMs: 250,
      backoffCapMs: 15_000,
      patienceMs: Infinity,
      shutdownMs: 60_000,
    }, receiverWorld);
    supervisor.add<ReceptionMessage>({
      name: "reception",
      capacity: 64,
      restart: "permanent",
      create: () =>
        reception({
          door,
          fingerprint: FINGERPRINT,
          token: TOKEN,
          maxSessions: 8,
          emit: (event) => events.receiver.push(event),
          ended(_, result) {
            results.push(result);
            if (!(result instanceof SftpxError)) done.resolve(result);
          },
          start: (link, signal) =>
            startReceiveSession(
              {
                world: receiverWorld,
                session: link.hello.session,
                journalFile:
                  `${resumeDir}/${link.hello.session.toHex()}.bitmap`,
                openRoot: () => openRoot(uploads),
                digest,
                pool: counted,
                onConflict: "rename",
                links: "inside",
                allowHidden: false,
                maxFiles: Number.MAX_SAFE_INTEGER,
                maxSize: Number.MAX_SAFE_INTEGER,
                reserve: () => Promise.resolve(),
                reserveNow: () => true,
                release: () => {},
                admit: () => Promise.resolve(),
                emit: (event) => events.receiver.push(event),
                patienceMs: 600_000,
                limits: DEFAULT_QUIET_LIMITS,
                slept: () => {},
                ...options.receive,
              },
              link,
              signal,
            ),
          ...options.reception,
        }),
    });
    const finished = supervisor.run(own.signal).finally(() => door.close());
    finished.catch(() => {});
    return {
      results,
      done: done.promise,
      finished,
      async close() {
        own.abort();
        await finished;
      },
    };
  }
}

/** A path over which what is said on the control stream takes `ms`. */
export function slowControl(ms: number): NonNullable<PairOptions["path"]> {
  return (conn, _, clock) => ({
    ...conn,
    openBidi: async () => {
      const stream = await conn.openBidi();
      const write = async (bytes: Uint8Array): Promise<void> => {
        await clock.delay(ms);
        await stream.send.write(bytes);
      };
      return { ...stream, send: { ...stream.send, write } };
    },
  });
}

/** What kind of message it is. */
export function typeOf(message: unknown): string {
  return String((Object(message) as { type?: unknown }).type);
}
