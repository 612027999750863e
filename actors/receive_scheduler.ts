/**
 * The receiver's scheduler: drives the conversation of one session.
 *
 * It hears the manifest and passes it down, to the verifier and on to the
 * disk; it lets lanes in; and it tells the sender what the disk says, in facts
 * that came up. A run lasts while both sides keep their half of it.
 *
 * @module
 */
import { type Behavior, type Context, unreachable } from "../core/actor.ts";
import { SftpxError } from "../core/errors.ts";
import type { EventSink, Totals } from "../core/events.ts";
import type { Address } from "../core/mailbox.ts";
import { createMeter } from "../core/rate.ts";
import type { Reply } from "../core/reply.ts";
import type { RandomBytes } from "../crypto/random.ts";
import type { Digest } from "../crypto/digest.ts";
import { type ControlFrame, type Offer, VERSION } from "../protocol/control.ts";
import type { ManifestFrame } from "../protocol/manifest.ts";
import { receiverRules } from "../protocol/session.ts";
import { encodeStatus } from "../protocol/status.ts";
import type { Conn } from "../transport/transport.ts";
import type { HashPool } from "../workers/hash_pool.ts";
import type { Connected } from "./connection.ts";
import type { Announced } from "./desk_item.ts";
import type { Fact, Facts } from "./facts.ts";
import type { CheckedChunk } from "./lane_receive.ts";
import {
  type DeskRef,
  type PersistenceMessage,
  repeatFacts,
} from "./persistence.ts";
import { type QuietLimits, quietWatch } from "./quiet.ts";
import { type ReceiveRun, receiveRun } from "./receive_run.ts";
import {
  openReceiveWire,
  type ReceiveLink,
  type ReceiveWire,
  type ReceiveWireMessage,
} from "./receive_wire.ts";
import type { VerifierMessage } from "./verifier.ts";

/** What the receiver's scheduler can be told. */
export type ReceiveSchedulerMessage =
  | Connected<ReceiveLink>
  | ReceiveWireMessage
  | { readonly type: "facts"; readonly facts: ReadonlyMap<number, Fact> }
  /** The facts of a run that goes on have been said once more. */
  | { readonly type: "repeated"; readonly epoch: number }
  /** A further connection of the sender, for lanes. */
  | { readonly type: "joined"; readonly link: ReceiveLink }
  /** Is the sender that we have still there? */
  | { readonly type: "probe"; readonly reply: Reply<boolean> }
  | { readonly type: "tick" };

/** How a transfer ended well, as the receiver saw it. */
export interface ReceiveOutcome {
  readonly totals: Totals;
  readonly root: Uint8Array;
}

/** What the receiver's scheduler needs. */
export interface ReceiveSchedulerDeps {
  readonly session: string;
  readonly verifier: Address<VerifierMessage>;
  readonly persistence: Address<PersistenceMessage>;
  readonly facts: Facts;
  readonly desk: DeskRef;
  readonly digest: Digest;
  readonly pool: HashPool;
  readonly randomBytes: RandomBytes;
  readonly maxFiles: number;
  readonly maxSize: number;
  readonly emit: EventSink;
  /** Says whether a transfer of so many bytes, if that is known, may come. */
  readonly admit: (totalBytes: number | undefined) => Promise<void>;
  readonly progress: () => void;
  readonly limits: QuietLimits;
  /** Told of a peer that says nothing any more. */
  readonly silent: (conn: Conn) => void;
  readonly finished: (outcome: ReceiveOutcome) => void;
}

/** Entries that may be open at a time. */
export const WINDOW = 8192;
/** Lanes that a sender may open on one connection. */
export const MAX_LANES = 64;
/** A frame is as large as its chunk and its header, or a pack; bytes. */
const FRAME_SLACK = 64 * 1024;
const PACK_BYTES = 1024 * 1024;
/** Time between two looks at the progress, ms. */
const TICK_MS = 250;
const METER_MS = 5000;
/** How long an answer to a ping may take, ms. */
const PROBE_MS = 3000;
/** How long facts take to be said once more, at most, ms. */
const REPEAT_MS = 60_000;

