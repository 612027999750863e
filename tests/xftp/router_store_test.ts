/**
 * The store's log: its lines, how it is read and written anew, and what is left
 * of it after a crash.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { nullLog } from "../../core/log.ts";
import { makeKeyPair } from "../../xftp/keys.ts";
import { oldLogs } from "../../xftp/router/log_backups.ts";
import { openLogFile } from "../../xftp/router/log_file.ts";
import { onceMore } from "../../xftp/router/once_more.ts";
import { createRecords, type Records } from "../../xftp/router/records.ts";
import {
  formatStoreLine,
  parseStoreLine,
  type StoreEvent,
} from "../../xftp/router/store_line.ts";
import {
  applyEvent,
  eventsOf,
  openRecords,
} from "../../xftp/router/store_open.ts";
import { FakeClock, settle } from "../testutil/fake_clock.ts";
import {
  forAll,
  intBetween,
  type Random,
  randomBytes,
} from "../testutil/random.ts";
import { tempDir } from "../testutil/temp.ts";
import { namesIn } from "./router_kit.ts";
import lines from "../vectors/xftp_store_log.json" with { type: "json" };

const bytes = (hex: string): Uint8Array<ArrayBuffer> => Uint8Array.fromHex(hex);
const PATH_OF = (id: Uint8Array): string => `/srv/xftp/${id.toHex()}`;

Deno.test("every line is read and written as its vector has it", () => {
  for (const { line, type, id, error, written } of lines) {
    if (error !== undefined) {
      assertThrows(() => parseStoreLine(line), SftpxError, undefined);
      continue;
    }
    const event = parseStoreLine(line);
    assertEquals([event.type, event.id.toHex()], [type, id]);
    assertEquals(formatStoreLine(event), written ?? line);
  }
});

/** Things that happen to chunks, most of them possible. */
function history(random: Random): StoreEvent[] {
  const key = KEY;
  const events: StoreEvent[] = [];
  const ids: Uint8Array<ArrayBuffer>[] = [];
  for (let step = intBetween(random, 1, 60); step > 0; step--) {
    const id = ids[Math.floor(random() * ids.length)];
    if (id === undefined || random() < 0.3) {
      const made = randomBytes(random, 16);
      ids.push(made);
      events.push({
        type: "FNEW",
        id: made,
        senderKey: key,
        size: 65_536,
        digest: randomBytes(random, 32),
        createdS: 3600 * intBetween(random, 0, 1000),
        status: { type: random() < 0.1 ? "off" : "active" },
      });
      continue;
    }
    const roll = random();
    if (roll < 0.3) events.push({ type: "FPUT", id, path: PATH_OF(id) });
    else if (roll < 0.6) {
      const recipients = Array.from(
        { length: intBetween(random, 1, 300) },
        () => ({ id: randomBytes(random, 16), key }),
      );
      events.push({ type: "FADD", id, recipients });
      const [first] = recipients;
      if (random() < 0.3 && first) events.push({ type: "FACK", id: first.id });
    } else if (roll < 0.75) events.push({ type: "FDEL", id });
    else if (roll < 0.85) {
      const blocking = { reason: "spam", notice: { ttl: 5 } } as const;
      events.push({ type: "FBLK", id, blocking });
    }
  }
  return events;
}

const KEY = makeKeyPair("ed25519").publicKey;

/** Applies what can be, as reading a log does. */
function replay(events: Iterable<StoreEvent>): Records {
  const records = createRecords();
  for (const event of events) {
    try {
      applyEvent(records, event);
    } catch (error) {
      assert(error instanceof SftpxError);
    }
  }
  return records;
}

function contentOf(records: Records): unknown {
  return {
    counts: [records.count, records.pending, records.stored],
    bytes: records.storedBytes,
    chunks: [...records.all()],
  };
}

Deno.test("a log that was written anew says what the old one said, line by line", () => {
  forAll(history, (events) => {
    const records = replay(events);
    const anew = [...eventsOf(records, PATH_OF)];
    assertEquals(contentOf(replay(anew)), contentOf(records));
    // And in text.
    const read = anew.map(formatStoreLine).map(parseStoreLine);
    assertEquals(contentOf(replay(read)), contentOf(records));
    // None of the new lines fails.
    for (const event of anew) applyEvent(recordsFor(event, records), event);
  }, { runs: 60 });
});

/** Records in which `event` can happen. */
function recordsFor(event: StoreEvent, from: Records): Records {
  const records = createRecords();
  if (event.type === "FNEW") return records;
  const chunk = from.ofSender(event.id);
  if (chunk !== undefined) records.add(chunk, chunk.status);
  return records;
}

Deno.test("the counts of the records are what one would count", () => {
  forAll(history, (events) => {
    const records = replay(events);
    const all = [...records.all()];
    const stored = all.filter(({ uploaded }) => uploaded);
    assertEquals(records.count, all.length);
    assertEquals(records.stored, stored.length);
    assertEquals(records.pending, all.length - stored.length);
    assertEquals(records.storedBytes, stored.length * 65_536);
    for (const { status, uploaded } of all) {
      assert(status.type !== "blocked" || !uploaded);
    }
  }, { runs: 100 });
});

/** Keeps what it is told. */
function heardLog(): Log & { readonly names: string[] } {
  const names: string[] = [];
  const log = {
    names,
    event: (name: string) => void names.push(name),
    child: () => log,
  };
  return log;
}

