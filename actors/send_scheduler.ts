/**
 * The sender's scheduler: drives the conversation, and gives chunks to lanes.
 *
 * Its run outlives connections: while the receiver keeps its half too, a new
 * connection goes on where the old one ended. When the receiver began anew, so
 * does the walk, and the receiver's disk says what is there.
 *
 * @module
 */
import { type Behavior, type Context, unreachable } from "../core/actor.ts";
import { SftpxError } from "../core/errors.ts";
import type { EventSink, Totals } from "../core/events.ts";
import type { Address } from "../core/mailbox.ts";
import type { RateLimiter } from "../core/rate.ts";
import type { Digester } from "../crypto/digest.ts";
import type { BulkOptions } from "../protocol/bulk.ts";
import type { ControlFrame, Receipt } from "../protocol/control.ts";
import { sameDigest } from "../protocol/digests.ts";
import { senderRules } from "../protocol/session.ts";
import type { HashPool } from "../workers/hash_pool.ts";
import type { ChunkerMessage, Found } from "./chunker.ts";
import type { Connected } from "./connection.ts";
import { recallGreeting } from "./greeting.ts";
import { pacesOf } from "./path_pace.ts";
import {
  type CongestionChoice,
  createFleet,
  type Fleet,
  type FleetDeps,
  type Joined,
} from "./send_fleet.ts";
import {
  BULK_LANES,
  type BulkDials,
  type BulkLanes,
  createBulkLanes,
} from "./send_bulk.ts";
import { createThreadLanes, type ThreadLanes } from "./send_threads.ts";
import type { SideDials } from "./side_dials.ts";
import { secondLook, type SecondLookMessage } from "./send_second.ts";
import { type SendReport, sendReport } from "./send_report.ts";
import { type Failure, type SendRun, sendRun } from "./send_run.ts";
import type { WireStatus } from "../protocol/status.ts";
import {
  openWire,
  type SendLink,
  type Wire,
  type WireMessage,
} from "./send_wire.ts";

/** What the sender's scheduler can be told. */
export type SendSchedulerMessage =
  | Connected<SendLink>
  | Found
  | WireMessage
  | SecondLookMessage
  | Joined
  | { readonly type: "tick" };

/** How a transfer ended well. */
export interface SendOutcome {
  readonly totals: Totals;
  readonly root: Uint8Array;
  readonly failures: readonly Failure[];
}

/** What the sender's scheduler needs. */
export interface SendSchedulerDeps {
  readonly session: string;
  readonly chunker: Address<ChunkerMessage>;
  readonly digest: Digester;
  readonly pool: HashPool;
  readonly limiter: RateLimiter | undefined;
  readonly lanes: number;
  /** Connections at most. */
  readonly connections: number;
  readonly congestion: CongestionChoice;
  readonly dialMore: FleetDeps["dialMore"];
  /** Finds other ports of the receiver for it. */
  readonly side: SideDials;
  /** See {@linkcode FleetDeps.growth}. */
  readonly growth?: FleetDeps["growth"];
  /** Dials the receiver over TCP, for bulk beside QUIC; `undefined` when that is not wanted. */
  readonly dialBulk: BulkDials | undefined;
  /** When that is done. @default {short paths only} */
  readonly bulk?: BulkOptions;
  /** Connections on threads of their own. @default {none} */
  readonly threads?: Parameters<typeof createThreadLanes>[1] | undefined;
  readonly chunkSize: (size: number) => number;
  readonly emit: EventSink;
  /** Processor time of the process so far, ms. */
  readonly cpuMs?: () => number;
  /** Told whenever something became durable. */
  readonly progress: () => void;
  /** Told whenever the receiver was heard. */
  readonly heard: () => void;
  readonly finished: (outcome: SendOutcome) => void;
}

/** Time between two looks at the progress, ms. */
const TICK_MS = 250;
/** Bytes of a lease, and how many there are, while a faster way is about to stand. */
const SHORT_LEASE_BYTES = 1024 * 1024;
const FEW_LEASES = 4;
/** How long the receiver may take to hear that we agree, ms. */
const GOODBYE_MS = 3000;

