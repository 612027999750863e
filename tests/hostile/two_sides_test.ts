/**
 * A sender and a receiver that talk over streams of random delay, and lose
 * their connection now and then. They do what the rules allow, at random, and
 * keep their own simple notes: the rules must agree with all they do.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import type { ControlFrame } from "../../protocol/control.ts";
import type { LaneRecord } from "../../protocol/lane.ts";
import {
  chunkCount,
  chunkLength,
  type Entry,
  type ManifestFrame,
} from "../../protocol/manifest.ts";
import {
  type Final,
  type ReceiverRules,
  receiverRules,
  type SenderRules,
  senderRules,
} from "../../protocol/session.ts";
import type { StatusFrame, Verdict } from "../../protocol/status.ts";
import {
  ACCEPT,
  bytes,
  file,
  hello,
  offer,
  RECEIPT,
  welcome,
} from "./conversation.ts";

import { forAll } from "../testutil/random.ts";

const REFUSED = { kind: "refused", code: "local-io", reason: "" } as const;

Deno.test("whatever a decent sender and receiver say, both take, and agree on every entry", () => {
  forAll((random) => random, (random) => {
    const talk = twoSides(random);
    for (let step = 0; !talk.done; step++) {
      assert(step < 200_000, "the conversation does not end");
      talk.step();
    }
  }, { runs: 300 });
});

Deno.test("at any point of a conversation, what the rules forbid is refused", () => {
  forAll((random) => random, (random) => {
    const talk = twoSides(random);
    for (let steps = Math.floor(random() * 400); steps > 0; steps--) {
      talk.step();
    }
    const { sender, receiver } = talk;
    const data = { kind: "data", gen: 0, chunk: 0, length: 1 } as const;
    if (receiver.phase !== "over") {
      const { next } = receiver;
      refused(() => receiver.heardControl(welcome()));
      refused(() => receiver.heardControl(ACCEPT));
      refused(() => receiver.heardControl({ type: "pong", id: 2 ** 40 }));
      refused(() => receiver.heardRecord({ ...data, index: next }));
      refused(() => receiver.heardRecord({ ...data, index: 2 ** 53 - 1 }));
      refused(() => receiver.heardManifest(goneOf(next, 0)));
      refused(() => receiver.heardManifest(digestOf(next, 0)));
      for (const index of [next + 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1]) {
        const entry = file("x");
        refused(() =>
          receiver.heardManifest({ type: "entry", index, gen: 0, entry })
        );
      }
      for (let index = receiver.retired; index < next; index++) {
        const gen = (receiver.known(index)?.gen ?? 0) + 1;
        refused(() => receiver.heardRecord({ ...data, index, gen }));
        refused(() =>
          receiver.heardRecord({ ...data, index, gen: gen - 1, chunk: 4 })
        );
        refused(() => receiver.heardManifest(goneOf(index, gen)));
      }
      const end = { type: "end", entries: next + 1, bytes: 0 } as const;
      refused(() => receiver.heardManifest(end));
    }
    if (sender.phase !== "over") {
      const { next, retired } = sender;
      refused(() => sender.heardControl(hello({ attempt: 2 ** 40 })));
      refused(() => sender.heardControl(offer()));
      refused(() => sender.heardControl({ ...RECEIPT, entries: next + 1 }));
      refused(() => sender.heardStatus({ type: "retired", next: next + 1 }));
      const verdict = REFUSED;
      refused(() =>
        sender.heardStatus({ type: "verdict", index: next, gen: 0, verdict })
      );
      for (let index = retired; index < next; index++) {
        const gen = (sender.known(index)?.gen ?? 0) + 1;
        refused(() =>
          sender.heardStatus({ type: "verdict", index, gen, verdict })
        );
        refused(() =>
          sender.heardStatus({
            type: "durable",
            index,
            gen: 0,
            first: 3,
            count: 1,
          })
        );
      }
    }
  }, { runs: 300 });
});

/** Makes sure that `act` throws `protocol`. */
function refused(act: () => unknown): void {
  assertEquals(assertThrows(act, SftpxError).code, "protocol");
}

type Record = Omit<LaneRecord, "digest">;