const LINE = {
  fnew: (hex: string, created = 0): string =>
    formatStoreLine({
      type: "FNEW",
      id: bytes(hex),
      senderKey: KEY,
      size: 65_536,
      digest: new Uint8Array(32),
      createdS: created,
      status: { type: "active" },
    }),
  fput: (hex: string): string =>
    formatStoreLine({ type: "FPUT", id: bytes(hex), path: "/srv/x" }),
};

async function opened(
  path: string,
  log: Log = nullLog,
  clock = new FakeClock(),
): Promise<Records> {
  return await openRecords({ path, pathOf: PATH_OF, clock, log });
}

Deno.test("a log is written anew at the start, the old one put aside, and what is over is gone", async () => {
  await using dir = await tempDir();
  const path = dir.join("store.log");
  await Deno.writeTextFile(
    path,
    [
      LINE.fnew("01"),
      LINE.fput("01"),
      LINE.fnew("02"),
      "FDEL Ag==",
      "",
    ].join("\n"),
  );
  const records = await opened(path);
  assertEquals([records.count, records.stored], [1, 1]);
  const text = await Deno.readTextFile(path);
  const kinds = text.split("\n").map((line) => line.slice(0, 4));
  assertEquals(kinds, ["FNEW", "FPUT", ""]);
  const names = await namesIn(dir.path);
  assertEquals(names, ["store.log", "store.log.2024-01-01T00:00:00.000Z"]);
  // Names that we gave are in it, whatever was there before.
  const fput = parseStoreLine(text.split("\n")[1] ?? "");
  assertEquals(fput.type === "FPUT" && fput.path, PATH_OF(bytes("01")));
  assertEquals((await opened(path)).count, 1);
});

Deno.test("lines that are none are skipped and told of, the last one without an end too", async () => {
  await using dir = await tempDir();
  const path = dir.join("store.log");
  const bad = [
    "WHAT Ag==",
    "FPUT AQ==",
    "FDEL ////",
    LINE.fnew("01"), // there already
    `FNEW Ag== ${"A".repeat(60)} 0 AA== 0`,
    "FADD CQ== AQ==:AQ==",
    "x".repeat(3_000_000),
  ];
  const torn = LINE.fnew("03").slice(0, -3);
  await Deno.writeTextFile(
    path,
    [LINE.fnew("01"), ...bad, LINE.fnew("02"), torn].join("\n"),
  );
  const log = heardLog();
  const records = await opened(path, log);
  assertEquals(records.count, 2);
  const told = log.names.filter((name) => name === "router.log-bad-line");
  assertEquals(told.length, bad.length + 1);
});

Deno.test("a start that did not get to its end is begun again with the log that it had", async () => {
  await using dir = await tempDir();
  const path = dir.join("store.log");
  await Deno.writeTextFile(`${path}.start`, `${LINE.fnew("01")}\n`);
  await Deno.writeTextFile(path, "half of the new o"); // was being written
  const log = heardLog();
  assertEquals((await opened(path, log)).count, 1);
  assert(log.names.includes("router.log-restored"));
  assertEquals(await Deno.stat(`${path}.start`).catch(() => "gone"), "gone");
});

Deno.test("old logs stay for a day, three of them for longer, none over three weeks", async () => {
  await using dir = await tempDir();
  const path = dir.join("store.log");
  const now = Date.parse("2026-06-30T00:00:00Z");
  const days = [0.5, 0.9, 2, 3, 4, 5, 6, 22, 30];
  for (const ago of days) {
    const time = new Date(now - ago * 86_400_000).toISOString();
    await Deno.writeTextFile(`${path}.${time}`, "");
  }
  for (
    const name of ["store.log.keep", "store.log", "other.2026-01-01T00:00:00Z"]
  ) {
    await Deno.writeTextFile(dir.join(name), "");
  }
  const gone = (await oldLogs(path, now)).map((name) =>
    (now - Date.parse(name.slice(path.length + 1))) / 86_400_000
  ).sort((a, b) => a - b);
  assertEquals(gone, [5, 6, 22, 30]);
});

Deno.test("a line that was appended is in the file, and many at once are in order", async () => {
  await using dir = await tempDir();
  const path = dir.join("log");
  const log = await openLogFile(path);
  const all = Array.from({ length: 500 }, (_, index) => `line ${index}`);
  await Promise.all(all.map((line) => log.append(line)));
  assertEquals(await Deno.readTextFile(path), `${all.join("\n")}\n`);
  assertEquals(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
  const last = log.append("last");
  await log.close();
  await last;
  assert((await Deno.readTextFile(path)).endsWith("last\n"));
  await assertRejects(() => log.append("more"), SftpxError);
  await log.close();
});

Deno.test("a run that many ask for begins after the asking, and serves all who asked before it", async () => {
  let runs = 0;
  let gate = Promise.withResolvers<void>();
  const work = onceMore(async () => {
    runs++;
    await gate.promise;
  });
  const first = work();
  const [second, third] = [work(), work()];
  assertEquals(runs, 1);
  const before = gate;
  gate = Promise.withResolvers<void>();
  before.resolve();
  await first;
  await settle();
  assertEquals(runs, 2); // one for both
  let isDone = false;
  const all = Promise.all([second, third]).then(() => isDone = true);
  await settle();
  assertEquals(isDone, false);
  gate.resolve();
  await all;
  await work();
  assertEquals(runs, 3);
});

Deno.test("a run that fails is told to those who asked for it, and the next one runs", async () => {
  let fails = true;
  const work = onceMore(async () => {
    await settle();
    if (fails) throw new Error("no");
  });
  const first = work();
  const second = work();
  await assertRejects(() => first, Error, "no");
  fails = false;
  await second;
});
