/**
 * What a hostile peer may not say, and that a decent one may say all it has to.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import type { ControlFrame } from "../../protocol/control.ts";
import type { Entry, ManifestFrame } from "../../protocol/manifest.ts";
import {
  type ReceiverRules,
  receiverRules,
  type RulesOptions,
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

const MIB = 1024 * 1024;

function refuses(act: () => unknown, code = "protocol"): void {
  assertEquals(assertThrows(act, SftpxError).code, code);
}

function entry(index: number, gen: number, entry: Entry): ManifestFrame {
  return { type: "entry", index, gen, entry };
}

function verdict(index: number, gen: number, verdict: Verdict): StatusFrame {
  return { type: "verdict", index, gen, verdict };
}

/** A receiver that has accepted an offer. */
function receiver(options?: RulesOptions): ReceiverRules {
  const rules = receiverRules(options);
  rules.connect();
  rules.heardControl(hello());
  rules.saidControl(welcome());
  rules.heardControl(offer());
  rules.saidControl(ACCEPT);
  return rules;
}

/** A sender whose offer was accepted. */
function sender(options?: RulesOptions): SenderRules {
  const rules = senderRules(options);
  rules.connect();
  rules.saidControl(hello());
  rules.heardControl(welcome());
  rules.saidControl(offer());
  rules.heardControl(ACCEPT);
  return rules;
}

Deno.test("a receiver hears hello first, once, and an offer once", () => {
  const steps: ControlFrame[] = [hello(), offer(), { type: "resume" }];
  for (const first of [offer(), ACCEPT, RECEIPT, { type: "ping", id: 1 }]) {
    const rules = receiverRules();
    refuses(() => rules.heardControl(first as ControlFrame));
  }
  const rules = receiverRules();
  rules.heardControl(hello());
  for (const frame of steps) refuses(() => rules.heardControl(frame));
  rules.saidControl(welcome());
  refuses(() => rules.heardControl(hello()));
  refuses(() => rules.heardControl(welcome()));
  rules.heardControl(offer());
  refuses(() => rules.heardControl(offer()));
  rules.saidControl(ACCEPT);
  refuses(() => rules.heardControl(offer()));
  refuses(() => rules.heardControl({ type: "receipt-ack", root: bytes(32) }));
});

Deno.test("a sender hears accept once, and only after its offer", () => {
  const rules = senderRules();
  refuses(() => rules.heardControl(welcome()));
  rules.saidControl(hello());
  refuses(() => rules.heardControl(ACCEPT));
  rules.heardControl(welcome());
  refuses(() => rules.heardControl(ACCEPT));
  refuses(() => rules.heardControl(welcome()));
  rules.saidControl(offer());
  rules.heardControl(ACCEPT);
  refuses(() => rules.heardControl(ACCEPT));
  refuses(() =>
    rules.heardControl({ type: "refuse", code: "peer-busy", reason: "" })
  );
});

Deno.test("nothing but control is heard before accept", () => {
  const rules = receiverRules();
  const record = {
    kind: "data",
    gen: 0,
    length: 1,
    index: 0,
    chunk: 0,
  } as const;
  const early = (): void => {
    refuses(() => rules.heardManifest(entry(0, 0, file("a"))));
    refuses(() => rules.heardRecord(record));
  };
  early();
  rules.heardControl(hello());
  early();
  rules.saidControl(welcome());
  early();
  rules.heardControl(offer());
  early();
  const ours = senderRules();
  ours.saidControl(hello());
  refuses(() => ours.heardStatus({ type: "retired", next: 0 }));
  refuses(() => ours.saidManifest(entry(0, 0, file("a"))), "internal");
});

Deno.test("after a refusal or a cancel nothing more is heard", () => {
  const refused = receiverRules();
  refused.heardControl(hello());
  refused.saidControl({ type: "refuse", code: "unauthorized", reason: "" });
  assertEquals(refused.heardControl(offer()), "drop");
  assertEquals(refused.heardManifest(entry(0, 0, file("a"))), "drop");
  refuses(() => refused.saidControl(ACCEPT), "internal");

  const cancelled = receiver();
  cancelled.heardControl({ type: "cancel", code: "cancelled", reason: "" });
  refuses(() => cancelled.heardControl({ type: "ping", id: 1 }));
});

