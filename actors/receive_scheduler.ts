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
import type { Reply } from "../core/reply.ts";
import type { RandomBytes } from "../crypto/random.ts";
import type { Digest } from "../crypto/digest.ts";
import type { ControlFrame, Offer } from "../protocol/control.ts";
import { receiverRules } from "../protocol/session.ts";
import type { Conn } from "../transport/transport.ts";
import type { Connected } from "./connection.ts";
import type { Fact, Facts } from "./facts.ts";
import { type PersistenceMessage, repeatFacts } from "./persistence.ts";
import { type QuietLimits, quietWatch } from "./quiet.ts";
import { createPings } from "./pings.ts";
import { type ReceiveCounts, receiveCounts } from "./receive_counts.ts";
import { findPorts, type FoundPorts } from "./receive_ports.ts";
import { laneDeps, type LaneTies } from "./receive_lanes.ts";
import { passManifest } from "./receive_manifest.ts";
import { type ReceiveRun, receiveRun } from "./receive_run.ts";
import { welcomeBy, WINDOW } from "./receive_welcome.ts";
import {
  openReceiveWire,
  type ReceiveLink,
  type ReceiveWire,
  type ReceiveWireMessage,
} from "./receive_wire.ts";
import { createRooms } from "../workers/rooms.ts";
import type { SidePorts } from "./side_ports.ts";

/** What the receiver's scheduler can be told. */
export type ReceiveSchedulerMessage =
  | Connected<ReceiveLink>
  | ReceiveWireMessage
  | FoundPorts
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
export interface ReceiveSchedulerDeps
  extends Pick<LaneTies, "verifier" | "desk" | "pool" | "maker"> {
  readonly session: string;
  readonly persistence: Address<PersistenceMessage>;
  readonly facts: Facts;
  readonly digest: Digest;
  /** What is shown to who comes over TCP, DER: said to who comes by QUIC. @default {nothing} */
  readonly certificate?: Uint8Array | undefined;
  readonly randomBytes: RandomBytes;
  /** A number that no run of this session had, in whatever life of ours. */
  readonly nextRun: () => number;
  readonly maxFiles: number;
  readonly maxSize: number;
  readonly emit: EventSink;
  /** Processor time of the process so far, ms. */
  readonly cpuMs?: (() => number) | undefined;
  /** Says whether a transfer of so many bytes, if that is known, may come. */
  readonly admit: (totalBytes: number | undefined) => Promise<void>;
  /** Frames that all lanes hold at a time, bytes. @default {96 MiB} */
  readonly roomBytes?: number;
  /** Opens ports for further connections. @default {there are none} */
  readonly sidePorts?: SidePorts["take"];
  readonly progress: () => void;
  readonly limits: QuietLimits;
  /** Told of a peer that says nothing any more. */
  readonly silent: (conn: Conn) => void;
  readonly finished: (outcome: ReceiveOutcome) => void;
}

