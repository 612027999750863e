import { setImmediate } from "node:timers";
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  chunker,
  type ChunkerMessage,
  type Found,
  walkAhead,
} from "../../actors/chunker.ts";
import {
  type Connected,
  connection,
  type ConnectionMessage,
  type Link,
} from "../../actors/connection.ts";
import {
  migration,
  type MigrationMessage,
  type Move,
} from "../../actors/migration.ts";
import type { Behavior, Context } from "../../core/actor.ts";
import { systemClock } from "../../core/clock.ts";
import { createOutbox } from "../../core/coalesce.ts";
import { codeOf, type ErrorCode, SftpxError } from "../../core/errors.ts";
import { nullLog } from "../../core/log.ts";
import type { Address } from "../../core/mailbox.ts";
import { Supervisor } from "../../core/supervisor.ts";
import type { SourceEntry } from "../../store/source.ts";
import type { CloseInfo, Conn } from "../../transport/transport.ts";
import { FakeClock, settle } from "../testutil/fake_clock.ts";
import { recorder } from "../testutil/recorder.ts";

/** A connection of which the test decides everything. */
interface FakeConn extends Conn {
  remote: string;
  closedWith: ErrorCode | "plain" | undefined;
  lose(): void;
  closeRemote(code: ErrorCode | undefined): void;
}

function fakeConn(remote = "there:1"): FakeConn {
  const closed = Promise.withResolvers<CloseInfo>();
  closed.promise.catch(() => {});
  const never = (): Promise<never> => new Promise(() => {});
  const conn: FakeConn = {
    remote,
    closedWith: undefined,
    closed: closed.promise,
    openBidi: never,
    openUni: never,
    acceptBidi: never,
    acceptUni: never,
    close(code) {
      conn.closedWith ??= code ?? "plain";
      closed.resolve({ code, reason: "", remote: false });
    },
    lose: () =>
      closed.reject(new SftpxError("connection-lost", "Cannot go on: lost")),
    closeRemote: (code) => closed.resolve({ code, reason: "", remote: true }),
  };
  return conn;
}

/** Runs one actor under a session's policy. */
function supervised<M>(create: () => Behavior<M>, patienceMs = 600_000) {
  const clock = new FakeClock();
  const stop = new AbortController();
  const supervisor = new Supervisor("test", {
    strategy: "rest-for-one",
    maxCrashes: 3,
    crashWindowMs: 10_000,
    backoffMs: 250,
    backoffCapMs: 15_000,
    patienceMs,
    shutdownMs: 5_000,
  }, { clock, log: nullLog, random: () => 1 });
  const address: Address<M> = supervisor.add<M>({
    name: "it",
    capacity: 8,
    restart: "permanent",
    create,
  });
  const run = supervisor.run(stop.signal).catch((error) => error);
  const end = async (): Promise<unknown> => {
    stop.abort();
    const error = await run;
    assertEquals(clock.pending, 0);
    return error;
  };
  return { clock, address, end, run };
}

/** A connection actor whose dials the test answers. */
function connectionWith(answers: (FakeConn | ErrorCode)[]) {
  const dials: number[] = [];
  const scheduler = recorder<Connected<Link>>();
  const watcher = recorder<Connected<Link>>();
  const one = supervised<ConnectionMessage<Link>>(() =>
    connection<Link>({
      link() {
        dials.push(one.clock.now());
        const answer = answers.shift() ?? "unreachable";
        return typeof answer === "string"
          ? Promise.reject(new SftpxError(answer, "Cannot dial"))
          : Promise.resolve({ conn: answer });
      },
      scheduler,
      migration: () => watcher,
      ending: () => undefined,
    })
  );
  return { ...one, dials, scheduler, watcher };
}

Deno.test("connection: a peer that is lost is dialled again, after longer and longer waits", async () => {
  const [first, second] = [fakeConn(), fakeConn()];
  const { clock, dials, scheduler, watcher, end } = connectionWith([
    first,
    "unreachable",
    "unreachable",
    second,
  ]);
  await clock.advance(0);
  first.lose();
  await clock.advance(10_000);
  assertEquals(dials, [0, 250, 750, 1750]);
  assertEquals([scheduler.size, watcher.size], [2, 2]);
  await end();
  assertEquals([first.closedWith, second.closedWith], ["plain", "plain"]);
});