Deno.test("a pong answers one ping, and resume one pause", () => {
  const rules = receiver();
  refuses(() => rules.heardControl({ type: "pong", id: 7 }));
  rules.saidControl({ type: "ping", id: 7 });
  rules.heardControl({ type: "pong", id: 7 });
  refuses(() => rules.heardControl({ type: "pong", id: 7 }));
  refuses(() => rules.heardControl({ type: "resume" }));
  rules.heardControl({ type: "pause", code: "local-io", reason: "" });
  rules.heardControl({ type: "resume" });
});

Deno.test("ports are wanted after accept, each time more of them, and told to who wants them", () => {
  const early = receiverRules();
  early.heardControl(hello());
  early.saidControl(welcome());
  const carrier = "quic";
  const want = (count: number): ControlFrame => ({
    type: "want-ports",
    carrier,
    count,
  });
  refuses(() => early.heardControl(want(1)));
  const rules = receiver();
  refuses(
    () => rules.saidControl({ type: "ports", carrier, ports: [] }),
    "internal",
  );
  rules.heardControl(want(2));
  const byTcp = { type: "ports", carrier: "tcp", ports: [] } as const;
  refuses(() => rules.saidControl(byTcp), "internal"); // nobody wanted these
  rules.heardControl({ type: "want-ports", carrier: "tcp", count: 1 });
  rules.saidControl(byTcp);
  for (const count of [1, 2]) refuses(() => rules.heardControl(want(count)));
  const three = { type: "ports", carrier, ports: [1, 2, 3] } as const;
  refuses(() => rules.saidControl(three), "internal");
  rules.heardControl(want(3));
  rules.saidControl(three);

  const ours = sender();
  refuses(() => ours.heardControl({ type: "ports", carrier, ports: [] }));
  ours.saidControl(want(1));
  refuses(() => ours.heardControl({ type: "ports", carrier, ports: [1, 2] }));
  ours.heardControl({ type: "ports", carrier, ports: [1] });
  refuses(() => ours.heardControl({ type: "ports", carrier, ports: [1] }));
  refuses(() => ours.heardControl(want(3)));
});

Deno.test("a further connection carries no offer", () => {
  const rules = receiverRules();
  rules.heardControl({ ...hello(), extra: true });
  rules.saidControl(welcome());
  rules.heardControl({ type: "ping", id: 1 });
  refuses(() => rules.heardControl(offer()));
});

Deno.test("entries come in order, once, and in the window", () => {
  const rules = receiver({ window: 3 });
  refuses(() => rules.heardManifest(entry(1, 0, file("a"))));
  refuses(() => rules.heardManifest(entry(0, 1, file("a"))));
  rules.heardManifest(entry(0, 0, file("a")));
  refuses(() => rules.heardManifest(entry(0, 0, file("a"))));
  refuses(() => rules.heardManifest(entry(2, 0, file("a"))));
  rules.heardManifest(entry(1, 0, file("b")));
  rules.heardManifest(entry(2, 0, file("c")));
  refuses(() => rules.heardManifest(entry(3, 0, file("d"))));
  refuses(() => rules.heardManifest({ type: "end", entries: 4, bytes: 0 }));
  rules.saidStatus(verdict(0, 0, { kind: "have", digest: bytes(32) }));
  rules.saidStatus({ type: "retired", next: 1 });
  rules.heardManifest(entry(3, 0, file("d")));
  rules.heardManifest({ type: "end", entries: 4, bytes: 0 });
  refuses(() => rules.heardManifest({ type: "end", entries: 4, bytes: 0 }));
  refuses(() => rules.heardManifest(entry(4, 0, file("e"))));
  rules.heardManifest(entry(3, 1, file("d")));
});

