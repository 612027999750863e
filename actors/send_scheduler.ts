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
import type { ControlFrame, Receipt } from "../protocol/control.ts";
import { sameDigest } from "../protocol/digests.ts";
import { senderRules } from "../protocol/session.ts";
import type { HashPool } from "../workers/hash_pool.ts";
import type { ChunkerMessage, Found } from "./chunker.ts";
import type { Connected } from "./connection.ts";
import { FAR_MS, recallGreeting } from "./greeting.ts";
import type { Joined } from "./send_fleet.ts";
import { secondLook, type SecondLookMessage } from "./send_second.ts";
import { type SendReport, sendReport } from "./send_report.ts";
import { type Failure, type SendRun, sendRun } from "./send_run.ts";
import type { OpenWays, Ways } from "./send_ways.ts";
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
  | { readonly type: "tick" | "ways-changed" };

/** How a transfer ended well. */
export interface SendOutcome {
  readonly totals: Totals;
  readonly root: Uint8Array;
  readonly failures: readonly Failure[];
}

/** What the sender's scheduler needs. */
export interface SendSchedulerDeps {
  readonly session: string;
  /** Of this life, as it is said in HELLO. */
  readonly life: Uint8Array;
  readonly chunker: Address<ChunkerMessage>;
  readonly digest: Digester;
  readonly pool: HashPool;
  readonly limiter: RateLimiter | undefined;
  readonly lanes: number;
  /** All that there is beside the first connection; the same for all epochs. */
  readonly ways: () => Ways | undefined;
  /** Has it loaded: then `ways` gives it. */
  readonly loadWays: () => Promise<unknown>;
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
/** Bytes of a lease as long as there is one connection only. */
const LEASE_BYTES = 1024 * 1024;
/** What is more than this is worth loading the other ways for, bytes. */
const MUCH_BYTES = 256 * 1024;
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
  let ways: OpenWays | undefined; // of that wire
  let isLoading = false;
  let isAccepted = false; // over that wire
  let isTelling = false; // entries are told of first
  let isResumed = false;
  let reports: SendReport | undefined;
  let receipt: Receipt | "answered" | undefined;

  const begin = (b3sum: boolean): SendRun => {
    reports?.begin();
    return sendRun({
      number: ++runs,
      digest: deps.digest,
      chunkSize: deps.chunkSize,
      rules,
      b3sum,
      failed: (failure) => reports?.failed(failure),
    });
  };

  const connected = async (
    link: SendLink,
    cx: Context<SendSchedulerMessage>,
  ): Promise<void> => {
    // It waited in the mailbox while a former life of ours failed: what the
    // receiver goes on with is not what we know of. Its loss brings another.
    if (!sameDigest(link.hello.life, deps.life)) return link.conn.close();
    wire?.close();
    isAccepted = false;
    const { welcome, offer } = link;
    recallGreeting(link, rules);
    const goesOn = run !== undefined && welcome.continued &&
      peerLife !== undefined && sameDigest(peerLife, welcome.life);
    peerLife = welcome.life;
    const current = goesOn && run !== undefined ? run : begin(offer.b3sum);
    receipt = undefined;
    const { ledger, wrote } = current;
    wire = openWire(cx, ++epochs, link, {
      ...{ ...deps, ledger, wrote },
      ...(reports && { watch: reports.watch }),
    });
    ways = undefined;
    openWays(cx);
    run = current;
    current.setWindow(rules.window);
    if (goesOn) {
      wire.announce(current.reconnect(welcome.next));
      second.sum(current, cx);
    } else {
      const { number, credit } = current;
      await deps.chunker.send({ type: "scan", run: number, credit }, cx.signal);
    }
    isResumed = goesOn;
    // Near by it is this thread that the receiver would wait for: to read and to
    // load what hashes takes it longer than to tell what there is to judge.
    isTelling = !goesOn && link.tripMs < FAR_MS;
  };

