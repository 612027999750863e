import { assert, assertEquals } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import { CHUNK, hashing, pair, type PairOptions, typeOf } from "./pair.ts";

const TREE = {
  "a": "text",
  "big": CHUNK * 40 + 5,
  "dir/one": CHUNK,
  "dir/two": CHUNK + 1,
  "z": 100,
} as const;

/** Calls `act` once, when so many messages have been handled. */
function onMessage(
  number: number,
  act: () => void,
): Required<Pick<PairOptions, "intercept">> {
  let count = 0;
  return {
    intercept() {
      if (++count === number) act();
    },
  };
}

const MOMENTS = [8, 20, 32, 44, 50, 56, 62, 68];

Deno.test("a connection that is lost, at whichever moment, is dialled again and the same conversation goes on", async (t) => {
  for (const moment of MOMENTS) {
    await t.step(`at message ${moment}`, async () => {
      let lost = false;
      await using two = await pair({
        tree: TREE,
        ...onMessage(moment, () => {
          lost = true;
          for (const conn of two.conns) two.network.lose(conn);
        }),
      });
      const receiver = two.receive();
      const sent = await two.run(two.send());
      await two.run(
        Promise.race([receiver.done, two.time.clock.delay(20_000)]),
      );
      await two.run(receiver.close());
      assertEquals(await two.differences(), []);
      assertEquals(sent.totals.failed, 0);
      const connected = two.events.sender.filter(({ type }) =>
        type === "connected"
      );
      const again = connected.slice(1);
      assert(lost || again.length === 0);
      for (const event of again) {
        assertEquals(event.type === "connected" && event.resumed, true);
      }
      const starts = two.events.receiver.filter(({ type }) =>
        type === "started"
      );
      assertEquals(starts.length, 1);
    });
  }
});

Deno.test("connections that are lost again and again do not stop a transfer", async () => {
  let count = 0;
  await using two = await pair({
    tree: { ...TREE, "more": CHUNK * 100 },
    intercept() {
      if (++count % 40 !== 0 || two.conns.length > 8) return;
      for (const conn of two.conns) two.network.lose(conn);
    },
  });
  const receiver = two.receive();
  await two.run(two.send());
  await two.run(receiver.close());
  assert(two.conns.length > 3);
  assertEquals(await two.differences(), []);
});

/** Ways in which a source changes while it is sent. */
const CHANGES: Readonly<Record<string, (path: string) => void>> = {
  "is written anew": (path) =>
    Deno.writeFileSync(path, new Uint8Array(CHUNK * 40 + 5).fill(5)),
  "grows": (path) =>
    Deno.writeFileSync(path, new Uint8Array(CHUNK * 45).fill(6)),
  "shrinks": (path) =>
    Deno.writeFileSync(path, new Uint8Array(CHUNK * 2 + 1).fill(7)),
  "becomes empty": (path) => Deno.truncateSync(path),
  "becomes small": (path) => Deno.writeTextFileSync(path, "small"),
  "is replaced": (path) => {
    Deno.writeFileSync(`${path}.new`, new Uint8Array(CHUNK * 3).fill(8));
    Deno.renameSync(`${path}.new`, path);
  },
  "is removed": (path) => Deno.removeSync(path),
};

for (const [what, change] of Object.entries(CHANGES)) {
  Deno.test(`a file that ${what} while it is sent arrives as it was, as it is, or not at all`, async (t) => {
    for (const moment of [20, 36, 56]) {
      await t.step(`at message ${moment}`, async () => {
        let before = "";
        let two: Awaited<ReturnType<typeof pair>> | undefined = undefined;
        const path = (): string => `${two?.source}/big`;
        two = await pair({
          tree: TREE,
          ...onMessage(moment, () => change(path())),
        });
        await using made = two;
        before = await digestOf(path());
        const receiver = made.receive();
        const sent = await made.run(made.send());
        const received = await made.run(receiver.done);
        await made.run(receiver.close());
        assertEquals(sent.root.toHex(), received.root.toHex());
        const arrived = await digestOf(`${made.uploads}/tree/big`);
        const now = await digestOf(path());
        if (arrived === "none") assertEquals(sent.failures.length, 1);
        else assert(arrived === before || arrived === now, "a mixture");
        const others = (await made.differences()).filter((text) =>
          !text.includes('"big"') && !text.includes('"big.new"') &&
          !text.startsWith('""')
        );
        assertEquals(others, []);
        assertEquals(made.time.clock.pending, 0);
      });
    }
  });
}