Deno.test("a file may change by one generation, and nothing else may change", () => {
  const rules = receiver();
  rules.heardManifest(entry(0, 0, file("a", 3 * MIB)));
  refuses(() => rules.heardManifest(entry(0, 2, file("a"))));
  refuses(() => rules.heardManifest(entry(0, 1, file("b"))));
  refuses(() => rules.heardManifest(entry(0, 1, dir("a"))));
  rules.heardManifest(entry(0, 1, file("a", 4 * MIB)));
  assertEquals(rules.bytes, 4 * MIB);
  refuses(() => rules.heardManifest(entry(0, 0, file("a"))));
  refuses(() => rules.heardManifest(digest(0, 0)));
  rules.heardManifest(digest(0, 1));
  refuses(() => rules.heardManifest(digest(0, 1)));
  refuses(() => rules.heardManifest(entry(0, 2, file("a"))));
  refuses(() => rules.heardManifest(gone(0, 1)));

  rules.heardManifest(entry(1, 0, dir("d")));
  refuses(() => rules.heardManifest(entry(1, 1, dir("d"))));
  refuses(() => rules.heardManifest(gone(1, 0)));
  rules.heardManifest(entry(2, 0, file("e", 0)));
  refuses(() => rules.heardManifest(entry(2, 1, file("e", 5))));
  refuses(() => rules.heardManifest(digest(2, 0)));
  refuses(() => rules.heardManifest(digest(9, 0)));
  refuses(() => rules.heardManifest(gone(9, 0)));
});

Deno.test("a chunk comes only for a file that was asked for", () => {
  const rules = receiver();
  const record = (index: number, chunk: number, length: number, more = {}) =>
    rules.heardRecord({ kind: "data", gen: 0, index, chunk, length, ...more });
  rules.heardManifest(entry(0, 0, file("want", MIB + 5)));
  refuses(() => record(0, 0, MIB));
  refuses(() => record(1, 0, MIB));
  rules.saidStatus(verdict(0, 0, { kind: "want" }));
  assertEquals(record(0, 0, MIB), "take");
  assertEquals(record(0, 1, 5), "take");
  for (
    const [chunk, length] of [
      [0, MIB - 1],
      [1, 4],
      [1, MIB],
      [2, 1],
      [2 ** 31, MIB],
      [2 ** 32, MIB],
      [2 ** 53 - 1, MIB],
    ]
  ) refuses(() => record(0, chunk ?? 0, length ?? 0));
  refuses(() => record(0, 0, MIB, { gen: 1 }));
  refuses(() => record(0, 0, MIB, { kind: "same" }));

  rules.heardManifest(entry(1, 0, file("refused")));
  rules.saidStatus(
    verdict(1, 0, { kind: "refused", code: "local-io", reason: "" }),
  );
  refuses(() => record(1, 0, MIB));
  rules.heardManifest(entry(2, 0, file("have")));
  rules.saidStatus(verdict(2, 0, { kind: "have", digest: bytes(32) }));
  refuses(() => record(2, 0, MIB));
  rules.heardManifest(entry(3, 0, dir("dir")));
  refuses(() => record(3, 0, MIB));
  rules.heardManifest(entry(4, 0, file("empty", 0)));
  rules.saidStatus(verdict(4, 0, { kind: "want" }));
  refuses(() => record(4, 0, 1));

  rules.heardManifest(entry(5, 0, file("compare", 3 * MIB)));
  rules.saidStatus(verdict(5, 0, { kind: "compare", chunks: 2 }));
  assertEquals(record(5, 1, MIB, { kind: "same" }), "take");
  refuses(() => record(5, 2, MIB, { kind: "same" }));
  assertEquals(record(5, 2, MIB), "take");
});

