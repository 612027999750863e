/**
 * The rules of the conversation: who may say what, and when.
 *
 * Each side enters what it says and what it hears. What the peer may not say
 * throws `protocol`; what we may not say throws `internal` before it is sent.
 * Legal words that came too late to mean anything are answered with `drop`.
 *
 * The streams of a connection are not ordered among each other. A side reads
 * the manifest, lanes or status only once the control stream has come to
 * ACCEPT; what the peer sends before that waits in the transport.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { ControlFrame, Hello, Offer, Welcome } from "./control.ts";
import {
  type Answer,
  type Fail,
  failHeard,
  failSaid,
  handshake,
  type Phase,
  type Side,
} from "./handshake.ts";
import type { LaneRecord } from "./lane.ts";
import { ledger } from "./ledger.ts";
import type { Final, Known } from "./ledger_row.ts";
import type { ManifestFrame } from "./manifest.ts";
import { sameBytes } from "./same.ts";
import type { StatusFrame } from "./status.ts";

export type { Answer, Final, Known, Phase };

/** What a side allows, whatever its peer says. */
export interface RulesOptions {
  /**
   * Entries that may be unretired at a time.
   *
   * @default 8192
   */
  readonly window?: number;
  /**
   * Entries that a sender may announce.
   *
   * @default no limit
   */
  readonly maxFiles?: number;
  /**
   * Bytes that the files may add up to.
   *
   * @default no limit
   */
  readonly maxSize?: number;
}

/** What both sides' rules have. */
export interface Rules {
  /** How far the control stream of this connection has come. */
  readonly phase: Phase;
  /** This connection goes on where the last one ended; decided by WELCOME. */
  readonly continued: boolean;
  /** The index of the next new entry. */
  readonly next: number;
  /** All entries below are final. */
  readonly retired: number;
  /** How many entries may be unretired: the smaller of both sides' numbers. */
  readonly window: number;
  /** How many entries there are; `undefined` before END. */
  readonly total: number | undefined;
  /** What the files of all entries add up to. */
  readonly bytes: number;
  /** Returns what is known of an unretired entry. */
  known(index: number): Known | undefined;
  /** Returns what becomes of an unretired entry; `undefined`: not final yet. */
  final(index: number): Final | undefined;
  /** A new connection begins: its control stream starts with HELLO. */
  connect(): void;
  /** A control frame came. */
  heardControl(frame: ControlFrame): Answer;
  /** A control frame is about to go. */
  saidControl(frame: ControlFrame): void;
}

/** The rules as the sender enters them. */
export interface SenderRules extends Rules {
  /** Everything is final and the receipt is there: it can be acknowledged. */
  readonly finished: boolean;
  /** A manifest frame is about to go. */
  saidManifest(frame: ManifestFrame): void;
  /** A status frame came. */
  heardStatus(frame: StatusFrame): Answer;
}

/** The rules as the receiver enters them. */
export interface ReceiverRules extends Rules {
  /** A manifest frame came. */
  heardManifest(frame: ManifestFrame): Answer;
  /** A record came on a lane, of this or of a further connection. */
  heardRecord(record: Omit<LaneRecord, "digest">): Answer;
  /** A status frame is about to go. */
  saidStatus(frame: StatusFrame): void;
  /**
   * Returns what to say first on the status stream of a connection that goes
   * on: verdicts that may have been lost, and RETIRED. What is durable, and
   * candidates, the caller knows and adds.
   */
  repeats(): readonly StatusFrame[];
}

/** Options where none are given. */
export const DEFAULT_RULES_OPTIONS: Readonly<Required<RulesOptions>> = Object
  .freeze({
    window: 8192,
    maxFiles: Number.MAX_SAFE_INTEGER,
    maxSize: Number.MAX_SAFE_INTEGER,
  });

/** Creates the rules of a conversation for its sender. */
export function senderRules(options: RulesOptions = {}): SenderRules {
  return rules("sender", options);
}

/** Creates the rules of a conversation for its receiver. */
export function receiverRules(options: RulesOptions = {}): ReceiverRules {
  return rules("receiver", options);
}