Deno.test("connection: a peer that leaves without a reason is dialled again, one that gives a reason is not", async () => {
  const [first, second] = [fakeConn(), fakeConn()];
  const { clock, dials, run } = connectionWith([first, second]);
  await clock.advance(0);
  first.closeRemote(undefined);
  await clock.advance(1000);
  assertEquals(dials.length, 2);
  second.closeRemote("unauthorized");
  assertEquals(codeOf(await run), "unauthorized");
  assertEquals(clock.pending, 0);
});

Deno.test("connection: one that is replaced begins again and closes what it had", async () => {
  const [first, second] = [fakeConn(), fakeConn()];
  const { clock, address, dials, end } = connectionWith([first, second]);
  await clock.advance(0);
  address.offer({ type: "replaced" });
  await clock.advance(1000);
  assertEquals(dials.length, 2);
  assertEquals(first.closedWith, "plain");
  await end();
});

Deno.test("connection: word of silence counts only for the connection there is", async () => {
  const [first, second] = [fakeConn(), fakeConn()];
  const { clock, address, dials, end } = connectionWith([first, second]);
  await clock.advance(0);
  address.offer({ type: "silent", conn: fakeConn() });
  await clock.advance(1000);
  assertEquals(dials.length, 1);
  address.offer({ type: "silent", conn: first });
  await clock.advance(1000);
  assertEquals(dials.length, 2);
  await end();
});

/** The same, for links that are accepted when the test says so, and a peer that is silent. */
function acceptedWhen(
  links: readonly (Link & { readonly accepted: Promise<void> })[],
) {
  const left = [...links];
  const kept: Link[] = [];
  let dials = 0;
  const one = supervised<ConnectionMessage<Link>>(() =>
    connection<Link>({
      link() {
        dials++;
        const link = left.shift();
        if (link === undefined) throw new TypeError("Cannot dial so often");
        return Promise.resolve(link);
      },
      scheduler: recorder<Connected<Link>>(),
      migration: () => recorder<Connected<Link>>(),
      ending: () => undefined,
      silence: { silentMs: () => Infinity, keep: (link) => kept.push(link) },
    })
  );
  return { ...one, kept, dials: () => dials };
}

Deno.test("connection: an offer that is refused ends it, and one that waits is no silence", async () => {
  const { promise: accepted, reject } = Promise.withResolvers<void>();
  const conn = fakeConn();
  const { clock, run, dials } = acceptedWhen([{ conn, accepted }]);
  await clock.advance(14_000);
  assertEquals([dials(), conn.closedWith], [1, undefined]);
  reject(new SftpxError("local-io", "no room"));
  assertEquals(codeOf(await run), "local-io");
  assertEquals([dials(), conn.closedWith], [1, "plain"]);
  assertEquals(clock.pending, 0);
});

Deno.test("connection: one beside it counts once it is accepted, and is closed when it is not", async () => {
  const answers = [
    Promise.withResolvers<void>(),
    Promise.withResolvers<void>(),
  ] as const;
  const conns = [fakeConn(), fakeConn(), fakeConn()] as const;
  const { clock, end, dials, kept } = acceptedWhen([
    { conn: conns[0], accepted: Promise.resolve() },
    { conn: conns[1], accepted: answers[0].promise },
    { conn: conns[2], accepted: answers[1].promise },
  ]);
  await clock.advance(250);
  assertEquals([dials(), kept.length], [2, 0]);
  answers[0].reject(new SftpxError("unreachable", "it said nothing"));
  await clock.advance(250);
  assertEquals([dials(), conns[1].closedWith, kept.length], [3, "plain", 0]);
  answers[1].resolve();
  await clock.advance(0);
  assertEquals([kept.length, conns[0].closedWith], [1, "plain"]);
  assertEquals(conns[2].closedWith, undefined);
  await end();
});

Deno.test("connection: one that comes when this life is over is closed", async () => {
  const conn = fakeConn();
  const { promise, resolve } = Promise.withResolvers<Link>();
  const one = supervised<ConnectionMessage<Link>>(() =>
    connection<Link>({
      link: () => promise,
      scheduler: recorder<Connected<Link>>(),
      migration: () => recorder<Connected<Link>>(),
      ending: () => ({ code: "cancelled", reason: "stopped" }),
    })
  );
  await one.clock.advance(0);
  const ended = one.end();
  await one.clock.advance(0);
  resolve({ conn });
  await ended;
  assertEquals(conn.closedWith, "cancelled");
});

/** A watcher whose world the test moves. */
function watcherWith() {
  const moves: Move[] = [];
  const sleeps: number[] = [];
  const world = { addresses: ["10.0.0.1", "::1"] };
  const one = supervised<MigrationMessage<Link>>(() =>
    migration<Link>({
      localAddresses: () => world.addresses,
      moved: (move) => moves.push(move),
      slept: (ms) => sleeps.push(ms),
    })
  );
  return { ...one, moves, sleeps, world };
}