Deno.test("a chunk that crossed a change, a refusal or the end is dropped", () => {
  const rules = receiver();
  const record = (index: number, gen: number) =>
    rules.heardRecord({ kind: "data", gen, index, chunk: 0, length: MIB });
  for (const index of [0, 1, 2, 3]) {
    rules.heardManifest(entry(index, 0, file("f", MIB)));
    rules.saidStatus(verdict(index, 0, { kind: "want" }));
  }
  rules.saidStatus({ type: "retired", next: 1 });
  assertEquals(record(0, 0), "drop");
  assertEquals(rules.heardManifest(gone(0, 0)), "drop");
  rules.saidStatus(
    verdict(1, 0, { kind: "refused", code: "local-io", reason: "full" }),
  );
  assertEquals(record(1, 0), "drop");
  rules.heardManifest(gone(2, 0));
  assertEquals(record(2, 0), "drop");
  rules.heardManifest(entry(3, 1, file("f", MIB)));
  assertEquals(record(3, 0), "drop");
  refuses(() => record(3, 1));
});

Deno.test("a sender hears only of entries that it announced", () => {
  const rules = sender();
  rules.saidManifest(entry(0, 0, file("a", 3 * MIB)));
  rules.saidManifest(entry(1, 0, dir("d")));
  const want = verdict(0, 0, { kind: "want" });
  refuses(() => rules.heardStatus(verdict(2, 0, { kind: "want" })));
  refuses(() => rules.heardStatus(verdict(0, 1, { kind: "want" })));
  refuses(() => rules.heardStatus(verdict(1, 0, { kind: "want" })));
  refuses(() =>
    rules.heardStatus(verdict(0, 0, { kind: "compare", chunks: 4 }))
  );
  refuses(() => rules.heardStatus(range("durable", 0, 0, 1)));
  refuses(() => rules.heardStatus({ type: "retired", next: 1 }));
  refuses(() => rules.heardStatus({ type: "retired", next: 3 }));
  rules.heardStatus(want);
  refuses(() => rules.heardStatus(want));
  refuses(() => rules.heardStatus(range("durable", 0, 2, 2)));
  refuses(() => rules.heardStatus(range("corrupt", 0, 2 ** 53 - 2, 1)));
  refuses(() =>
    rules.heardStatus({
      type: "candidates",
      index: 0,
      gen: 0,
      first: 0,
      digests: bytes(32),
    })
  );
  rules.heardStatus(range("durable", 0, 0, 3));
  refuses(() => rules.heardStatus({ type: "retired", next: 1 })); // no digest yet
  rules.saidManifest(digest(0, 0));
  rules.heardStatus({ type: "retired", next: 2 });
  refuses(() => rules.heardStatus({ type: "retired", next: 1 }));
  refuses(() => rules.heardStatus(range("durable", 0, 0, 3)));
});

Deno.test("a receipt comes after the end and counts every entry", () => {
  const rules = sender();
  rules.saidManifest(entry(0, 0, file("a")));
  refuses(() => rules.heardControl({ ...RECEIPT, entries: 1 }));
  const other = sender();
  other.saidManifest(entry(0, 0, file("a")));
  other.saidManifest({ type: "end", entries: 1, bytes: MIB });
  refuses(() => other.heardControl({ ...RECEIPT, entries: 2 }));

  const good = sender();
  good.saidManifest(entry(0, 0, file("a")));
  good.saidManifest({ type: "end", entries: 1, bytes: MIB });
  good.heardControl({ ...RECEIPT, entries: 1 });
  assert(!good.finished, "the last word on status may still be on its way");
  good.heardStatus(verdict(0, 0, { kind: "have", digest: bytes(32) }));
  good.heardStatus({ type: "retired", next: 1 });
  assert(good.finished);
  const another = bytes(32, 2);
  refuses(
    () => good.saidControl({ type: "receipt-ack", root: another }),
    "internal",
  );

  const theirs = receiver();
  theirs.heardManifest({ type: "end", entries: 0, bytes: 0 });
  theirs.saidControl({ ...RECEIPT, entries: 0 });
  refuses(() => theirs.heardControl({ type: "receipt-ack", root: another }));

  const ours = receiver();
  ours.heardManifest(entry(0, 0, file("a")));
  ours.heardManifest({ type: "end", entries: 1, bytes: MIB });
  refuses(() => ours.saidControl({ ...RECEIPT, entries: 1 }), "internal");
});

