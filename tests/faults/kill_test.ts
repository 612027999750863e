import { assert, assertEquals } from "@std/assert";
import { seeded } from "../testutil/random.ts";
import type { Cli } from "../testutil/process.ts";
import {
  FULL,
  IN_FLIGHT,
  kill,
  MIB,
  note,
  nowMs,
  openEnds,
  pause,
  reached,
  told,
} from "./kit.ts";

/** One large file between small ones, and what else there can be. */
const TREE = {
  "a/first": 1000,
  "a/empty": 0,
  "a/none": { kind: "dir" },
  "a/link": { kind: "link", target: "first" },
  "b.bin": 16 * MIB,
  "c/z é🎉": 300_000,
  "d.bin": 24 * MIB + 1,
  "e": "the last",
} as const;
const BYTES = 1000 + 16 * MIB + 300_000 + 24 * MIB + 1 + 8;
/** So that it lasts about two seconds. */
const SLOWLY = ["--limit-rate", "16M"];
/** What goes on at this rate in the half second that a busy machine takes to kill. */
const LATE = 8 * MIB;

/** When to kill: resolves at the moment. */
type Moment = (sender: Cli, receiver: Cli) => Promise<unknown>;

const MOMENTS: Readonly<Record<string, Moment>> = {
  "before the first byte": (sender) => sender.waitEvent("connected"),
  "in the first file": (sender) => reached(sender, 6 * MIB),
  "between files": (sender) =>
    sender.waitEvent(({ path }) => path === "src/b.bin"),
  "when all is in place": (_, receiver) =>
    receiver.waitEvent(({ path }) => path === "src"),
};

for (const [when, moment] of Object.entries(MOMENTS)) {
  Deno.test(`killed ${when}, the receiver, the sender or both: the rest arrives, and only the rest is sent`, async () => {
    await Promise.all((["receiver", "sender", "both"] as const).map(
      (who) => killed(who, moment),
    ));
  });
}

async function killed(
  who: "receiver" | "sender" | "both",
  moment: Moment,
): Promise<void> {
  await using ends = await openEnds(TREE, { send: SLOWLY });
  let receiver = await ends.recv();
  let sender = ends.send();
  await moment(sender, receiver);
  if (who !== "sender") receiver.kill("SIGKILL");
  if (who !== "receiver") sender.kill("SIGKILL");
  await pause(300);
  const began = nowMs();
  if (who !== "sender") receiver = await ends.recv();
  if (who !== "receiver") sender = ends.send();
  await ends.finish(sender, receiver);
  const ms = nowMs() - began;
  const twice = await ends.given() - BYTES;
  await ends.check();
  assert(ms < 20_000, `${who}: it took ${ms} ms to go on and finish`);
  assert(twice <= IN_FLIGHT + LATE, `${who}: ${twice} bytes were sent twice`);
}

Deno.test("the receiver killed after the sender was told that all is there: it is there", async () => {
  await using ends = await openEnds({ "a": 3 * MIB, "b/c": "text" });
  const receiver = await ends.recv();
  const sender = ends.send();
  assertEquals((await sender.status).code, 0, sender.stderr);
  await kill(receiver);
  const again = await ends.recv();
  const { sent } = await ends.finish(ends.send(), again);
  assertEquals(sent, 0);
  await ends.check();
});

Deno.test("a sender that is started again does not wait for the one that died", async () => {
  await using ends = await openEnds({ "a": 12 * MIB });
  const receiver = await ends.recv();
  const first = ends.send({ args: ["--limit-rate", "6M"] });
  await reached(first, 4 * MIB);
  await kill(first);
  const began = nowMs();
  const second = ends.send();
  await second.waitEvent("connected");
  const ms = nowMs() - began;
  assert(ms < 9_000, `it was let in after ${ms} ms`);
  await ends.finish(second, receiver);
  await ends.check();
});

const SIZE = FULL ? 1024 : 192;
const KILLS = FULL ? 20 : 8;