  /** The receiver takes what it was offered. */
  const accepted = ({ link: { conn } }: Wire): void => {
    isAccepted = true;
    deps.emit({
      type: "connected",
      session: deps.session,
      remote: conn.remote,
      path: conn.path ?? "direct",
      carrier: conn.carrier ?? "quic",
      resumed: isResumed,
    });
    feed();
  };

  /** Opens what goes with the wire, where that is loaded. */
  const openWays = (cx: Context<SendSchedulerMessage>): void => {
    if (wire === undefined) return;
    ways ??= deps.ways()?.open(wire, {
      clock: cx.clock,
      log: cx.log,
      say: (frame) => say(frame, cx),
      spawn: (task) =>
        cx.spawn(async (signal) => {
          const joined = await task(signal);
          // What came to nothing is not waited for any more.
          await cx.self.send(joined ?? { type: "ways-changed" }, signal);
        }),
    });
  };

  /** Loads it, once it is seen that the transfer takes more than a moment. */
  const loadWays = (cx: Context<SendSchedulerMessage>): void => {
    if (ways !== undefined || isLoading) return;
    isLoading = true;
    cx.spawn(async (signal) => {
      await deps.loadWays();
      await cx.self.send({ type: "ways-changed" }, signal);
    });
  };

  /** Announces what was read, also by lanes that were lost or left since. */
  const tellRead = (cx: Context<SendSchedulerMessage>): void => {
    if (run === undefined) return;
    wire?.announce(run.read());
    second.sum(run, cx);
  };

  /** Loads what hashes, while the receiver judges what it was told of. */
  const expect = ({ ledger: { totals } }: SendRun): void =>
    deps.pool.expect?.(totals.found);

  /** From now on files are sent. */
  const tellsNoMore = (): void => {
    isTelling = false;
    feed();
  };

  /** Gives leases while there are any and a lane has room. */
  const feed = (): void => {
    if (run === undefined || !isAccepted) return;
    if (isTelling && run.hasMany) return;
    ways?.beforeLeases(run);
    const { plan } = run;
    if (plan.pendingBytes > 0) deps.pool.expect?.(plan.pendingBytes);
    while (wire?.hasRoom()) {
      const bytes = ways?.leaseBytes(plan.pendingBytes) ?? LEASE_BYTES;
      const lease = bytes > 0 ? plan.next(bytes) : undefined;
      if (lease === undefined) return;
      wire.give(lease.items);
    }
  };

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
          if (run.ledger.totals.found > MUCH_BYTES) loadWays(cx);
          if (isTelling && run.isTold) tellsNoMore();
          else ways?.beforeLeases(run);
          if (!isTelling && run.hasMany) expect(run);
          settle(cx);
          return;
        case "accepted":
          if (message.epoch === wire?.epoch) accepted(wire);
          return;
        case "status":
          if (run === undefined || message.epoch !== wire?.epoch) return;
          for (const frame of message.frames) {
            if (frame.type === "progress") reports?.peer(frame.limiter);
          }
          ways?.status(message.frames);
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
          ways?.joined(message, run);
          feed();
          return;
        case "connection-gone":
          if (run === undefined || message.epoch !== wire?.epoch) return;
          ways?.gone(message.connection, run);
          tellRead(cx);
          feed();
          return;
        case "tick":
          if (isTelling) tellsNoMore(); // a walk may take its time
          if (run !== undefined && isAccepted) {
            loadWays(cx);
            reports?.progress(run, ways?.path);
            ways?.look(run, reports?.limiter);
            tellRead(cx);
            feed();
          }
          cx.after(TICK_MS, { type: "tick" });
          return;
        case "ways-changed":
          openWays(cx);
          feed();
          return;
        default:
          unreachable(message);
      }
    },
    stop() {
      if (run !== undefined) reports?.progress(run, ways?.path);
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
        ways?.pong(frame.id);
        feed();
        return;
      case "ports":
        ways?.ports(frame.carrier, frame.ports);
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
