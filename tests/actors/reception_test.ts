import { assert, assertEquals } from "@std/assert";
import { createDoor } from "../../actors/door.ts";
import { type ControlChannel, controlChannel } from "../../actors/frames.ts";
import type { ReceiveOutcome } from "../../actors/receive_scheduler.ts";
import type { ReceiveSession } from "../../actors/receive_session.ts";
import type { ReceiveLink } from "../../actors/receive_wire.ts";
import { reception, type ReceptionMessage } from "../../actors/reception.ts";
import { SftpxError } from "../../core/errors.ts";
import type { TransferEvent } from "../../core/events.ts";
import { nullLog } from "../../core/log.ts";
import { Supervisor } from "../../core/supervisor.ts";
import { helloProof } from "../../crypto/proof.ts";
import { memoryNetwork } from "../../transport/memory.ts";
import type { CloseInfo, Conn } from "../../transport/transport.ts";
import { bytes, hello as helloOf } from "../hostile/conversation.ts";
import { FakeClock, settle } from "../testutil/fake_clock.ts";
import { ADDRESS, FINGERPRINT, TOKEN } from "./pair.ts";

const SIDE = "memory:side";

/** A session that does nothing but remember. */
interface FakeSession extends ReceiveSession {
  readonly taken: ReceiveLink[];
  readonly further: ReceiveLink[];
  awaySince: number | undefined;
  progressAt: number;
  isThere: boolean;
  left: boolean;
  finish(result: ReceiveOutcome | SftpxError): void;
}

function fakeSession(first: ReceiveLink): FakeSession {
  const end = Promise.withResolvers<ReceiveOutcome>();
  end.promise.catch(() => {});
  const session: FakeSession = {
    hex: first.hello.session.toHex(),
    life: first.hello.life.toHex(),
    awaySince: undefined,
    progressAt: 0,
    isThere: true,
    left: false,
    taken: [first],
    further: [],
    take: (link) => void session.taken.push(link),
    join: (link) => void session.further.push(link),
    leave() {
      session.left = true;
    },
    probe: () => Promise.resolve(session.isThere),
    ended: end.promise,
    finish(result) {
      if (result instanceof SftpxError) end.reject(result);
      else end.resolve(result);
    },
  };
  return session;
}

interface Peer {
  readonly conn: Conn;
  readonly control: ControlChannel;
  /** How the receiver closed the connection. */
  readonly closed: Promise<CloseInfo>;
}

interface Desk {
  readonly clock: FakeClock;
  readonly sessions: FakeSession[];
  readonly events: TransferEvent[];
  readonly results: (ReceiveOutcome | SftpxError)[];
  /** Connects, and says nothing. */
  connect(isSide?: boolean): Promise<Conn>;
  /** Connects and says hello. */
  greet(
    who: number,
    options?: {
      life?: number;
      token?: Uint8Array<ArrayBuffer>;
      attempt?: number;
      connection?: number;
      /** By the door for further connections. */
      isSide?: boolean;
    },
  ): Promise<Peer>;
}

/** Runs a reception, and sees that nothing is left of it. */
async function withReception(
  body: (desk: Desk) => Promise<void>,
  options: {
    maxSessions?: number;
    intercept?: (message: unknown) => void;
  } = {},
): Promise<void> {
  const clock = new FakeClock();
  const network = memoryNetwork({ maxWaiting: 2000 });
  const door = createDoor(network.listen(ADDRESS));
  const sideDoor = createDoor(network.listen(SIDE));
  const sessions: FakeSession[] = [];
  const events: TransferEvent[] = [];
  const results: (ReceiveOutcome | SftpxError)[] = [];
  const supervisor = new Supervisor("receiver", {
    strategy: "one-for-one",
    maxCrashes: 3,
    crashWindowMs: 60_000,
    backoffMs: 250,
    backoffCapMs: 15_000,
    patienceMs: Infinity,
    shutdownMs: 60_000,
  }, {
    clock,
    log: nullLog,
    random: () => 0.5,
    ...(options.intercept && {
      intercept: (_: string, message: unknown) => options.intercept?.(message),
    }),
  });
  supervisor.add<ReceptionMessage>({
    name: "reception",
    capacity: 64,
    restart: "permanent",
    create: () =>
      reception({
        door,
        sideDoor,
        fingerprint: FINGERPRINT,
        token: TOKEN,
        maxSessions: options.maxSessions ?? 8,
        emit: (event) => events.push(event),
        ended: (_, result) => results.push(result),
        start(link, signal) {
          const session = fakeSession(link);
          sessions.push(session);
          signal.addEventListener("abort", () =>
            session.finish(new SftpxError("cancelled", "stopped")));
          return session;
        },
      }),
  });
  const stop = new AbortController();
  const run = supervisor.run(stop.signal);
  const connect = (isSide = false): Promise<Conn> =>
    network.dialer(isSide ? SIDE : ADDRESS).dial(stop.signal);
  await body({
    clock,
    sessions,
    events,
    results,
    connect,
    async greet(
      who,
      { life = 1, token, attempt = 1, connection = 0, isSide = false } = {},
    ) {
      const conn = await connect(isSide);
      const control = controlChannel(await conn.openBidi());
      const fields = helloOf({
        session: bytes(32, who),
        life: bytes(16, life),
        attempt,
        connection,
        extra: connection > 0,
      });
      const key = token ?? TOKEN.reveal();
      const proven = { ...fields, fingerprint: FINGERPRINT };
      const proof = await helloProof(key, proven);
      await control.write({ ...fields, proof });
      for (let n = 0; n < 5; n++) {
        await settle();
        await helloProof(key, proven); // theirs is made on another thread, too
      }
      return { conn, control, closed: conn.closed };
    },
  });
  stop.abort();
  await run;
  door.close();
  sideDoor.close();
  for (let n = 0; n < 5; n++) await settle();
  assertEquals(clock.pending, 0);
}