async function digestOf(path: string): Promise<string> {
  try {
    const bytes = await Deno.readFile(path);
    return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))
      .toHex();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "none";
    throw error;
  }
}

Deno.test("a chunk that arrives wrong is asked for again, and never put in place", async () => {
  const { pool } = await hashing();
  let wrong = 3;
  await using two = await pair({
    tree: TREE,
    receive: {
      pool: {
        ...pool,
        async digestParts(bytes, parts) {
          const hashed = await pool.digestParts(bytes, parts);
          if (wrong-- > 0) hashed.digests.fill(1, 0, 32);
          return hashed;
        },
      },
    },
  });
  const receiver = two.receive();
  const sent = await two.run(two.send());
  await two.run(receiver.close());
  assertEquals(await two.differences(), []);
  assertEquals(sent.totals.failed, 0);
});

Deno.test("a file whose chunks always arrive wrong ends the transfer, and says which", async () => {
  const { pool } = await hashing();
  await using two = await pair({
    tree: { "bad": CHUNK * 2 },
    receive: {
      pool: {
        ...pool,
        async digestParts(bytes, parts) {
          const hashed = await pool.digestParts(bytes, parts);
          hashed.digests.fill(1);
          return hashed;
        },
      },
    },
  });
  const receiver = two.receive();
  const error = await two.run(two.send().catch((error) => error));
  await two.run(receiver.close());
  assertEquals(error.code, "integrity");
  assert(error.message.includes("bad"), error.message);
  assertEquals(two.time.clock.pending, 0);
});

Deno.test("a disk that is full ends the session with its reason, and the next run goes on", async () => {
  let room = CHUNK * 20;
  await using two = await pair({
    tree: { "a": 10, "big": CHUNK * 40 },
    receive: {
      reserve(bytes) {
        if (bytes > room) {
          const cause = Object.assign(new Error("full"), { code: "ENOSPC" });
          return Promise.reject(
            new SftpxError("local-io", "Cannot write: it is full", cause),
          );
        }
        return Promise.resolve();
      },
    },
  });
  const receiver = two.receive();
  const error = await two.run(two.send().catch((error) => error));
  assertEquals(error.code, "local-io");
  room = Infinity;
  const sent = await two.run(two.send());
  await two.run(receiver.close());
  assertEquals(sent.totals.failed, 0);
  assertEquals(await two.differences(), []);
});

Deno.test("a scheduler that starts again numbers its runs on: what is still said of the run before is not taken for the next one's", async () => {
  const runs: number[] = [];
  let failed = false;
  await using two = await pair({
    tree: TREE,
    intercept(side, actor, message) {
      if (side !== "receiver") return;
      const type = typeOf(message);
      if (actor === "persistence" && type === "begin") {
        runs.push((message as { run: number }).run);
      }
      if (actor === "scheduler" && type === "facts" && !failed) {
        failed = true;
        throw new Error("Cannot go on: the test says so");
      }
    },
  });
  const receiver = two.receive();
  const sent = await two.run(two.send());
  await two.run(receiver.done);
  await two.run(receiver.close());
  assertEquals(sent.totals.failed, 0);
  assertEquals(await two.differences(), []);
  assert(runs.length >= 2, `${runs}`);
  assertEquals(runs, [...new Set(runs)].sort((a, b) => a - b));
});