/** Creates one life of a sender's scheduler. */
export function sendScheduler(
  deps: SendSchedulerDeps,
): Behavior<SendSchedulerMessage> {
  const rules = senderRules();
  const second = secondLook(deps.digest);
  let runs = 0;
  let run: SendRun | undefined;
  let peerLife: Uint8Array | undefined;
  let wire: Wire | undefined;
  let epochs = 0;
  let fleet: Fleet | undefined;
  let bulk: BulkLanes | undefined;
  let threads: ThreadLanes | undefined;
  let reports: SendReport | undefined;
  let receipt: Receipt | "answered" | undefined;

  const begin = (b3sum: boolean): SendRun => {
    reports?.begin();
    return sendRun({
      number: ++runs,
      digest: deps.digest,
      chunkSize: deps.chunkSize,
      rules,
      expect: deps.pool.expect,
      b3sum,
      failed: (failure) => reports?.failed(failure),
    });
  };

  const connected = async (
    link: SendLink,
    cx: Context<SendSchedulerMessage>,
  ): Promise<void> => {
    wire?.close();
    const { welcome, offer } = link;
    recallGreeting(link, rules);
    const goesOn = run !== undefined && welcome.continued &&
      peerLife !== undefined && sameDigest(peerLife, welcome.life);
    peerLife = welcome.life;
    const current = goesOn && run !== undefined ? run : begin(offer.b3sum);
    receipt = undefined;
    const { pace, path } = pacesOf(link, deps, cx.clock);
    const { ledger, wrote } = current;
    wire = openWire(cx, ++epochs, link, {
      ...{ ...deps, ledger, pace: pace ?? path?.join(0), wrote },
      ...(reports && { watch: reports.watch }),
    });
    const spawn: FleetDeps["spawn"] = (task) =>
      cx.spawn(async (signal) => {
        const joined = await task(signal);
        if (joined !== undefined) await cx.self.send(joined, signal);
      });
    const mayBulk = deps.limiter === undefined && link.conn.carrier !== "tcp";
    bulk = createBulkLanes(wire, {
      ...deps.bulk,
      dials: mayBulk ? deps.dialBulk : undefined,
      lanes: BULK_LANES,
      spawn,
    }, cx.clock);
    threads = deps.threads &&
      createThreadLanes(wire, deps.threads, spawn, cx.clock);
    deps.side.begin({
      ...link,
      want: (carrier, count) => say({ type: "want-ports", carrier, count }, cx),
    });
    fleet = createFleet(wire, {
      ...(deps.growth && { growth: deps.growth }),
      log: cx.log,
      connections: deps.connections,
      // A rate that was asked for looks like a path that carries no more.
      congestion: deps.limiter !== undefined && deps.congestion === "auto"
        ? "cubic"
        : deps.congestion,
      pace,
      path,
      threads: () => 1 + (threads?.count ?? 0),
      dialMore: deps.dialMore,
      ping: (id) => say({ type: "ping", id }, cx),
      spawn,
    }, cx.clock);
    run = current;
    current.setWindow(rules.window);
    if (goesOn) {
      wire.announce(current.reconnect(welcome.next));
      second.sum(current, cx);
      feed();
    } else {
      const { number, credit } = current;
      await deps.chunker.send({ type: "scan", run: number, credit }, cx.signal);
    }
    deps.emit({
      type: "connected",
      session: deps.session,
      remote: link.conn.remote,
      path: link.conn.path ?? "direct",
      carrier: link.conn.carrier ?? "quic",
      resumed: goesOn,
    });
  };

  /** Announces what was read, also by lanes that were lost or left since. */
  const tellRead = (cx: Context<SendSchedulerMessage>): void => {
    if (run === undefined) return;
    wire?.announce(run.read());
    second.sum(run, cx);
  };

  /** Gives leases while there are any and a lane has room. */
  const feed = (): void => {
    if (run !== undefined) bulk?.look(run, fleet?.rttMs);
    while (run !== undefined && fleet !== undefined && wire?.hasRoom()) {
      if (bulk?.holdsBack && wire.leases >= FEW_LEASES) return;
      const { plan } = run;
      const bytes = fleet.leaseBytes(plan.pendingBytes);
      const lease = plan.next(bulk?.holdsBack ? SHORT_LEASE_BYTES : bytes);
      if (lease === undefined) return;
      wire.give(lease.items);
    }
  };

  /** Whose a further connection is. */
  const holderOf = (
    connection: number,
  ): Pick<Fleet, "joined" | "gone"> | undefined =>
    [bulk, threads].find((it) => it?.isOurs(connection)) ?? fleet;

  /** Ends the transfer once both sides say that all is final, and agree on what. */
  const settle = (cx: Context<SendSchedulerMessage>): void => {
    const root = run?.root();
    if (run === undefined || root === undefined || wire === undefined) return;
    if (receipt === undefined || receipt === "answered") return;
    if (!sameDigest(root, receipt.root)) {
      throw new SftpxError(
        "integrity",
        "Cannot finish: the receiver's digest over all files is not ours",
      );
    }
    const [{ totals }, { link }] = [run, wire];
    rules.saidControl({ type: "receipt-ack", root });
    cx.spawn(async (signal) => {
      await link.control.write({ type: "receipt-ack", root });
      // The receiver closes once it has heard us; it has the files either way.
      await Promise.race([
        link.conn.closed.catch(() => {}),
        cx.clock.delay(GOODBYE_MS, signal).catch(() => {}),
      ]);
      deps.finished({ totals, root, failures: reports?.failures ?? [] });
    });
    receipt = "answered";
  };

  /** Hears what the fleet wants to know. */
  const hearStatus = (frames: readonly WireStatus[]): void => {
    for (const frame of frames) {
      if (frame.type === "arrived") fleet?.arrived(frame.connections);
      if (frame.type !== "progress") continue;
      reports?.peer(frame.limiter);
      fleet?.received(frame.receivedBytes);
      bulk?.received(frame.receivedBytes);
    }
  };

  return {
    start(cx) {
      reports = sendReport(deps, cx.clock);
      cx.after(TICK_MS, { type: "tick" });
    },
    async receive(message, cx) {
      switch (message.type) {
        case "connected":
          await connected(message.link, cx);
          return;
        case "found":
          if (run === undefined || message.run !== run.number) return;
          wire?.announce(run.found(message.entries, message.ended));
          bulk?.look(run, fleet?.rttMs);
          settle(cx);
          return;
        case "status":
          if (run === undefined || message.epoch !== wire?.epoch) return;
          hearStatus(message.frames);
          run.heard(message.frames);
          reports?.final(run);
          feed();
          settle(cx);
          return;
        case "control":
          if (message.epoch === wire?.epoch) hear(message.frame, cx);
          return;
        case "lane-done":
          if (run === undefined || message.epoch !== wire?.epoch) return;
          wire.done(message.connection, message.lane);
          wire.announce(run.report(message.report));
          second.look(run, message.report, cx);
          tellRead(cx);
          feed();
          return;
        case "summed":
          if (message.run !== run?.number) return;
          wire?.announce(
            run.summed(message.index, message.gen, message.b3sum),
          );
          return;
        case "looked":
          if (message.run !== run?.number) return;
          wire?.announce(run.looked(message.index, message.facts));
          return;
        case "joined":
          if (run === undefined || message.epoch !== wire?.epoch) {
            return message.conn.close();
          }
          holderOf(message.connection)?.joined(message, run);
          feed();
          return;
        case "connection-gone":
          if (run === undefined || message.epoch !== wire?.epoch) return;
          holderOf(message.connection)?.gone(message.connection, run);
          tellRead(cx);
          feed();
          return;
        case "tick":
          if (run !== undefined) {
            reports?.progress(run, fleet?.path);
            fleet?.look(run, bulk?.isUsed ?? false);
            if (!bulk?.isUsed) threads?.look(run, reports?.limiter);
            tellRead(cx);
            feed();
          }
          cx.after(TICK_MS, { type: "tick" });
          return;
        default:
          unreachable(message);
      }
    },
    stop() {
      if (run !== undefined) reports?.progress(run, fleet?.path);
      wire?.close();
    },
  };

  function hear(frame: ControlFrame, cx: Context<SendSchedulerMessage>): void {
    if (rules.heardControl(frame) === "drop") return;
    switch (frame.type) {
      case "ping":
        say({ type: "pong", id: frame.id }, cx);
        return;
      case "pong":
        fleet?.pong(frame.id);
        feed();
        return;
      case "ports":
        deps.side.heard(frame.carrier, frame.ports);
        return;
      case "resume":
        return;
      case "pause":
        deps.emit({
          type: "paused",
          session: deps.session,
          code: frame.code,
          reason: frame.reason,
        });
        return;
      case "cancel":
        throw new SftpxError(frame.code, frame.reason);
      case "receipt":
        receipt = frame;
        settle(cx);
        return;
      default:
        throw new SftpxError(
          "protocol",
          `Cannot accept ${frame.type} from a receiver`,
        );
    }
  }

  function say(
    frame: ControlFrame,
    cx: Context<SendSchedulerMessage>,
  ): void {
    if (receipt === "answered") return; // nothing may follow
    const control = wire?.link.control;
    rules.saidControl(frame);
    cx.spawn(async () => {
      // A connection that is lost is the connection actor's to judge.
      await control?.write(frame).catch(() => {});
    });
  }
}