/** What is on its way. */
interface Wire {
  toReceiver: ControlFrame[];
  toSender: ControlFrame[];
  manifest: ManifestFrame[];
  status: StatusFrame[];
  lanes: Record[];
}

/** A conversation between the two. */
interface TwoSides {
  readonly wire: Wire;
  readonly sender: SenderRules;
  readonly receiver: ReceiverRules;
  /** Does something; false when there is nothing left to do. */
  step(): void;
  readonly done: boolean;
}

const CHUNK = 1024 * 1024;
const WINDOW = 4;

interface Out {
  entry: Entry;
  gen: number;
  sent: Set<number>;
  /** Every chunk was sent once: it cannot change any more. */
  full: boolean;
  digest: boolean;
  gone: boolean;
  goneSaid: boolean;
  verdict: { gen: number; verdict: Verdict } | undefined;
}

interface In {
  entry: Entry;
  gen: number;
  got: Set<number>;
  digest: boolean;
  gone: boolean;
  verdict: { gen: number; verdict: Verdict } | undefined;
}

/** Creates a conversation that is about to begin. */
function twoSides(random: () => number): TwoSides {
  const pick = (below: number): number => Math.floor(random() * below);
  const chance = (of: number): boolean => random() < of;
  const sender = senderRules({ window: WINDOW });
  const receiver = receiverRules({ window: WINDOW });
  const wire: Wire = {
    toReceiver: [],
    toSender: [],
    manifest: [],
    status: [],
    lanes: [],
  };
  const entries: Entry[] = Array.from({ length: pick(12) }, makeEntry);
  let outs: Out[] = entries.map(fresh);
  let ins: In[] = [];
  let life = 1;
  let wanted = 0; // ports, over this connection
  let lastLife = 0;
  let attempt = 0;
  let said = 0;
  let heardRetired = 0;
  let endSaid = false;
  let retired = 0;
  let total: number | undefined;
  let done = false;
  let finals: Final[] = [];

  function makeEntry(_: unknown, at: number): Entry {
    const path = `e${at}`;
    if (chance(0.2)) return { kind: "dir", path, mode: 0o755, mtimeNs: 0n };
    return file(path, chance(0.2) ? 0 : pick(3 * CHUNK) + 1);
  }
  function fresh(entry: Entry): Out {
    return {
      entry,
      gen: 0,
      sent: new Set(),
      full: false,
      digest: false,
      gone: false,
      goneSaid: false,
      verdict: undefined,
    };
  }

  function connect(): void {
    for (const queue of Object.values(wire)) queue.length = 0;
    wanted = 0;
    sender.connect();
    receiver.connect();
    sayControl(hello({ attempt: ++attempt }));
  }
  function sayControl(frame: ControlFrame): void {
    sender.saidControl(frame);
    wire.toReceiver.push(frame);
  }
  function answerControl(frame: ControlFrame): void {
    receiver.saidControl(frame);
    wire.toSender.push(frame);
  }
  function sayManifest(frame: ManifestFrame): void {
    sender.saidManifest(frame);
    wire.manifest.push(frame);
  }
  function sayStatus(frame: StatusFrame): void {
    receiver.saidStatus(frame);
    wire.status.push(frame);
  }

  function receiverHears(): void {
    const frame = wire.toReceiver.shift();
    if (frame === undefined) return;
    receiver.heardControl(frame);
    if (frame.type === "hello") {
      if (chance(0.1)) life++;
      const continued = life === lastLife;
      lastLife = life;
      if (!continued) {
        ins = [];
        retired = 0;
        total = undefined;
        finals = [];
      }
      const next = ins.length;
      answerControl(
        welcome({ life: bytes(16, life), continued, next, window: WINDOW }),
      );
    }
    if (frame.type === "offer") {
      answerControl(ACCEPT);
      for (const frame of receiver.repeats()) sayStatus(frame);
    }
    if (frame.type === "receipt-ack") done = true;
    if (frame.type === "ping") answerControl({ type: "pong", id: frame.id });
    if (frame.type === "want-ports") {
      const ports = Array.from({ length: pick(frame.count + 1) }, (_, n) => n);
      answerControl({
        type: "ports",
        carrier: frame.carrier,
        ports: ports.map((n) => 4444 + n),
      });
    }
  }

  function senderHears(): void {
    const frame = wire.toSender.shift();
    if (frame === undefined) return;
    sender.heardControl(frame);
    if (frame.type === "welcome") {
      if (!sender.continued) {
        outs = outs.map(({ entry }) => fresh(entry));
        heardRetired = 0;
      }
      said = frame.next;
      endSaid = false;
      for (const [index, out] of outs.entries()) {
        out.sent.clear();
        if (index < said) continue;
        Object.assign(out, {
          digest: false,
          goneSaid: false,
          verdict: undefined,
        });
      }
      sayControl(offer());
    }
    if (frame.type === "accept") repeat();
  }
  function repeat(): void {
    for (const [index, out] of outs.slice(0, said).entries()) {
      if (index < heardRetired) continue;
      const { gen, entry } = out;
      if (gen > 0 || chance(0.3)) {
        sayManifest({ type: "entry", index, gen, entry });
      }
      if (out.digest) sayManifest(digestOf(index, gen));
      if (out.goneSaid) sayManifest(goneOf(index, gen));
    }
  }

  function senderActs(): void {
    if (sender.phase === "receipted" && sender.finished) {
      sayControl({ type: "receipt-ack", root: bytes(32) });
      return;
    }
    if (sender.phase !== "open" && sender.phase !== "receipted") return;
    if (chance(0.02)) sayControl({ type: "ping", id: pick(1e9) });
    if (wanted < 15 && chance(0.01)) {
      wanted += 1 + pick(15 - wanted);
      sayControl({ type: "want-ports", carrier: "quic", count: wanted });
    }
    if (chance(0.4) && said < outs.length && said - heardRetired < WINDOW) {
      const { gen, entry } = outs[said] ?? fresh(file("?"));
      sayManifest({ type: "entry", index: said, gen, entry });
      said++;
    } else if (said === outs.length && !endSaid) {
      endSaid = true;
      sayManifest({ type: "end", entries: said, bytes: 0 });
    }
    const index = heardRetired + pick(Math.max(1, said - heardRetired));
    const out = outs[index];
    if (out === undefined || index >= said || out.entry.kind !== "file") return;
    if (out.gone) {
      if (!out.goneSaid) sayManifest(goneOf(index, out.gen));
      out.goneSaid = true;
      return;
    }
    actOn(index, out);
  }
  function actOn(index: number, out: Out): void {
    const { gen, entry } = out;
    const chunks = chunkCount(entry);
    const settled = out.full || out.digest || chunks === 0;
    if (!settled && chance(0.05)) {
      out.gone = out.goneSaid = true;
      sayManifest(goneOf(index, gen));
      return;
    }
    if (!settled && chance(0.05) && gen < 5) {
      const changed = file(entry.path, pick(3 * CHUNK) + 1);
      Object.assign(out, { gen: gen + 1, entry: changed, sent: new Set() });
      sayManifest({ type: "entry", index, gen: gen + 1, entry: changed });
      return;
    }
    const verdict = out.verdict?.gen === gen ? out.verdict.verdict : undefined;
    const wanted = verdict?.kind === "want" || verdict?.kind === "compare";
    if (!wanted || entry.kind !== "file" || chunks === 0) return;
    const missing = Array.from({ length: chunks }, (_, at) => at)
      .filter((at) => !out.sent.has(at));
    const chunk = missing[pick(missing.length)] ?? pick(chunks);
    const same = verdict.kind === "compare" && chunk < verdict.chunks &&
      chance(0.5);
    const kind = same ? "same" : "data";
    wire.lanes.push({
      kind,
      gen,
      index,
      chunk,
      length: chunkLength(entry, chunk),
    });
    out.sent.add(chunk);
    if (out.sent.size < chunks) return;
    out.full = true;
    if (chunks < 2 || out.digest) return;
    out.digest = true;
    sayManifest(digestOf(index, gen));
  }

  function receiverActs(): void {
    if (receiver.phase !== "open") return;
    const index = retired + pick(Math.max(1, ins.length - retired));
    const row = ins[index];
    if (row !== undefined) judge(index, row);
    const first = ins[retired];
    if (first !== undefined && isFinal(first)) {
      const final = receiver.final(retired);
      assert(final !== undefined);
      finals.push(final);
      retired++;
      sayStatus({ type: "retired", next: retired });
    }
    if (total === retired) answerControl({ ...RECEIPT, entries: total });
  }
  function judge(index: number, row: In): void {
    const { gen, entry } = row;
    const kind = row.verdict?.verdict.kind;
    const wants = kind === "want" || kind === "compare";
    const say = (verdict: Verdict): void => {
      row.verdict = { gen, verdict };
      sayStatus({ type: "verdict", index, gen, verdict });
    };
    const refused = { kind: "refused", code: "local-io", reason: "" } as const;
    if (row.verdict?.gen === gen) {
      if (wants && chance(0.03)) return say(refused);
      const [chunk] = row.got;
      if (!wants || chunk === undefined || chance(0.5)) return;
      const type = chance(0.2) ? "corrupt" : "durable";
      sayStatus({ type, index, gen, first: chunk, count: 1 });
      return;
    }
    if (row.gone || chance(0.3)) return;
    if (chance(0.1)) return say(refused);
    if (entry.kind !== "file") return;
    const chunks = chunkCount(entry);
    if (chance(0.2)) return say({ kind: "have", digest: bytes(32, 7) });
    if (chunks > 0 && chance(0.4)) {
      return say({ kind: "compare", chunks: 1 + pick(chunks) });
    }
    say({ kind: "want" });
  }
  function isFinal(row: In): boolean {
    const kind = row.verdict?.verdict.kind;
    if (kind === "have" || kind === "refused" || row.gone) return true;
    if (row.entry.kind !== "file") return true;
    const chunks = chunkCount(row.entry);
    return row.verdict?.gen === row.gen && row.got.size === chunks &&
      (chunks < 2 || row.digest);
  }

  function receiverReads(): void {
    if (receiver.phase !== "open" && receiver.phase !== "receipted") return;
    if (chance(0.5)) {
      const [record] = wire.lanes.splice(pick(wire.lanes.length), 1);
      if (record === undefined) return;
      if (receiver.heardRecord(record) === "drop") return;
      const row = ins[record.index];
      assertEquals(row?.gen, record.gen);
      row?.got.add(record.chunk);
      return;
    }
    const frame = wire.manifest.shift();
    if (frame === undefined) return;
    if (receiver.heardManifest(frame) === "drop") return;
    if (frame.type === "end") {
      total = frame.entries;
      return;
    }
    const row = ins[frame.index];
    if (frame.type === "entry") {
      const { entry, gen } = frame;
      const verdict = row?.verdict;
      ins[frame.index] = {
        entry,
        gen,
        got: new Set(),
        digest: false,
        gone: false,
        verdict,
      };
    } else if (row !== undefined) {
      if (frame.type === "digest") row.digest = true;
      else row.gone = true;
    }
  }

  function senderReads(): void {
    if (sender.phase !== "open" && sender.phase !== "receipted") return;
    const frame = wire.status.shift();
    if (frame === undefined) return;
    if (frame.type === "retired") {
      for (let index = heardRetired; index < frame.next; index++) {
        assertEquals(sender.final(index), finals[index]);
      }
      heardRetired = frame.next;
    }
    sender.heardStatus(frame);
    const out = frame.type === "verdict" ? outs[frame.index] : undefined;
    if (frame.type === "verdict" && out !== undefined) out.verdict = frame;
  }

  connect();
  const actions = [
    receiverHears,
    senderHears,
    senderActs,
    receiverActs,
    receiverReads,
    senderReads,
  ];
  return {
    wire,
    sender,
    receiver,
    get done() {
      return done;
    },
    step() {
      if (chance(0.004)) connect();
      actions[pick(actions.length)]?.();
    },
  };
}

function digestOf(index: number, gen: number): ManifestFrame {
  return {
    type: "digest",
    index,
    gen,
    digest: bytes(32, gen),
    b3sum: undefined,
  };
}

function goneOf(index: number, gen: number): ManifestFrame {
  return { type: "gone", index, gen, code: "local-io", reason: "" };
}
