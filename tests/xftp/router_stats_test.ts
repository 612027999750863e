/**
 * What a router counts, and what it leaves of it in files.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import { nullLog } from "../../core/log.ts";
import { createStats } from "../../xftp/router/stats.ts";
import {
  keepMetrics,
  keepRows,
  restoreStats,
  saveStats,
  untilMidnight,
} from "../../xftp/router/stats_files.ts";
import {
  formatBackup,
  formatMetrics,
  formatRow,
  parseBackup,
} from "../../xftp/router/stats_text.ts";
import { FAKE_EPOCH_MS, FakeClock, settle } from "../testutil/fake_clock.ts";
import { within } from "../testutil/deadline.ts";
import { tempDir } from "../testutil/temp.ts";
import { createHash } from "node:crypto";
import { coreKit } from "./router_core_kit.ts";
import { kitRouter, makeChunk, put } from "./router_kit.ts";

const NONE = { count: 0, bytes: 0 };
const idOf = (number: number): Uint8Array =>
  createHash("sha256").update(`${number}`).digest().subarray(0, 16);

Deno.test("chunks that are fetched are told apart for day, week and month", () => {
  // 2024-01-01 is a Monday and the 1st.
  const stats = createStats(FAKE_EPOCH_MS);
  const day = 86_400_000;
  const rows = [];
  for (let number = 1; number <= 31; number++) {
    stats.fetched(idOf(0));
    stats.fetched(idOf(0));
    stats.fetched(idOf(number));
    rows.push(stats.endRow(FAKE_EPOCH_MS + number * day));
  }
  assert(rows.every((row) => row.day === 2 && row.downloads === 3));
  const weeks = rows.map(({ week }) => week);
  assertEquals(weeks.slice(0, 7), [...Array(6).fill(undefined), 8]);
  assertEquals(weeks[13], 8);
  const months = rows.map(({ month }) => month);
  assertEquals(months.findIndex((month) => month !== undefined), 30);
  assertEquals(months[30], 32);
  assertEquals(stats.snapshot().periods.month.size, 0);
});

Deno.test("a row has thirteen columns, and counters begin anew after it", () => {
  const stats = createStats(Date.parse("2026-03-01T00:00:00Z"));
  for (
    const [what, by] of [
      ["created", 5],
      ["recipients", 6],
      ["uploaded", 4],
      ["deleted", 3],
      ["expired", 2],
      ["acks", 7],
      ["blocked", 1],
    ] as const
  ) stats.count(what, by);
  stats.fetched(idOf(1));
  const row = stats.endRow(Date.parse("2026-03-02T00:00:00Z")); // a Monday
  assertEquals(
    formatRow(row, { count: 9, bytes: 1000 }),
    "2026-03-01,5,6,4,3,1,1,,1,7,9,1000,2",
  );
  const next = stats.snapshot();
  assertEquals([next.created, next.downloads, next.blocked], [0, 0, 1]);
});

Deno.test("behaviour 11: rows end at midnight, the first one too", async () => {
  await using dir = await tempDir();
  const clock = new FakeClock();
  clock.sleep(20 * 3_600_000 + 1234);
  assertEquals(untilMidnight(clock.wallMs()), 4 * 3_600_000 - 1234);
  const stats = createStats(clock.wallMs());
  const path = dir.join("rows.csv");
  const over = new AbortController();
  const deps = { stats, stored: () => NONE, clock, log: nullLog };
  const rows = async (): Promise<string[]> =>
    (await Deno.readTextFile(path).catch(() => "")).split("\n").slice(0, -1);
  const kept = keepRows(path, deps, over.signal);
  const until = (count: number) =>
    within(
      60_000,
      `row ${count}`,
      (async () => {
        while ((await rows()).length < count) await settle();
      })(),
    );
  stats.count("created");
  await clock.advance(4 * 3_600_000 - 1235);
  assertEquals(await rows(), []);
  await clock.advance(1);
  await until(1);
  stats.count("created", 2);
  for (let days = 2; days <= 3; days++) {
    while (clock.pending === 0) await settle();
    await clock.advance(86_400_000);
    await until(days);
  }
  assertEquals((await rows()).map((row) => row.slice(0, 12)), [
    "2024-01-01,1",
    "2024-01-02,2",
    "2024-01-03,0",
  ]);
  over.abort();
  await kept;
});

Deno.test("what is left for the next router has 15 lines and is read back", () => {
  const stats = createStats(Date.parse("2026-03-01T12:34:56.789Z"));
  stats.count("created", 3);
  stats.count("blocked", 2);
  for (let number = 0; number < 100; number++) stats.fetched(idOf(number));
  const text = formatBackup(stats.snapshot(), { count: 7, bytes: 8 });
  assertEquals(text.split("\n").length, 16);
  assert(
    text.startsWith("fromTime=2026-03-01T12:34:56.789Z\nfilesCreated=3\n"),
  );
  const again = createStats(0);
  again.restore(parseBackup(text));
  assertEquals(again.snapshot(), stats.snapshot());
  // An older router did not count what was blocked.
  const older = parseBackup(text.replace(/filesBlocked=.*\n/, ""));
  assertEquals([older.blocked, older.created], [0, 3]);
  for (
    const bad of [
      "",
      "filesCreated=1\n",
      text.replace("=3", "=x"),
      text.replace("=3", "=-3"),
      `${text}more=1\n`,
      `${text}filesCreated=1\n`,
      text.replace(/dayHashes=\d+/, "dayHashes=a"),
    ]
  ) assertThrows(() => parseBackup(bad), SftpxError);
});

Deno.test("behaviour 9: statistics go on where they were, but what is stored is what the store has", async () => {
  await using dir = await tempDir();
  const path = dir.join("stats.log");
  const before = createStats(FAKE_EPOCH_MS);
  before.count("uploaded", 41);
  const wrong = { count: 1_000_000, bytes: 1e12 };
  await saveStats(path, { stats: before, stored: () => wrong });
  await using router = await kitRouter({ stats: { backup: path } });
  await router.stop();
  const text = await Deno.readTextFile(path);
  assert(text.includes("filesUploaded=41\n"));
  assert(text.includes("filesCount=0\nfilesSize=0\n"));
  assert((await Deno.stat(`${path}.bak`)).isFile);
});

Deno.test("statistics that cannot be understood keep a router from starting", async () => {
  await using dir = await tempDir();
  const path = dir.join("stats.log");
  await Deno.writeTextFile(path, "what is this\n");
  const error = await assertRejects(
    () => restoreStats(path, createStats(0)),
    SftpxError,
  );
  assertEquals(error.code, "config");
  assertEquals(await Deno.readTextFile(path), "what is this\n");
});

Deno.test("Prometheus is told what was counted and what is stored", async () => {
  await using kit = await coreKit({ quotaBytes: 1_000_000 });
  const client = await kit.client();
  await put(client, await makeChunk(client));
  await makeChunk(client);
  const text = formatMetrics(
    kit.stats.snapshot(),
    { count: kit.store.records.stored, bytes: kit.store.usedBytes },
    { version: "1.2.3", nowMs: 5000, clients: 4, quotaBytes: 1_000_000 },
  );
  const value = (name: string): string | undefined =>
    new RegExp(`^simplex_xftp_${name} (.*)$`, "m").exec(text)?.[1];
  assertEquals(value("files_created"), "2 5000");
  assertEquals(value("files_uploaded"), "1 5000");
  assertEquals(value("files_count_total"), "1 5000");
  assertEquals(value("files_size"), "65536 5000");
  assertEquals(value("clients"), "4 5000");
  assert(text.startsWith("# Recorded at: 1970-01-01T00:00:05.000Z\n"));
  assert(text.includes('simplex_xftp_info{version="1.2.3"'));
  // Every line is a comment, empty, or a sample.
  for (const line of text.split("\n")) {
    assert(/^(#.*|\w+(\{[^}]*\})? \d+ \d+|)$/.test(line), line);
  }
});

Deno.test("metrics are written whole, every so often, and shown on a port of this machine", async () => {
  await using dir = await tempDir();
  const clock = new FakeClock();
  const over = new AbortController();
  let count = 0;
  const path = dir.join("metrics.txt");
  const kept = keepMetrics(
    path,
    () => `${++count}`,
    60_000,
    { clock, log: nullLog },
    over.signal,
  );
  const until = (text: string) =>
    within(
      60_000,
      text,
      (async () => {
        while (await Deno.readTextFile(path).catch(() => "") !== text) {
          await settle();
        }
      })(),
    );
  await until("1");
  while (clock.pending === 0) await settle();
  await clock.advance(60_000);
  await until("2");
  over.abort();
  await kept;

  await using router = await kitRouter({ metrics: { port: 0 } });
  const answer = await fetch(`http://127.0.0.1:${router.metricsPort}/metrics`);
  assert((await answer.text()).includes("simplex_xftp_files_size 0"));
  const refused = await fetch(`http://127.0.0.1:${router.metricsPort}/`, {
    method: "POST",
  });
  assertEquals(refused.status, 405);
  await refused.body?.cancel();
});