Deno.test("reception: a sender that has the token gets a session", async () => {
  await withReception(async ({ greet, sessions }) => {
    await greet(1);
    await greet(2);
    assertEquals(sessions.map(({ hex }) => hex.slice(0, 2)), ["01", "02"]);
  });
});

Deno.test("reception: a sender with another token is turned away, and there is no session", async () => {
  await withReception(async ({ greet, sessions, events }) => {
    const { closed, control } = await greet(1, {
      token: new Uint8Array(32).fill(4),
    });
    assertEquals((await closed).code, "unauthorized");
    assertEquals(await control.read().catch(() => undefined), undefined);
    assertEquals(sessions.length, 0);
    assertEquals(events.map(({ type }) => type), ["warning"]);
  });
});

Deno.test("reception: a peer that says nothing is let go, and others come in meanwhile", async () => {
  await withReception(async ({ connect, greet, sessions, clock }) => {
    const silent: Conn[] = [];
    for (let n = 0; n < 50; n++) silent.push(await connect());
    await greet(1);
    assertEquals(sessions.length, 1);
    await clock.advance(15_000);
    for (const conn of silent) assert((await conn.closed).remote);
  });
});

Deno.test("reception: of too many that are silent the oldest gives way, and an honest one comes in", async () => {
  await withReception(async ({ connect, greet, sessions }) => {
    const silent: Conn[] = [];
    for (let n = 0; n < 300; n++) silent.push(await connect());
    await greet(1);
    assertEquals(sessions.length, 1);
    assertEquals((await silent[0]?.closed)?.code, "peer-busy");
  });
});

Deno.test("reception: the same sender that comes back is taken to its session", async () => {
  await withReception(async ({ greet, sessions }) => {
    await greet(1);
    await greet(1, { attempt: 2 });
    assertEquals(sessions.length, 1);
    assertEquals(sessions[0]?.taken.length, 2);
  });
});

Deno.test("reception: the same send from another process is refused while the first one answers", async () => {
  await withReception(async ({ greet, sessions, clock }) => {
    await greet(1);
    const { control, closed } = await greet(1, { life: 2 });
    const answer = await control.read();
    assertEquals(answer?.type === "refuse" && answer.code, "duplicate");
    await clock.advance(1000);
    assertEquals((await closed).code, "duplicate");
    assertEquals(sessions[0]?.taken.length, 1);
  });
});

Deno.test("reception: the same send from another process takes over when the first one is dead", async () => {
  await withReception(async ({ greet, sessions }) => {
    await greet(1);
    const [session] = sessions;
    assert(session);
    session.isThere = false;
    await greet(1, { life: 2 });
    assertEquals(sessions.length, 1);
    assertEquals(session.taken.length, 2);
  });
});

Deno.test("reception: over the limit a sender is refused, until a session ends", async () => {
  await withReception(async ({ greet, sessions, clock, results }) => {
    await greet(1);
    const { control } = await greet(2);
    const answer = await control.read();
    assertEquals(answer?.type === "refuse" && answer.code, "peer-busy");
    await clock.advance(1000);
    sessions[0]?.finish(new SftpxError("cancelled", "it went away"));
    await settle();
    assertEquals(results.length, 1);
    await greet(2);
    assertEquals(sessions.length, 2);
  }, { maxSessions: 1 });
});

Deno.test("reception: over the limit the session whose sender is away longest gives way", async () => {
  await withReception(async ({ greet, sessions }) => {
    await greet(1);
    await greet(2);
    const [one, two] = sessions;
    assert(one && two);
    [one.awaySince, two.awaySince] = [20, 10];
    await greet(3);
    assertEquals([one.left, two.left], [false, true]);
    assertEquals(sessions.length, 3);
  }, { maxSessions: 2 });
});

