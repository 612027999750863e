/**
 * Many peers at one receiver, some of which stop half-way: they hold up nobody,
 * and what they held is free again.
 */
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { parseTicket } from "../../protocol/ticket.ts";
import { createEndpoint } from "../../transport/quic.ts";
import type { Conn } from "../../transport/transport.ts";
import { scaled, within } from "../testutil/deadline.ts";
import { peakMemory } from "../testutil/memory.ts";
import { startCli } from "../testutil/process.ts";
import { tempDir } from "../testutil/temp.ts";
import { makeTree, sameTree, type TreeSpec } from "../testutil/tree.ts";
import { library, TOKEN } from "./library.ts";
import { note, pause } from "./line.ts";
import { type Stop, STOPS, stopsAt, STRANGERS } from "./raw_peer.ts";

const MIB = 1024 * 1024;

Deno.test("of 50 senders 10 stop half-way: the others finish at full speed, and nothing is left of any", async () => {
  const [good, bad] = [40, 5];
  await using dir = await tempDir();
  const tree: Record<string, TreeSpec[string]> = {};
  for (let n = 0; n < good; n++) {
    for (const round of ["a", "b"]) {
      tree[`${round}${n}/big`] = MIB + n;
      // Enough for the thread that makes small files to be there from the first round on.
      for (let i = 0; i < 7; i++) tree[`${round}${n}/small ${i}`] = 1000;
    }
  }
  for (let n = 0; n < bad; n++) tree[`stops${n}/big`] = 4 * MIB;
  await makeTree(dir.join("src"), tree);
  await using receiver = startCli([
    ...["recv", "--json", "--bind", "127.0.0.1:0"],
  ], { cwd: dir.path, deadlineMs: 120_000 });
  const told = await receiver.waitEvent("ticket");
  const ticket = String(told.ticket);
  const senders = (name: string, count: number, limitRate?: number) =>
    manySenders({
      ticket,
      paths: Array.from(
        { length: count },
        (_, n) => dir.join("src", `${name}${n}`),
      ),
      resumeDir: dir.join(`resume-${name}`),
      ...(limitRate === undefined ? {} : { limitRate }),
    });

  await using warm = senders("a", good);
  const alone = await warm.finished;
  const filesBefore = await openFiles(receiver.pid);

  await using stopping = senders("stops", bad, MIB);
  await stopping.half;
  stopping.signal("SIGSTOP");
  const { port, fingerprint } = parseTicket(ticket);
  const endpoint = createEndpoint({ hostname: "127.0.0.1" });
  const silent = { endpoint, port, fingerprint, token: TOKEN };
  for (let n = 0; n < bad; n++) {
    await stopsAt(n % 2 === 0 ? "connected" : "half a hello", silent);
  }
  await using others = senders("b", good);
  const beside = await others.finished;
  note(
    `${good} senders of 1 MiB in ${Math.round(alone)} ms, beside ${
      2 * bad
    } that stopped in ${Math.round(beside)} ms: ratio ${
      (beside / alone).toFixed(2)
    }`,
  );
  assertLess(beside, alone * 3 + scaled(500));

  stopping.signal("SIGCONT"); // those go on as if nothing had been
  await stopping.finished;
  endpoint.close();
  // A sender may know that it is done before its session has ended.
  const parts = dir.join("uploads", ".sftpx-partial");
  for (let wait = 0; wait < 40 && await isThere(parts); wait++) {
    await pause(50);
  }
  assertEquals(await sameTree(dir.join("src"), dir.join("uploads")), []);
  const peakMiB = await peakMemory(receiver.pid);
  note(`receiver: ${Math.round(peakMiB)} MiB at most`);
  assertLess(peakMiB, 400);
  let filesAfter = Infinity;
  for (let wait = 0; wait < 40 && filesAfter > filesBefore + 4; wait++) {
    filesAfter = await openFiles(receiver.pid);
    await pause(100);
  }
  note(`receiver: ${filesBefore} open files before, ${filesAfter} after`);
  assertLess(filesAfter, filesBefore + 5);
});

