import { assert, assertEquals, assertRejects } from "@std/assert";
import { receive } from "../../actors/receive.ts";
import { send } from "../../actors/send.ts";
import type { PeerDialers } from "../../actors/options.ts";
import { systemClock } from "../../core/clock.ts";
import { SftpxError } from "../../core/errors.ts";
import type { TransferEvent } from "../../core/events.ts";
import { secret } from "../../core/secret.ts";
import {
  hostByTicketInside,
  offerByCodeInside,
  reachByTicketInside,
  takeByCodeInside,
} from "../../rendezvous/meet.ts";
import type { Conn, Dialer } from "../../transport/transport.ts";
import type { RunningHelper } from "../../rendezvous/serve_helper.ts";
import { faultProxy } from "../testutil/fault_proxy.ts";
import { within } from "../testutil/deadline.ts";
import { tempDir } from "../testutil/temp.ts";
import { makeTree, sameTree } from "../testutil/tree.ts";
import {
  at,
  CERTIFICATE,
  FINGERPRINT,
  helperHere,
  HERE,
  pairByCode,
} from "./core_pair.ts";

const MIB = 2 ** 20;
const LIMIT_MS = 60_000;

Deno.test("a code: two who know no address of each other move a folder", async () => {
  const helper = helperHere();
  {
    await using pair = await pairByCode(helper);
    await makeTree(pair.dir.join("src"), {
      "a.bin": 3 * MIB,
      "empty": 0,
      "b/c": "text",
    });
    const result = await pair.send("src");
    await within(LIMIT_MS, "the receiver", pair.receiver.finished);
    assertEquals(result.totals.failed, 0);
    const up = pair.dir.join("uploads", "src");
    assertEquals(await sameTree(pair.dir.join("src"), up), []);
    for (const events of [pair.sent, pair.received]) {
      assertEquals(pathsIn(events), ["lan"]);
    }
  }
  await helper.close();
});

Deno.test("a code: wrong words end both, with the reason, and no file is named", async () => {
  const helper = helperHere();
  const where = { helper: at(helper) };
  const code = Promise.withResolvers<string>();
  const offered = offerByCodeInside({ ...where, onCode: code.resolve }, HERE);
  const failed = assertRejects(() => offered, SftpxError, "burnt");
  const [slot] = (await code.promise).split("-");
  const error = await assertRejects(
    () =>
      takeByCodeInside({
        ...where,
        code: `${slot}-some-other`,
        identity: new Uint8Array(32),
      }, HERE),
    SftpxError,
    "burnt",
  );
  assertEquals([error.code, (await failed).code], [
    "unauthorized",
    "unauthorized",
  ]);
  await helper.close();
});

Deno.test("a connection that is lost is found again through the helper, and the transfer goes on", async () => {
  const helper = helperHere();
  {
    await using pair = await pairByCode(helper);
    await makeTree(pair.dir.join("src"), { "a.bin": 24 * MIB });
    const conns: Conn[] = [];
    let isCut = false;
    const result = await pair.send("src", {
      to: { ...pair.to, dialers: seeing(pair.to.dialers, conns) },
      limitRate: 16 * MIB,
      onEvent(event) {
        if (event.type !== "progress" || event.bytes < 4 * MIB || isCut) return;
        isCut = true;
        for (const conn of conns) conn.close(); // all of them, at once
      },
    });
    await within(LIMIT_MS, "the receiver", pair.receiver.finished);
    assertEquals(isCut, true);
    assertEquals(pathsIn(pair.sent), ["lan", "lan"]);
    assert(result.totals.sent < 36 * MIB, String(result.totals.sent));
    const up = pair.dir.join("uploads", "src");
    assertEquals(await sameTree(pair.dir.join("src"), up), []);
  }
  await helper.close();
});

Deno.test("a helper that cannot be reached when it is needed is waited for", async () => {
  const helper = helperHere();
  const { port } = at(helper);
  const proxy = await faultProxy({ target: { hostname: "127.0.0.1", port } });
  {
    await using pair = await pairByCode(helper, HERE, proxy);
    await makeTree(pair.dir.join("src"), { "a.bin": 32 * MIB });
    const conns: Conn[] = [];
    let isCut = false;
    const back = Promise.withResolvers<void>();
    const sending = pair.send("src", {
      to: { ...pair.to, dialers: seeing(pair.to.dialers, conns) },
      limitRate: 16 * MIB,
      async onEvent(event) {
        if (event.type !== "progress" || event.bytes < 4 * MIB || isCut) return;
        isCut = true;
        await proxy.set("both", { drop: 1 });
        for (const conn of conns) conn.close();
        await systemClock.delay(1500); // what is tried by then comes to nothing
        await proxy.set("both", { drop: 0 });
        back.resolve();
      },
    });
    assertEquals((await within(LIMIT_MS, "send", sending)).totals.failed, 0);
    await back.promise;
    assertEquals(pathsIn(pair.sent), ["lan", "lan"]);
    const up = pair.dir.join("uploads", "src");
    assertEquals(await sameTree(pair.dir.join("src"), up), []);
  }
  await proxy.close();
  await helper.close();
});