Deno.test({
  name:
    `${KILLS} SIGKILLs of either side of one transfer of ${SIZE} MiB: it is the same, and less than a tenth was sent twice`,
  async fn() {
    const seed = Number(Deno.env.get("SEED") ?? Math.trunc(nowMs()));
    const random = seeded(seed);
    // CI kills as often a mebibyte as the whole does, at a rate its disks can do.
    const rate = Deno.env.get("KILL_RATE") ?? (FULL ? "64M" : "32M");
    await using ends = await openEnds({ "big.bin": SIZE * MIB, "x/y": "z" }, {
      send: ["--limit-rate", rate],
    });
    const deadlineMs = FULL ? 300_000 : 90_000;
    const points = Array.from(
      { length: KILLS },
      () => random() * 0.85 * SIZE * MIB,
    )
      .sort((a, b) => a - b);
    let receiver = await ends.recv({ deadlineMs });
    let sender = ends.send({ deadlineMs });
    const kills: string[] = [];
    const began = nowMs();
    for (const point of points) {
      const over = await Promise.race([
        reached(sender, point).then(() => false),
        sender.status.then(() => true),
      ]);
      if (over) break;
      await pause(random() * 300);
      const isSender = random() < 0.5;
      await kill(isSender ? sender : receiver);
      kills.push(isSender ? "s" : "r");
      if (isSender) sender = ends.send({ deadlineMs });
      else receiver = await ends.recv({ deadlineMs });
    }
    assertEquals((await sender.status).code, 0, sender.stderr);
    const ms = nowMs() - began;
    // The last kill may have been after the last word.
    if (told(receiver).some(({ type }) => type === "started")) {
      await receiver.waitEvent("done");
    }
    // What a sender gives to a dead receiver stays in its own buffers: only what
    // came to a receiver was sent. What was given is told beside it.
    const more = (sum: number): number => sum / (SIZE * MIB) - 1;
    const twice = more(await ends.taken());
    const given = more(await ends.given());
    await ends.check();
    const percent = (part: number): string => `${(100 * part).toFixed(2)} %`;
    note(
      `killed ${kills.join("")} in ${(ms / 1000).toFixed(1)} s; ` +
        `sent twice ${percent(twice)}, or buffered for it ${percent(given)}; ` +
        `SEED=${seed}`,
    );
    assert(kills.length >= KILLS / 2, `only ${kills.length} were killed`);
    assert(twice < 0.1, `${twice} of it was sent twice, SEED=${seed}`);
  },
});

/** Before and after what a checkpoint does, in its order, and the same of a later one. */
const STEPS = [
  ...["<journal:2", ">journal:2", ">rename:1", "<rename:4", ">rename:6"],
  ...FULL
    ? ["<journal:1", ">journal:1", "<journal:3", "<rename:1", ">rename:4"]
    : [],
];

Deno.test("killed at each step of a checkpoint: nothing is lost, doubled or left over", async () => {
  const tree = {
    "a": 3 * MIB,
    "b/one": 1000,
    "b/two": 2000,
    "c": 5 * MIB + 7,
    "d": 2 * MIB,
    "e": 100,
  };
  const bytes = 3 * MIB + 1000 + 2000 + 5 * MIB + 7 + 2 * MIB + 100;
  const inFlight = 8 * MIB; // and a checkpoint of a second
  const run = async (step: string): Promise<void> => {
    await using ends = await openEnds(tree, { send: ["--limit-rate", "4M"] });
    const first = await ends.recv({
      entry: new URL("dies_resume.ts", import.meta.url).href,
      env: { DIE_AT: step },
    });
    const sender = ends.send();
    const { signal } = await first.status;
    assertEquals(signal, "SIGKILL", `${step} was not reached`);
    const receiver = await ends.recv();
    await ends.finish(sender, receiver);
    await ends.check();
    const twice = await ends.taken() - bytes;
    assert(twice <= inFlight, `${step}: ${twice} bytes were sent twice`);
  };
  for (let at = 0; at < STEPS.length; at += 5) {
    await Promise.all(STEPS.slice(at, at + 5).map(run));
  }
});