Deno.test("an honest sender is served while 200 peers stop at every step, and their places are free again", async () => {
  const limits = { offerMs: 1000, quietMs: 2000 };
  const maxSessions = 30;
  await using lib = await library({ maxSessions }, { limits });
  await makeTree(`${lib.dir}/src`, { "a/big": 3 * MIB, "a/small": 10, b: 0 });
  const port = Number(lib.receiver.address.split(":").at(-1));
  const { fingerprint } = lib.receiver;
  const endpoint = createEndpoint({ hostname: "127.0.0.1" });
  const conns: Conn[] = [];
  let refused = 0;
  for (let n = 0; n < 200; n++) {
    const stop = STOPS[n % STOPS.length] as Stop;
    try {
      const options = { endpoint, port, fingerprint, token: TOKEN };
      conns.push(await stopsAt(stop, options));
    } catch (error) {
      assert(String(error).includes("transfers are under way"), `${error}`);
      refused++;
    }
  }
  assertGreater(conns.length, STRANGERS.length * 25 + maxSessions - 1);
  const began = performance.now();
  const result = await within(20_000, "an honest sender", lib.send("src"));
  note(
    `${conns.length} peers hung on, ${refused} were turned away; an honest one was served in ${
      Math.round(performance.now() - began)
    } ms`,
  );
  assertEquals(result.totals.failed, 0);
  assertEquals(await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`), []);
  endpoint.close();
});

Deno.test("an honest sender gets in while 400 strangers hold the door", async () => {
  await using lib = await library();
  await makeTree(`${lib.dir}/src`, { file: 1000 });
  const port = Number(lib.receiver.address.split(":").at(-1));
  const { fingerprint } = lib.receiver;
  const endpoint = createEndpoint({ hostname: "127.0.0.1" });
  for (let n = 0; n < 400; n++) {
    const stop = STRANGERS[n % STRANGERS.length] as Stop;
    await stopsAt(stop, { endpoint, port, fingerprint, token: TOKEN });
  }
  const began = performance.now();
  await within(5000, "an honest sender", lib.send("src"));
  note(`served in ${Math.round(performance.now() - began)} ms`);
  endpoint.close();
});

Deno.test("a peer that answers when it is asked keeps its place, however long it has nothing to send", async () => {
  const limits = { offerMs: 1000, quietMs: 1000 };
  await using lib = await library({}, { limits });
  await makeTree(`${lib.dir}/src`, { file: 2 * MIB });
  // One chunk of it waits three seconds for its turn.
  await within(20_000, "it", lib.send("src", { limitRate: MIB / 2 }));
  assertEquals(lib.events.filter(({ type }) => type === "reconnecting"), []);
});

interface Senders extends AsyncDisposable {
  /** Resolves when each has half of its content at the receiver. */
  readonly half: Promise<void>;
  /** Resolves with the milliseconds that it took all of them. */
  readonly finished: Promise<number>;
  signal(signal: Deno.Signal): void;
}

/** Starts many senders in one process. */
function manySenders(
  what: import("./fixtures/many_senders.ts").ManySenders,
): Senders {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--quiet", "--config", CONFIG, FIXTURE],
      JSON.stringify(what),
    ],
    stdout: "piped",
  }).spawn();
  const half = Promise.withResolvers<void>();
  const read = async (): Promise<number> => {
    let [text, halves, slowest, done] = ["", 0, 0, 0];
    for await (
      const part of child.stdout.pipeThrough(new TextDecoderStream())
    ) {
      text += part;
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        const said = JSON.parse(line);
        assert(said.failed === undefined, line);
        if (said.half !== undefined) halves++;
        if (said.done !== undefined) {
          done++;
          slowest = Math.max(slowest, said.ms);
        }
        if (halves === what.paths.length) half.resolve();
      }
    }
    assertEquals(done, what.paths.length);
    return slowest;
  };
  const finished = within(60_000, "many senders", read());
  finished.catch((error) => half.reject(error));
  return {
    half: half.promise,
    finished,
    signal: (signal) => child.kill(signal),
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGKILL");
      } catch {
        // it has ended
      }
      await child.status;
      await finished.catch(() => {});
    },
  };
}

const FIXTURE = new URL("./fixtures/many_senders.ts", import.meta.url).href;
const CONFIG = decodeURIComponent(
  new URL("../../deno.json", import.meta.url).pathname,
);

async function openFiles(pid: number): Promise<number> {
  return (await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`))).length;
}

function isThere(path: string): Promise<boolean> {
  return Deno.lstat(path).then(() => true, () => false);
}