Deno.test("S32: a first flight that is sent again does nothing at the helper", async () => {
  const helper = helperHere();
  const { port } = at(helper);
  const proxy = await faultProxy({
    target: { hostname: "127.0.0.1", port },
    keep: 1000,
  });
  {
    await using _pair = await pairByCode(helper, HERE, proxy);
    const before = counts(helper);
    assertEquals(before.pairs, 1);
    for (const from of ["stranger", "peer"] as const) {
      assert(await proxy.replay("up", from) > 10);
    }
    await using _other = await pairByCode(helper); // it has seen all that by then
    const after = counts(helper);
    assertEquals(after.pairs, before.pairs + 1);
    assertEquals(after.burnt, 0);
    assertEquals(after.waiting, before.waiting + 1); // the other's receiver
  }
  await proxy.close();
  await helper.close();
});

Deno.test("S12: no address of a machine goes through the helper in clear", async () => {
  // An address that only this machine has, beside what the helper sees anyway.
  const own = "127.77.88.99";
  const spoken: string[] = [];
  const helper = helperHere({
    log: {
      event: (_name, fields) => spoken.push(JSON.stringify(fields ?? {})),
      child() {
        return this;
      },
    },
  });
  const seen = await recorded(async () => {
    await using pair = await pairByCode(helper, { addresses: () => [own] });
    await makeTree(pair.dir.join("src"), { "a.bin": 1000 });
    await pair.send("src");
    await pair.receiver.finished;
    assertEquals(
      pair.sent.some((event) =>
        event.type === "connected" && event.remote.startsWith("127.")
      ),
      true,
    );
  });
  await helper.close();
  assert(seen.length > 10);
  const all = seen.join(" ");
  assertEquals(all.includes(new TextEncoder().encode(own).toHex()), false);
  assertEquals(all.includes("7f4d5863"), false);
  assertEquals(spoken.join().includes(own), false);
});

Deno.test("a receiver at a helper takes senders that hold its ticket, many at once", async () => {
  const helper = helperHere();
  await using dir = await tempDir();
  const token = secret(new Uint8Array(32).fill(5));
  const where = { helper: at(helper) };
  const received: TransferEvent[] = [];
  const hosted = await hostByTicketInside({
    ...where,
    certificate: CERTIFICATE,
    fingerprint: FINGERPRINT,
    token,
  }, HERE);
  const receiver = await receive({
    bind: "127.0.0.1:0",
    alsoAt: hosted,
    certificate: CERTIFICATE,
    token,
    uploadDir: dir.join("uploads"),
    resumeDir: dir.join("receiver"),
    onEvent: (event) => received.push(event),
  });
  await Promise.all(["a", "b", "c"].map(async (name) => {
    await makeTree(dir.join(name), { "file": 2 * MIB }, name.charCodeAt(0));
    const to = await reachByTicketInside({
      ...where,
      fingerprint: FINGERPRINT,
      token,
    }, HERE);
    try {
      const paths = [dir.join(name)];
      await send({ paths, to, resumeDir: dir.join(`sender-${name}`) });
    } finally {
      to.close();
    }
    const up = dir.join("uploads", name);
    assertEquals(await sameTree(dir.join(name), up), []);
  }));
  assertEquals(pathsIn(received), ["lan", "lan", "lan"]);
  // By its own address as before.
  await makeTree(dir.join("d"), { "file": 1000 });
  await send({
    paths: [dir.join("d")],
    to: { address: receiver.address, fingerprint: FINGERPRINT, token },
    resumeDir: dir.join("sender-d"),
  });
  assertEquals(pathsIn(received).at(-1), "direct");
  // Who has another token is at another meeting, where nobody is.
  const stranger = await reachByTicketInside({
    ...where,
    fingerprint: FINGERPRINT,
    token: secret(new Uint8Array(32).fill(6)),
  }, HERE);
  const over = new AbortController();
  const dialing = stranger.dialers.cubic.dial(over.signal);
  over.abort(new SftpxError("cancelled", "Cannot go on: enough"));
  await assertRejects(() => dialing, SftpxError, "enough");
  stranger.close();
  await receiver.close();
  await helper.close();
});

/** What a helper counts. */
function counts(helper: RunningHelper) {
  const value = (name: string): number =>
    Number(
      new RegExp(`^sftpx_helper_${name} (.*)$`, "m").exec(
        helper.exposition(),
      )?.[1],
    );
  return {
    pairs: value("pairs_total"),
    burnt: value("burnt_total"),
    waiting: value("waiting"),
  };
}

function pathsIn(events: readonly TransferEvent[]): string[] {
  return events.flatMap((event) =>
    event.type === "connected" ? [event.path] : []
  );
}

/** Dialers whose connections a test can see. */
function seeing(dialers: PeerDialers, conns: Conn[]): PeerDialers {
  const wrap = ({ dial }: Dialer): Dialer => ({
    async dial(signal) {
      const conn = await dial(signal);
      conns.push(conn);
      return conn;
    },
  });
  return { cubic: wrap(dialers.cubic), bbr: wrap(dialers.bbr) };
}

/** All bytes that streams of this process carry while `run` runs, written as hex. */
async function recorded(run: () => Promise<void>): Promise<string[]> {
  const seen: string[] = [];
  const prototype = WritableStreamDefaultWriter.prototype;
  const write = prototype.write;
  prototype.write = function (chunk: unknown) {
    if (chunk instanceof Uint8Array) seen.push(chunk.toHex());
    return write.call(this, chunk);
  };
  try {
    await run();
  } finally {
    prototype.write = write;
  }
  return seen;
}