Deno.test("migration: a peer whose address changes is told of once", async () => {
  const { clock, address, moves, end } = watcherWith();
  const conn = fakeConn("there:1");
  await clock.advance(0);
  address.offer({ type: "connected", link: { conn } });
  await clock.advance(3000);
  conn.remote = "there:2";
  await clock.advance(3000);
  assertEquals(moves, [{ side: "peer", from: "there:1", to: "there:2" }]);
  await end();
});

Deno.test("migration: a new connection from elsewhere is no move", async () => {
  const { clock, address, moves, end } = watcherWith();
  await clock.advance(0);
  address.offer({ type: "connected", link: { conn: fakeConn("there:1") } });
  await clock.advance(1000);
  address.offer({ type: "connected", link: { conn: fakeConn("there:9") } });
  await clock.advance(3000);
  assertEquals(moves, []);
  await end();
});

Deno.test("migration: our own addresses count as a set, in whatever order they come", async () => {
  const { clock, moves, world, end } = watcherWith();
  await clock.advance(1500);
  world.addresses = ["::1", "10.0.0.1"];
  await clock.advance(1000);
  assertEquals(moves, []);
  world.addresses = ["::1", "192.168.0.7"];
  await clock.advance(1000);
  assertEquals(moves.map(({ side }) => side), ["local"]);
  await end();
});

/** A chunker over a walk that counts, and what it told. */
function chunkerWith(entries: number) {
  const scheduler = recorder<Found>();
  const walked = { count: 0, closed: 0 };
  async function* walk(): AsyncGenerator<SourceEntry, void, void> {
    try {
      for (let n = 0; n < entries; n++) {
        await Promise.resolve();
        walked.count++;
        yield { kind: "error", path: `${n}`, reason: "a test" };
      }
    } finally {
      walked.closed++;
    }
  }
  const one = supervised<ChunkerMessage>(() =>
    chunker({ walk, scheduler: () => scheduler })
  );
  const credit = createOutbox<"entries", number>((old, add) =>
    Math.max(old ?? 0, add)
  );
  const told = (): number =>
    scheduler.messages.reduce((sum, { entries }) => sum + entries.length, 0);
  const rest = async (): Promise<void> => {
    for (let n = 0; n < 20; n++) {
      await settle();
      await one.clock.advance(0); // it lets others have the thread
    }
  };
  return { ...one, scheduler, walked, credit, told, rest };
}

Deno.test("chunker: goes no further than it may, and goes on when it may", async () => {
  const { address, credit, told, walked, rest, end } = chunkerWith(100);
  credit.add("entries", 10);
  address.offer({ type: "scan", run: 1, credit });
  await rest();
  assertEquals(told(), 10);
  assertEquals(walked.count, 11); // one in hand
  credit.add("entries", 50);
  await rest();
  assertEquals(told(), 50);
  await end();
  assertEquals(walked.closed, 1);
});

Deno.test("chunker: the first entry goes at once and alone, later ones go together", async () => {
  const { address, credit, scheduler, rest, end } = chunkerWith(1000);
  credit.add("entries", 5000);
  address.offer({ type: "scan", run: 1, credit });
  await rest();
  assertEquals(scheduler.messages.slice(0, 4).map((m) => m.entries.length), [
    1,
    2,
    4,
    8,
  ]);
  assertEquals(scheduler.messages.at(-1)?.ended, true);
  assertEquals(
    Math.max(...scheduler.messages.map((m) => m.entries.length)),
    256,
  );
  await end();
});

Deno.test("chunker: a new scan ends the one before it", async () => {
  const { address, credit, scheduler, walked, rest, end } = chunkerWith(50);
  credit.add("entries", 5);
  address.offer({ type: "scan", run: 1, credit });
  await rest();
  const more = createOutbox<"entries", number>((old, add) =>
    Math.max(old ?? 0, add)
  );
  more.add("entries", 1000);
  address.offer({ type: "scan", run: 2, credit: more });
  await rest();
  credit.add("entries", 1000);
  await rest();
  const of = (run: number): number =>
    scheduler.messages.filter((m) => m.run === run)
      .reduce((sum, { entries }) => sum + entries.length, 0);
  assertEquals([of(1), of(2)], [5, 50]);
  assertEquals(walked.closed, 2);
  await end();
});