function rules(us: Side, options: RulesOptions): SenderRules & ReceiverRules {
  const { window, maxFiles, maxSize } = {
    ...DEFAULT_RULES_OPTIONS,
    ...options,
  };
  const limits = { window, maxEntries: maxFiles, maxBytes: maxSize, over };
  let book = ledger(us, limits);
  let control = handshake(us);
  let hello: Hello | undefined;
  let welcome: Welcome | undefined;
  let life: Uint8Array | undefined;
  let offer: Offer | undefined;
  let receiptRoot: Uint8Array | undefined;
  let continued = false;
  let agreed = window;

  function enter(frame: ControlFrame, fail: Fail): void {
    switch (frame.type) {
      case "hello":
        if (hello !== undefined) checkHello(hello, frame, fail);
        hello = frame;
        return;
      case "welcome":
        continued = frame.continued && isKnown(frame);
        if (continued) goOn(frame, fail);
        else if (frame.continued && us === "receiver") {
          fail("there is nothing to continue");
        } else begin(frame, fail);
        // A peer may tighten our limit, and not loosen it.
        agreed = Math.min(window, frame.window);
        book.setWindow(agreed);
        welcome = frame;
        return;
      case "offer":
        if (offer !== undefined) checkOffer(offer, frame, fail);
        offer = frame;
        book.setDigests(frame.b3sum);
        return;
      case "receipt":
        if (book.total === undefined) fail("a receipt comes before the end");
        if (frame.entries !== book.total) {
          fail(`a receipt counts ${frame.entries} entries, not ${book.total}`);
        }
        if (us === "receiver" && !allRetired()) fail("entries are not retired");
        receiptRoot = frame.root;
        return;
      case "receipt-ack":
        if (receiptRoot === undefined || !sameBytes(frame.root, receiptRoot)) {
          fail("what is agreed with is not what the receipt says");
        }
        if (us === "sender" && !allRetired()) fail("entries are not retired");
        return;
    }
  }
  /**
   * A receiver whose first WELCOME was lost believes that it continues, and has
   * heard nothing yet: to the sender that is a beginning like any other.
   */
  function begin(frame: Welcome, fail: Fail): void {
    if (frame.next !== 0) fail(`a new conversation begins at ${frame.next}`);
    book = ledger(us, limits);
    offer = undefined;
    life = hello?.life;
  }
  /** Whether both are who they were when the last conversation began. */
  function isKnown(frame: Welcome): boolean {
    return welcome !== undefined && life !== undefined &&
      hello !== undefined && sameBytes(life, hello.life) &&
      sameBytes(welcome.life, frame.life);
  }
  function goOn(frame: Welcome, fail: Fail): void {
    const exact = us === "receiver" && frame.next !== book.next;
    if (exact || frame.next < book.retired || frame.next > book.next) {
      fail(`${book.retired} to ${book.next} entries are there: ${frame.next}`);
    }
    book.resume(frame.next);
  }
  function allRetired(): boolean {
    return book.retired === book.total;
  }
  function atWork(fail: Fail): void {
    if (control.phase === "open" || control.phase === "receipted") return;
    fail(`data streams are not open in "${control.phase}"`);
  }

  return {
    get phase() {
      return control.phase;
    },
    get continued() {
      return continued;
    },
    get next() {
      return book.next;
    },
    get window() {
      return agreed;
    },
    get retired() {
      return book.retired;
    },
    get total() {
      return book.total;
    },
    get bytes() {
      return book.bytes;
    },
    get finished() {
      return control.phase === "receipted" && allRetired();
    },
    known: (index) => book.get(index),
    final: (index) => book.final(index),
    connect() {
      control = handshake(us);
    },
    heardControl(frame) {
      const answer = control.heard(frame);
      if (answer === "take") enter(frame, failHeard);
      return answer;
    },
    saidControl(frame) {
      control.said(frame);
      enter(frame, failSaid);
    },
    heardManifest(frame) {
      if (control.phase === "over") return "drop";
      atWork(failHeard);
      return book.manifest(frame, failHeard);
    },
    saidManifest(frame) {
      atWork(failSaid);
      book.manifest(frame, failSaid);
    },
    heardStatus(frame) {
      if (control.phase === "over") return "drop";
      atWork(failHeard);
      return book.status(frame, failHeard);
    },
    saidStatus(frame) {
      atWork(failSaid);
      book.status(frame, failSaid);
    },
    repeats: () => continued ? book.repeats() : [],
    heardRecord(record) {
      if (control.phase === "over") return "drop";
      atWork(failHeard);
      return book.record(record, failHeard);
    },
  };
}

/** A sender that wants more than it may have is not let in again as it is. */
function over(reason: string): never {
  throw new SftpxError("unauthorized", `Cannot take more: ${reason}`);
}

function checkHello(before: Hello, now: Hello, fail: Fail): void {
  if (!sameBytes(now.session, before.session)) fail("the session is another");
  if (sameBytes(now.life, before.life) && now.attempt <= before.attempt) {
    fail(`attempt ${now.attempt} comes after ${before.attempt}`);
  }
}

function checkOffer(before: Offer, now: Offer, fail: Fail): void {
  // FRESH counts only when a conversation begins.
  const same = now.checksum === before.checksum && now.b3sum === before.b3sum;
  if (!same) fail("the offer is not the one that was made before");
}