/** Creates one life of a receiver's scheduler. */
export function receiveScheduler(
  deps: ReceiveSchedulerDeps,
): Behavior<ReceiveSchedulerMessage> {
  const life = deps.randomBytes(16);
  const rules = receiverRules({
    window: WINDOW,
    maxFiles: deps.maxFiles,
    maxSize: deps.maxSize,
  });
  let run: ReceiveRun | undefined;
  let offer: Offer | undefined;
  let peerLife: string | undefined;
  let wire: ReceiveWire | undefined;
  let epochs = 0;
  let pings = 0;
  let received = 0; // bytes of content that came over the network
  let written = 0; // of those, bytes that were right
  let same = 0;
  let shown = "";
  let receipted = false;
  let meter: ReturnType<typeof createMeter> | undefined;
  const probes = new Map<number, Reply<boolean>>();
  const quiet = quietWatch(deps.limits, TICK_MS);

  const checked = async (
    chunks: readonly CheckedChunk[],
    number: number,
    signal: AbortSignal,
  ): Promise<void> => {
    await deps.verifier.send({ type: "checked", run: number, chunks }, signal);
  };

  const connected = (
    link: ReceiveLink,
    cx: Context<ReceiveSchedulerMessage>,
  ): void => {
    wire?.close();
    const peer = link.hello.life.toHex();
    const continued = run !== undefined && peerLife === peer &&
      offer !== undefined;
    peerLife = peer;
    if (!continued) {
      run = undefined;
      offer = undefined;
    }
    receipted = false;
    quiet.heard();
    rules.connect();
    rules.heardControl(link.hello);
    wire = openReceiveWire(cx, ++epochs, link, beat, {
      pool: deps.pool,
      judge: (record) => rules.heardRecord(record),
      target: (index) => deps.desk.current?.target(index),
      maxBody: () =>
        Math.max(deps.desk.current?.largestChunk ?? 0, PACK_BYTES) +
        FRAME_SLACK,
      checked: async (chunks) => {
        for (const { verdict, bytes } of chunks) {
          if (verdict === "written") written += bytes;
          else if (verdict === "same") same += bytes;
        }
        if (run !== undefined) await checked(chunks, run.number, cx.signal);
      },
      received(bytes) {
        quiet.heard();
        received += bytes;
        meter?.add(bytes);
      },
    });
    tell({
      type: "welcome",
      version: VERSION,
      continued,
      life,
      next: continued ? rules.next : 0,
      window: WINDOW,
      maxLanes: MAX_LANES,
    });
  };

  const tell = (frame: ControlFrame): void => {
    rules.saidControl(frame);
    wire?.tell(frame);
  };

  const accept = async (
    frame: Offer,
    cx: Context<ReceiveSchedulerMessage>,
  ): Promise<void> => {
    if (wire === undefined) return;
    const goesOn = run !== undefined;
    offer = frame;
    if (!goesOn) {
      await deps.admit(frame.totalBytes);
      const { checksum, fresh, b3sum } = frame;
      const number = epochs;
      run = receiveRun(number, rules, deps.digest);
      received = written = same = 0;
      await deps.verifier.send(
        { type: "begin", run: number, checksum, fresh, b3sum },
        cx.signal,
      );
    }
    tell({ type: "accept" });
    const { remote } = wire.link.conn;
    const { session } = deps;
    if (!goesOn) {
      deps.emit({ type: "started", session, label: frame.label, remote });
    }
    deps.emit({
      type: "connected",
      session,
      remote,
      path: "direct",
      resumed: goesOn,
    });
    wire.open();
    if (!goesOn) return;
    wire.say(...run?.repeat() ?? []);
    const { epoch } = wire;
    const number = run?.number ?? 0;
    cx.spawn(async (signal) => {
      await repeatFacts(deps.persistence, number, {
        signal,
        clock: cx.clock,
        timeoutMs: REPEAT_MS,
      });
      await cx.self.send({ type: "repeated", epoch }, signal);
    });
  };

  const hearManifest = async (
    frames: readonly ManifestFrame[],
    { signal }: Context<ReceiveSchedulerMessage>,
  ): Promise<void> => {
    if (run === undefined) return;
    const { number } = run;
    let entries: Announced[] = [];
    const pass = async (): Promise<void> => {
      if (entries.length === 0) return;
      const list = entries;
      entries = [];
      await deps.verifier.send(
        { type: "announced", run: number, entries: list },
        signal,
      );
    };
    for (const frame of frames) {
      if (rules.heardManifest(frame) === "drop") continue;
      switch (frame.type) {
        case "entry": {
          const { index, gen, entry } = frame;
          entries.push({ index, gen, entry });
          break;
        }
        case "digest":
        case "gone":
          await pass();
          await deps.verifier.send({ ...frame, run: number }, signal);
          break;
        case "end":
          break;
        default:
          unreachable(frame);
      }
    }
    await pass();
  };

  const hearFacts = async (
    facts: ReadonlyMap<number, Fact>,
    cx: Context<ReceiveSchedulerMessage>,
  ): Promise<void> => {
    if (run === undefined) return;
    const { number } = run;
    const ours = new Map([...facts].filter(([, { run }]) => run === number));
    const before = rules.retired;
    wire?.say(...run.heard(ours, isOpen()));
    if (facts.size > 0) deps.progress();
    const final = run.takeFinal();
    for (const event of final) deps.emit({ ...event, session: deps.session });
    if (rules.retired > before) {
      await deps.verifier.send(
        { type: "retired", run: run.number, next: rules.retired },
        cx.signal,
      );
    }
    settle();
  };

  const isOpen = (): boolean =>
    wire?.isOpen === true &&
    (rules.phase === "open" || rules.phase === "receipted");

  /** Says that all is verified, on disk and in place, once it is. */
  const settle = (): void => {
    const root = run?.root();
    if (run === undefined || root === undefined || receipted || !isOpen()) {
      return;
    }
    receipted = true;
    const { entries, bytes, skipped, refused } = run.totals;
    tell({
      type: "receipt",
      root,
      entries: rules.total ?? entries,
      bytes,
      written,
      skipped,
      refused,
    });
  };

  const hearControl = async (
    frame: ControlFrame,
    cx: Context<ReceiveSchedulerMessage>,
  ): Promise<void> => {
    if (rules.heardControl(frame) === "drop") return;
    switch (frame.type) {
      case "offer":
        await accept(frame, cx);
        return;
      case "ping":
        tell({ type: "pong", id: frame.id });
        return;
      case "pong":
        probes.get(frame.id)?.resolve(true);
        probes.delete(frame.id);
        return;
      case "cancel":
        throw new SftpxError(frame.code, frame.reason);
      case "receipt-ack": {
        const root = run?.root();
        if (run === undefined || root === undefined) return;
        const { entries, bytes, skipped, refused } = run.totals;
        const totals = {
          entries,
          bytes,
          sent: received,
          reused: same,
          skipped,
          failed: refused,
        };
        showProgress(true);
        deps.finished({ totals, root });
        return;
      }
      default:
        return;
    }
  };

  const showProgress = (isLast: boolean): void => {
    if (run === undefined || meter === undefined) return;
    const { entries } = run.totals;
    const { bytes, total } = rules;
    const state = `${received} ${entries} ${bytes} ${total}`;
    if (state === shown && !isLast) return;
    shown = state;
    deps.emit({
      type: "progress",
      session: deps.session,
      bytes: Math.min(bytes, Math.max(run.totals.bytes, written + same)),
      total: bytes,
      counted: total !== undefined,
      entries,
      sent: received,
      rate: Math.round(meter.rate()),
      limiter: "none",
    });
  };

  /** What the sender hears once in a while: how far we are, and that we are here. */
  const beat = (): Uint8Array =>
    encodeStatus({
      type: "progress",
      durableBytes: run?.totals.bytes ?? 0,
      receivedBytes: received,
      limiter: "none",
    });

  const askIfSilent = (): void => {
    if (wire === undefined) return;
    switch (quiet.look(isOpen())) {
      case "ask":
        return tell({ type: "ping", id: ++pings });
      case "give-up":
        return deps.silent(wire.link.conn);
    }
  };

  /** Lets a further connection in, if it is of the one that is open. */
  const joined = async (link: ReceiveLink): Promise<void> => {
    const { hello, conn, control } = link;
    const first = wire?.link.hello;
    const isOurs = first !== undefined && isOpen() &&
      first.attempt === hello.attempt && peerLife === hello.life.toHex();
    if (!isOurs) {
      return conn.close("peer-busy", "Cannot join: nothing is under way");
    }
    const lost = (): void => conn.close(); // whoever dialled it hears of it
    await control.write({
      type: "welcome",
      version: VERSION,
      continued: false,
      life,
      next: 0,
      window: WINDOW,
      maxLanes: MAX_LANES,
    }).then(() => wire?.join(link), lost);
  };

  const probe = (
    reply: Reply<boolean>,
    cx: Context<ReceiveSchedulerMessage>,
  ): void => {
    if (wire === undefined) return reply.resolve(false);
    const id = ++pings;
    probes.set(id, reply);
    tell({ type: "ping", id });
    cx.spawn(async (signal) => {
      await cx.clock.delay(PROBE_MS, signal).catch(() => {});
      probes.get(id)?.resolve(false);
      probes.delete(id);
    });
  };

  return {
    start(cx) {
      meter = createMeter(cx.clock, METER_MS);
      cx.after(TICK_MS, { type: "tick" });
      cx.spawn(async (signal) => {
        for (;;) {
          const facts = await deps.facts.take(signal);
          await cx.self.send({ type: "facts", facts }, signal);
        }
      });
    },
    async receive(message, cx) {
      switch (message.type) {
        case "connected":
          connected(message.link, cx);
          return;
        case "control":
          if (message.epoch !== wire?.epoch) return;
          quiet.heard();
          await hearControl(message.frame, cx);
          return;
        case "manifest":
          if (message.epoch !== wire?.epoch) return;
          quiet.heard();
          await hearManifest(message.frames, cx);
          settle();
          return;
        case "facts":
          await hearFacts(message.facts, cx);
          return;
        case "repeated":
          if (message.epoch === wire?.epoch) settle();
          return;
        case "joined":
          await joined(message.link);
          return;
        case "probe":
          probe(message.reply, cx);
          return;
        case "tick":
          showProgress(false);
          askIfSilent();
          cx.after(TICK_MS, { type: "tick" });
          return;
        default:
          unreachable(message);
      }
    },
    stop() {
      for (const reply of probes.values()) reply.resolve(false);
      wire?.close();
    },
  };
}