Deno.test("reception: over the limit one that is there and long brings nothing gives way, when none is away", async () => {
  await withReception(async ({ greet, sessions, clock }) => {
    await greet(1);
    await greet(2);
    const [one, two] = sessions;
    assert(one && two);
    await clock.advance(700_000);
    one.progressAt = clock.now() - 599_000;
    two.progressAt = clock.now() - 601_000;
    await greet(3);
    assertEquals([one.left, two.left], [false, true]);
    two.finish(new SftpxError("cancelled", "others need the room"));
    await settle();
    for (const session of sessions.slice(2)) session.progressAt = clock.now();
    const { control } = await greet(4);
    const answer = await control.read();
    assertEquals(answer?.type === "refuse" && answer.code, "peer-busy");
    assert(!one.left);
  }, { maxSessions: 2 });
});

Deno.test("reception: a sender whose session gives way to another gets a new one only when the disk is free", async () => {
  await withReception(async ({ greet, sessions }) => {
    await greet(1);
    const [one] = sessions;
    assert(one);
    one.awaySince = 10;
    await greet(2);
    const [, two] = sessions;
    assert(one.left && two);
    two.awaySince = 20;
    await greet(1, { attempt: 2 });
    assertEquals(sessions.length, 2);
    assertEquals(one.taken.length, 1);
    one.finish(new SftpxError("cancelled", "others need the room"));
    for (let n = 0; n < 5; n++) await settle();
    assertEquals(sessions.length, 3);
  }, { maxSessions: 1 });
});

Deno.test("reception: by the side door a further connection joins its session, and nobody else comes in", async () => {
  await withReception(async ({ greet, sessions, events }) => {
    const first = await greet(1, { isSide: true });
    assertEquals((await first.closed).code, "protocol");
    assertEquals(sessions.length, 0);
    const stranger = await greet(1, { isSide: true, connection: 1 });
    assertEquals((await stranger.closed).code, "peer-busy");
    await greet(1);
    const token = new Uint8Array(32).fill(4);
    const liar = await greet(1, { isSide: true, connection: 1, token });
    assertEquals((await liar.closed).code, "unauthorized");
    await greet(1, { isSide: true, connection: 1 });
    const [session] = sessions;
    assertEquals(session?.further.map(({ hello }) => hello.connection), [1]);
    assertEquals([sessions.length, session?.taken.length], [1, 1]);
    assertEquals(events.map(({ type }) => type), ["warning"]);
  });
});

Deno.test("reception: a crowd at the side door is held to a number, and keeps nobody from the first door", async () => {
  await withReception(async ({ connect, greet, sessions }) => {
    const early = await connect();
    const crowd: Conn[] = [];
    for (let n = 0; n < 300; n++) crowd.push(await connect(true));
    const ended = new Set<Conn>();
    for (const conn of [early, ...crowd]) {
      conn.closed.then(() => ended.add(conn));
    }
    await greet(1);
    assertEquals(sessions.length, 1);
    assert(!ended.has(early));
    assertEquals(ended.size, 300 - 64);
    assertEquals((await crowd[0]?.closed)?.code, "peer-busy");
    await greet(1, { isSide: true, connection: 1 });
    assertEquals(sessions[0]?.further.length, 1);
  });
});

Deno.test("reception: what fails it ends no door: the next peer comes in", async () => {
  let fails = true;
  await withReception(async ({ greet, sessions, clock }) => {
    await greet(1);
    assertEquals(sessions.length, 0);
    await clock.advance(0);
    await greet(2);
    assertEquals(sessions.length, 1);
  }, {
    intercept() {
      if (!fails) return;
      fails = false;
      throw new Error("Cannot go on: the test says so");
    },
  });
});

Deno.test("door: a connection that comes while nobody waits is kept for the next who asks", async () => {
  const network = memoryNetwork();
  const door = createDoor(network.listen(ADDRESS));
  const first = new AbortController();
  const waiting = door.next(first.signal);
  first.abort(new Error("enough"));
  assertEquals(await waiting.catch((error) => error.message), "enough");
  const { signal } = new AbortController();
  const conn = await network.dialer(ADDRESS).dial(signal);
  await settle();
  assert(await door.next(signal));
  const other = await network.dialer(ADDRESS).dial(signal);
  const last = new AbortController();
  const none = door.next(last.signal); // takes it
  assert(await none);
  const third = door.next(last.signal);
  third.catch(() => {});
  last.abort();
  const late = await network.dialer(ADDRESS).dial(signal);
  door.close();
  assertEquals((await late.closed).code, "peer-busy");
  conn.close();
  other.close();
});