Deno.test("chunker: a scan that ends while its walk hangs leaves no error that nobody hears", async () => {
  const scheduler = recorder<Found>();
  const disk = Promise.withResolvers<void>();
  async function* walk(): AsyncGenerator<SourceEntry, void, void> {
    yield { kind: "error", path: "first", reason: "a test" };
    scheduler.full = true;
    yield { kind: "error", path: "second", reason: "a test" };
    await disk.promise;
  }
  const { address, clock, end } = supervised<ChunkerMessage>(() =>
    chunker({ walk, scheduler: () => scheduler })
  );
  const credit = createOutbox<"entries", number>((old, add) =>
    Math.max(old ?? 0, add)
  );
  credit.add("entries", 1000);
  address.offer({ type: "scan", run: 1, credit });
  await clock.advance(1000); // what was found goes, and waits for the scheduler
  address.offer({ type: "scan", run: 2, credit });
  // An error that nobody handles is told between two turns of the event loop.
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  disk.resolve();
  await end();
});

Deno.test("chunker: a scheduler that is slow holds the walk", async () => {
  const { address, credit, scheduler, walked, rest, end } = chunkerWith(50);
  credit.add("entries", 1000);
  scheduler.full = true;
  address.offer({ type: "scan", run: 1, credit });
  await rest();
  assertEquals(walked.count, 1);
  scheduler.full = false;
  await rest();
  assertEquals(walked.count, 50);
  await end();
});

Deno.test("chunker: a walk that never waits lets sockets be heard meanwhile", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { hostname, port } = listener.addr;
  const accepted = listener.accept();
  using near = await Deno.connect({ hostname, port });
  using far = await accepted;
  let steps = 0;
  let heardAfter = Infinity;
  const heard = far.read(new Uint8Array(1)).then(() => heardAfter = steps);
  async function* walk(): AsyncGenerator<SourceEntry[], void, void> {
    for (; steps < 60; steps++) {
      const until = performance.now() + 2; // as long as a look at some names
      while (performance.now() < until);
      yield Array.from(
        { length: 256 },
        (_, at) => ({
          kind: "error",
          path: `${steps} ${at}`,
          reason: "a test",
        }),
      );
    }
  }
  const credit = createOutbox<"entries", number>((old, add) =>
    Math.max(old ?? 0, add)
  );
  credit.add("entries", 100_000);
  let walked = Promise.resolve();
  const cx: Pick<Context<ChunkerMessage>, "clock" | "spawn"> = {
    clock: systemClock,
    spawn: (task) => void (walked = task(new AbortController().signal)),
  };
  await near.write(new Uint8Array(1));
  chunker({ walk, scheduler: () => recorder<Found>() }).receive(
    { type: "scan", run: 1, credit },
    cx as Context<ChunkerMessage>,
  );
  await walked;
  await heard;
  assert(heardAfter < 30, `heard after ${heardAfter} of 60 steps`);
});

/** A walk ahead over two entries, and how often it was begun. */
function aheadWith() {
  const clock = new FakeClock();
  const walks = { count: 0 };
  const it = walkAhead(async function* () {
    walks.count++;
    const number = walks.count;
    await Promise.resolve();
    yield { kind: "error", path: `${number}a`, reason: "a test" };
    yield [{ kind: "error", path: `${number}b`, reason: "a test" }];
  }, clock);
  const paths = async (): Promise<string[]> =>
    (await Array.fromAsync(it.walk())).flat().map(({ path }) => path);
  return { ...it, clock, walks, paths };
}

Deno.test("a walk ahead goes on with what it has looked at, once", async () => {
  const { begin, walks, paths } = aheadWith();
  begin();
  begin();
  assertEquals(walks.count, 1);
  assertEquals(await paths(), ["1a", "1b"]);
  assertEquals(await paths(), ["2a", "2b"]);
  assertEquals(walks.count, 2);
});

Deno.test("a walk ahead looks again at what it looked at long ago", async () => {
  const { begin, clock, paths } = aheadWith();
  begin();
  await clock.advance(1001);
  assertEquals(await paths(), ["2a", "2b"]);
});

Deno.test("a walk ahead that fails says so to who goes on with it", async () => {
  const it = walkAhead(
    // deno-lint-ignore require-yield -- it fails before
    async function* () {
      await Promise.resolve();
      throw new Error("no disk");
    },
    new FakeClock(),
  );
  it.begin();
  await new Promise((resolve) => setImmediate(resolve));
  await assertRejects(() => Array.fromAsync(it.walk()), Error, "no disk");
});