Deno.test("a sender cannot announce more than the receiver allows", () => {
  const few = receiver({ maxFiles: 2 });
  few.heardManifest(entry(0, 0, file("a")));
  few.heardManifest(entry(1, 0, file("b")));
  refuses(() => few.heardManifest(entry(2, 0, file("c"))), "unauthorized");

  const small = receiver({ maxSize: 10 * MIB });
  small.heardManifest(entry(0, 0, file("a", 6 * MIB)));
  refuses(
    () => small.heardManifest(entry(1, 0, file("b", 5 * MIB))),
    "unauthorized",
  );
  refuses(
    () => small.heardManifest(entry(0, 1, file("a", 11 * MIB))),
    "unauthorized",
  );
  small.heardManifest(entry(0, 1, file("a", 5 * MIB)));
  small.heardManifest(entry(1, 0, file("b", 5 * MIB)));

  const endless = receiver();
  endless.heardManifest(entry(0, 0, file("a", Number.MAX_SAFE_INTEGER)));
  refuses(
    () => endless.heardManifest(entry(1, 0, file("b", 1))),
    "unauthorized",
  );
});

Deno.test("a peer's window tightens ours and does not widen it", () => {
  for (const [ours, theirs, expected] of [[4, 2, 2], [2, 1000, 2]] as const) {
    const rules = senderRules({ window: ours });
    rules.saidControl(hello());
    rules.heardControl({ ...welcome(), window: theirs });
    assertEquals(rules.window, expected); // which is what the walk goes by
    rules.saidControl(offer());
    rules.heardControl(ACCEPT);
    for (let index = 0; index < expected; index++) {
      rules.saidManifest(entry(index, 0, file("f")));
    }
    refuses(
      () => rules.saidManifest(entry(expected, 0, file("f"))),
      "internal",
    );
  }
});

Deno.test("a receiver whose first welcome was lost is begun with anew", () => {
  const rules = senderRules();
  rules.saidControl(hello());
  rules.connect();
  rules.saidControl(hello({ attempt: 2 }));
  rules.heardControl(welcome({ continued: true }));
  assertEquals([rules.continued, rules.phase], [false, "welcome"]);
});

Deno.test("a conversation is continued only by the two who had it", () => {
  const begin = senderRules();
  begin.saidControl(hello());
  refuses(() => begin.heardControl(welcome({ continued: true, next: 1 })));
  const other = senderRules();
  other.saidControl(hello());
  refuses(() => other.heardControl(welcome({ next: 5 })));

  const rules = sender();
  rules.saidManifest(entry(0, 0, file("a")));
  const again = (attempt: number, life: number, answer: ControlFrame): void => {
    rules.connect();
    rules.saidControl(hello({ attempt, life: bytes(16, life) }));
    rules.heardControl(answer);
  };
  const one = { continued: true, next: 1 };
  refuses(() => again(2, 1, welcome({ ...one, life: bytes(16, 9) })));
  refuses(() => again(3, 1, welcome({ ...one, next: 2 })));
  refuses(() => again(4, 9, welcome(one)));
  again(5, 1, welcome(one));
  assertEquals([rules.continued, rules.next], [true, 1]);

  const theirs = receiver();
  theirs.connect();
  refuses(() => theirs.heardControl(hello({ attempt: 1 })));
  refuses(() =>
    theirs.heardControl(hello({ attempt: 2, session: bytes(32, 9) }))
  );
});

function dir(path: string): Entry {
  return { kind: "dir", path, mode: 0o755, mtimeNs: 0n };
}

function digest(index: number, gen: number): ManifestFrame {
  return { type: "digest", index, gen, digest: bytes(32), b3sum: undefined };
}

function gone(index: number, gen: number): ManifestFrame {
  return { type: "gone", index, gen, code: "local-io", reason: "" };
}

function range(
  type: "durable" | "corrupt",
  index: number,
  first: number,
  count: number,
): StatusFrame {
  return { type, index, gen: 0, first, count };
}