/** Time between two looks at the progress, ms. */
const TICK_MS = 250;
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
  let receipted = false;
  let counts: ReceiveCounts | undefined;
  const pings = createPings((id) => tell({ type: "ping", id }));
  const rooms = createRooms(deps.roomBytes);
  const quiet = quietWatch(deps.limits, TICK_MS);

  const connected = (
    link: ReceiveLink,
    cx: Context<ReceiveSchedulerMessage>,
  ): void => {
    wire?.close();
    const tallies = counts ??= receiveCounts(
      deps.session,
      deps.emit,
      cx.clock,
      deps.cpuMs,
      () => 1 + rooms.shares,
    );
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
    const lane = laneDeps({
      ...deps,
      rooms,
      rules,
      quiet,
      counts: tallies,
      run: () => run?.number,
    }, cx);
    wire = openReceiveWire(
      cx,
      ++epochs,
      link,
      () => tallies.beat(run),
      lane,
    );
    const certificate = link.conn.carrier === "tcp"
      ? undefined
      : deps.certificate;
    tell({
      ...welcomeBy(life, continued ? rules.next : undefined),
      certificate,
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
      const number = deps.nextRun();
      run = receiveRun(number, rules, deps.digest);
      counts?.begin();
      await deps.verifier.send(
        { type: "begin", run: number, checksum, fresh, b3sum },
        cx.signal,
      );
    }
    tell({ type: "accept" });
    const { remote, path = "direct" } = wire.link.conn;
    const { session } = deps;
    if (!goesOn) {
      deps.emit({ type: "started", session, label: frame.label, remote });
    }
    deps.emit({
      type: "connected",
      session,
      remote,
      path,
      carrier: wire.link.conn.carrier ?? "quic",
      resumed: goesOn,
    });
    wire.open();
    if (!goesOn) return;
    if (run !== undefined) wire.say(run.repeat());
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

  const hearFacts = async (
    facts: ReadonlyMap<number, Fact>,
    cx: Context<ReceiveSchedulerMessage>,
  ): Promise<void> => {
    if (run === undefined) return;
    const before = rules.retired;
    wire?.say(run.heard(facts, isOpen()));
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
    deps.persistence.offer({ type: "complete", run: run.number });
    const { entries, bytes, skipped, refused } = run.totals;
    tell({
      type: "receipt",
      root,
      entries: rules.total ?? entries,
      bytes,
      written: counts?.written ?? 0,
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
        pings.answered(frame.id);
        return;
      case "want-ports":
        if (wire === undefined) return;
        findPorts(cx, {
          epoch: wire.epoch,
          conn: wire.link.conn,
          ...frame,
        }, deps.sidePorts);
        return;
      case "cancel":
        throw new SftpxError(frame.code, frame.reason);
      case "receipt-ack": {
        const root = run?.root();
        if (run === undefined || root === undefined) return;
        if (counts === undefined) return;
        counts.show(run, rules, true);
        deps.finished({ totals: counts.totals(run), root });
        wire?.link.conn.close(); // the sender waits for nothing else
        return;
      }
      default:
        return;
    }
  };

  const askIfSilent = (): void => {
    if (wire === undefined) return;
    switch (quiet.look(isOpen())) {
      case "ask":
        return pings.send();
      case "give-up":
        return deps.silent(wire.link.conn);
    }
  };

  /** Lets a further connection in, if it is of the one that is open. */
  const joined = (link: ReceiveLink): void => {
    const { attempt, life: theirs } = link.hello;
    const isOurs = isOpen() && wire?.link.hello.attempt === attempt &&
      peerLife === theirs.toHex();
    if (!isOurs || wire === undefined) {
      return link.conn.close("peer-busy", "Cannot join: nothing is under way");
    }
    const welcomed = link.control.write(welcomeBy(life));
    welcomed.catch(() => {}); // it may be one too many
    wire.join(link, welcomed);
  };

  return {
    start(cx) {
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
          if (run === undefined) return;
          await passManifest(
            message.frames,
            run.number,
            rules,
            (down) => deps.verifier.send(down, cx.signal),
          );
          settle();
          return;
        case "facts":
          await hearFacts(message.facts, cx);
          return;
        case "repeated":
          if (message.epoch === wire?.epoch) settle();
          return;
        case "joined":
          joined(message.link);
          return;
        case "ports":
          if (message.epoch !== wire?.epoch || !isOpen()) return;
          tell(message.frame);
          return;
        case "probe":
          if (wire === undefined) message.reply.resolve(false);
          else pings.ask(message.reply, cx);
          return;
        case "tick":
          if (run !== undefined) counts?.show(run, rules, false);
          askIfSilent();
          cx.after(TICK_MS, { type: "tick" });
          return;
        default:
          unreachable(message);
      }
    },
    stop() {
      pings.close();
      wire?.close();
    },
  };
}
