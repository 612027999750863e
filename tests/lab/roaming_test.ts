/**
 * A sender whose addresses, links and NAT change under it, on real links.
 *
 * It takes minutes and root, so it runs only with `SFTPX_FULL=1`:
 *
 *     SFTPX_FULL=1 deno test -A tests/lab
 */
import { assert, assertEquals, assertLess } from "@std/assert";
import {
  assertUnbroken,
  eventsOf,
  FULL,
  note,
  pause,
  timeToResume,
} from "../faults/line.ts";
import { startCli } from "../testutil/process.ts";
import { tempDir } from "../testutil/temp.ts";
import { makeTree, sameTree } from "../testutil/tree.ts";
import { makeNetwork, missing, type Network, SERVER } from "./network.ts";

const MIB = 1024 * 1024;

const why = FULL ? await missing() : "SFTPX_FULL is not 1";
if (FULL && why !== undefined) note(`no roaming on real links here: ${why}`);

interface Roamed {
  readonly moved: readonly (readonly [side: unknown, to: unknown])[];
  readonly broken: boolean;
}

/** Sends 24 MiB at 4 MiB/s, changes the network on the way, and says what happened. */
async function roam(
  change: (network: Network) => Promise<void>,
): Promise<Roamed> {
  await using network = await makeNetwork();
  await using dir = await tempDir();
  await makeTree(dir.join("src"), { big: 24 * MIB, small: 100 });
  const options = { cwd: dir.path, deadlineMs: 180_000 };
  await using receiver = startCli([
    ...["recv", "--json", "--bind", "0.0.0.0:4443"],
    ...["--resume-dir", "resume-recv"],
  ], { ...options, prefix: network.server });
  await receiver.waitEvent("listening");
  await using sender = startCli(
    ["send", "--json", "--to", SERVER, "--limit-rate", "4M", "src"],
    { ...options, prefix: network.client },
  );
  await sender.waitEvent(({ type, bytes }) =>
    type === "progress" && Number(bytes) >= 4 * MIB
  );
  await change(network);
  const line = { sender, receiver } as Parameters<typeof timeToResume>[0];
  const resumedMs = await timeToResume(line, 60_000);
  const { code } = await sender.status;
  assertEquals(code, 0, sender.stdout.slice(-1000) + sender.stderr);
  const { totals } = await receiver.waitEvent("done");
  const { bytes, sent } = totals as { bytes: number; sent: number };
  assertEquals(await sameTree(dir.join("src"), dir.join("uploads/src")), []);
  assertLess(sent - bytes, 10 * MIB);
  const moved = [...eventsOf(receiver, "moved"), ...eventsOf(sender, "moved")]
    .map(({ side, to }) => [side, to] as const);
  const broken = eventsOf(sender, "reconnecting").length > 0;
  for (const { resumed } of eventsOf(sender, "connected").slice(1)) {
    assertEquals(resumed, true);
  }
  note(
    `went on after ${Math.round(resumedMs)} ms, ${
      ((sent - bytes) / MIB).toFixed(1)
    } MiB twice, ${broken ? "over a new connection" : "unbroken"}, moved: ${
      moved.map(([side, to]) => `${side} to ${to}`).join("; ") || "nobody"
    }`,
  );
  if (!broken) assertUnbroken(line);
  return { moved, broken };
}

function lab(name: string, run: () => Promise<void>): void {
  Deno.test({ name, ignore: why !== undefined, fn: run });
}

lab(
  "a client that gets another address on the same link is not interrupted",
  async () => {
    const { moved, broken } = await roam(async ({ ip }) => {
      await ip("addr", "del", "10.77.0.1/24", "dev", "link0");
      await ip("addr", "add", "10.77.0.3/24", "dev", "link0");
      await ip("route", "replace", "default", "via", "10.77.0.254");
    });
    assert(!broken);
    assert(
      moved.some(([side, to]) => side === "local" && `${to}`.includes(".3")),
    );
  },
);

for (const seconds of [3, 30]) {
  lab(
    `a client that has no address for ${seconds} s, and then another, goes on`,
    async () => {
      const { moved } = await roam(async ({ ip }) => {
        await ip("addr", "del", "10.77.0.1/24", "dev", "link0");
        await pause(seconds * 1000);
        await ip("addr", "add", "10.77.0.3/24", "dev", "link0");
        await ip("route", "replace", "default", "via", "10.77.0.254");
      });
      assert(moved.some(([side]) => side === "local"));
    },
  );

  lab(`a client whose link is down for ${seconds} s goes on`, async () => {
    await roam(async ({ ip }) => {
      await ip("link", "set", "link0", "down");
      await pause(seconds * 1000);
      await ip("link", "set", "link0", "up");
      await ip("route", "replace", "default", "via", "10.77.0.254");
    });
  });
}

lab(
  "a client that changes to another link goes on, and both ends tell",
  async () => {
    const { moved } = await roam(async ({ ip }) => {
      await ip("link", "set", "link0", "down");
      await ip("addr", "flush", "dev", "link0");
      await ip("addr", "add", "10.77.1.1/24", "dev", "link1");
      await ip("link", "set", "link1", "up");
      await ip("route", "replace", "default", "via", "10.77.1.254");
    });
    assert(moved.some(([side]) => side === "peer"));
    assert(moved.some(([side]) => side === "local"));
  },
);

lab(
  "a NAT that forgets its flows does not interrupt a client, and the server tells where it is now",
  async () => {
    const { moved, broken } = await roam(({ rebind }) => rebind());
    assert(!broken);
    assert(
      moved.some(([side, to]) => side === "peer" && /:2\d{4}$/.test(`${to}`)),
    );
  },
);
