import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Clock } from "../../core/clock.ts";
import { systemClock } from "../../core/clock.ts";
import { SftpxError } from "../../core/errors.ts";
import { removeFromRouters } from "../../xftp/client_remove.ts";
import { formatRouterAddress } from "../../xftp/address.ts";
import { freePort } from "../testutil/port.ts";
import { tcpProxy } from "../testutil/tcp_proxy.ts";
import { addressOf, type KitUser, kitUser, only } from "./client_kit.ts";
import { kitRouter } from "./router_kit.ts";

const MIB = 1024 * 1024;
const STOPPED = new SftpxError("cancelled", "Cannot go on: the test says so");

/** Pauses between attempts take no time. */
const HASTY: Clock = {
  ...systemClock,
  delay: (ms, signal) => systemClock.delay(ms < 10_000 ? 1 : ms, signal),
};

Deno.test("an interrupted upload goes on: only what is missing is sent", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("a.bin", 20 * MIB);
  const total = 21 * MIB;
  const sent: number[] = [];
  for (const stopAt of [1, 9 * MIB, Infinity]) {
    const stop = stopping(user, stopAt);
    const storing = user.store([path], [addressOf(router)], stop);
    if (stopAt === Infinity) {
      await user.fetch(only((await storing).recipients));
      await user.sameAs(path, "a.bin");
    } else {
      await assertRejects(() => storing, SftpxError, "the test says so");
      assertEquals(await modes(user), [0o600]);
    }
    sent.push(lastProgress(user).sent);
  }
  // What was in flight when it was stopped may have been sent twice.
  const all = user.events.filter((event) => event.type === "done")[0];
  assert(all?.type === "done");
  assert(all.totals.reused >= 9 * MIB, String(all.totals.reused));
  assertEquals(all.totals.sent + all.totals.reused, total);
  assertEquals(await modes(user), []); // nothing is left of the state
  assert(router.store.usedBytes <= total + 4 * MIB + MIB);
});

Deno.test("a source that changed since is stored anew, under another key", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("a.bin", 9 * MIB);
  const stop = stopping(user, 1);
  await assertRejects(() => user.store([path], [addressOf(router)], stop));
  const [before] = await keys(user);
  await Deno.writeFile(path, new Uint8Array(9 * MIB).fill(1));
  const stored = await user.store([path], [addressOf(router)]);
  assertEquals(user.last("done").totals.reused, 0);
  // What the first run has stored for nothing is gone.
  const links = stored.linkSenders.flatMap(({ chunks }) => chunks);
  assertEquals(
    router.store.usedBytes,
    [...stored.sender.chunks, ...links]
      .reduce((sum, { size }) => sum + size, 0),
  );
  const key = stored.sender.key as Uint8Array<ArrayBuffer>;
  assert(before !== key.toBase64({ alphabet: "base64url" }));
  await user.fetch(only(stored.recipients));
  await user.sameAs(path, "a.bin");
});

Deno.test("a state that does not match the content is forgotten, not used", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("a.bin", 9 * MIB);
  const stop = stopping(user, 1);
  await assertRejects(() => user.store([path], [addressOf(router)], stop));
  // As if the content had changed and nothing else of the file.
  const [file] = await states(user);
  assert(file);
  const text = await Deno.readTextFile(file);
  const key = /"key":"([^"]*)"/.exec(text)?.[1] ?? "";
  await Deno.writeTextFile(
    file,
    text.replace(/"digest":"[^"]*"/, `"digest":"${"A".repeat(43)}="`),
  );
  const stored = await user.store([path], [addressOf(router)]);
  const made = stored.sender.key as Uint8Array<ArrayBuffer>;
  assert(made.toBase64({ alphabet: "base64url" }) !== key);
  await user.fetch(only(stored.recipients));
  await user.sameAs(path, "a.bin");
});

Deno.test("a state that is damaged, old, or of others' reading does no harm", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("a.bin", 9 * MIB);
  const interrupt = async (): Promise<string> => {
    await assertRejects(() =>
      user.store([path], [addressOf(router)], stopping(user, 1))
    );
    const [file] = await states(user);
    assert(file);
    return file;
  };
  const file = await interrupt();
  await Deno.chmod(file, 0o644);
  const loose = await assertRejects(
    () => user.store([path], [addressOf(router)]),
    SftpxError,
    "looser than 0600",
  );
  assertEquals(loose.code, "config");
  await Deno.chmod(file, 0o600);
  await Deno.writeTextFile(file, "{}\n{\n");
  await user.store([path], [addressOf(router)]);
  assertEquals(user.last("done").totals.reused, 0);
  await interrupt();
  const later = systemClock.wallMs() + 25 * 3_600_000;
  await user.store([path], [addressOf(router)], {
    clock: { ...systemClock, wallMs: () => later },
  });
  assertEquals(user.last("done").totals.reused, 0);
  // The last line was cut off by a crash: what it said is done again.
  const cut = await interrupt();
  const bytes = await Deno.readFile(cut);
  await Deno.writeFile(cut, bytes.subarray(0, -3), { mode: 0o600 });
  const { recipients } = await user.store([path], [addressOf(router)]);
  await user.fetch(only(recipients));
  await user.sameAs(path, "a.bin");
});

Deno.test("an interrupted download goes on: what is there is known by its digest", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("a.bin", 20 * MIB);
  const { recipients } = await user.store([path], [addressOf(router)]);
  const stop = stopping(user, 8 * MIB);
  await assertRejects(
    () => user.fetch(only(recipients), stop),
    SftpxError,
    "the test says so",
  );
  const names = await Array.fromAsync(Deno.readDir(user.dir.join("uploads")));
  assertEquals(names.map(({ name }) => name), [".sftpx-partial"]);
  // And one chunk of it is damaged on the disk.
  const [session] = await Array.fromAsync(
    Deno.readDir(user.dir.join("uploads/.sftpx-partial")),
  );
  const part = user.dir.join(
    "uploads/.sftpx-partial",
    session?.name ?? "",
    "0.part",
  );
  const file = await Deno.open(part, { write: true });
  await file.write(new Uint8Array(100).fill(7));
  file.close();
  await user.fetch(only(recipients));
  await user.sameAs(path, "a.bin");
  const { reused, sent } = user.last("done").totals;
  assert(reused >= 4 * MIB && reused < 21 * MIB, String(reused));
  assertEquals(reused + sent, 21 * MIB);
  const left = await Array.fromAsync(Deno.readDir(user.dir.join("uploads")));
  assertEquals(left.map(({ name }) => name), ["a.bin"]);
});

Deno.test("killed while it tells the routers that all has arrived, it finds the chunks here again", async () => {
  await using user = await kitUser();
  const path = await user.file("a.bin", 2 * MIB);
  const router = await kitRouter();
  const { recipients } = await user.store([path], [addressOf(router)]);
  const stop = new AbortController();
  await assertRejects(
    () =>
      user.fetch(only(recipients), {
        signal: stop.signal,
        onEvent(event) {
          if (event.type === "done") stop.abort(STOPPED);
        },
      }),
    SftpxError,
    "the test says so",
  );
  await user.sameAs(path, "a.bin");
  await router[Symbol.asyncDispose](); // nobody can be asked for anything
  const { places } = await user.fetch(only(recipients), { clock: HASTY });
  assertEquals(places, []);
  assertEquals(user.last("done").totals.skipped, 1);
  assert(/could not be told/.test(user.last("warning").message));
  const left = await Array.fromAsync(Deno.readDir(user.dir.join("uploads")));
  assertEquals(left.map(({ name }) => name), ["a.bin"]);
});

Deno.test("what cannot be kept is not forgotten: the next run has the descriptions", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("a.bin", 5 * MIB);
  await assertRejects(
    () =>
      user.store([path], [addressOf(router)], {
        keep: () => Promise.reject(STOPPED),
      }),
    SftpxError,
    "the test says so",
  );
  let kept = 0;
  const { recipients } = await user.store([path], [addressOf(router)], {
    keep: ({ recipients }) => {
      kept = recipients.length;
      return Promise.resolve();
    },
  });
  assertEquals(kept, 1);
  const { sent, reused } = user.last("done").totals;
  assertEquals([sent, reused > 5 * MIB], [0, true]);
  await user.fetch(only(recipients));
  await user.sameAs(path, "a.bin");
});

Deno.test("a router that dies half-way is left out, and the others take the rest", async () => {
  await using one = await kitRouter();
  await using two = await kitRouter();
  await using three = await kitRouter();
  await using user = await kitUser();
  let isDead = false;
  // It dies in the middle of its second chunk, and so is missed.
  const line = tcpProxy(
    { hostname: "127.0.0.1", port: three.port },
    (bytes) => {
      if (isDead || bytes < 6 * MIB) return;
      isDead = true;
      void line.close();
    },
  );
  const path = await user.file("a.bin", 60 * MIB);
  const dying = { ...addressOf(three), port: line.port };
  const stored = await user.store(
    [path],
    [addressOf(one), addressOf(two), dying],
    { clock: HASTY },
  );
  assert(isDead);
  const { message } = user.last("warning");
  assert(message.includes(formatRouterAddress(dying)), message);
  assert(/is left out/.test(message));
  // It comes back, with what it had.
  const again = stored.recipients.map((description) => ({
    ...description,
    chunks: description.chunks.map((chunk) => ({
      ...chunk,
      replicas: chunk.replicas.map((replica) => ({
        ...replica,
        router: replica.router.port === line.port
          ? addressOf(three)
          : replica.router,
      })),
    })),
  }));
  await user.fetch(only(again));
  await user.sameAs(path, "a.bin");
});

Deno.test("a connection that breaks in every chunk is made again, and nothing is lost", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const line = tcpProxy({ hostname: "127.0.0.1", port: router.port });
  const address = { ...addressOf(router), port: line.port };
  const path = await user.file("a.bin", 20 * MIB);
  let cuts = 0;
  const stored = await user.store([path], [address], {
    clock: HASTY,
    onEvent(event) {
      user.events.push(event);
      if (event.type === "progress" && cuts++ < 5) line.cut();
    },
  });
  assert(cuts > 2);
  assertEquals(user.last("reconnecting").code, "connection-lost");
  await user.fetch(only(stored.recipients), {
    clock: HASTY,
    onEvent(event) {
      if (event.type === "progress" && cuts++ < 10) line.cut();
    },
  });
  await user.sameAs(path, "a.bin");
  await line.close();
});

Deno.test("what others have is fetched though one router is away, and the rest when it is back", async () => {
  await using one = await kitRouter();
  await using two = await kitRouter();
  await using user = await kitUser();
  const line = tcpProxy({ hostname: "127.0.0.1", port: two.port });
  const path = await user.file("a.bin", 20 * MIB);
  const routers = [addressOf(one), { ...addressOf(two), port: line.port }];
  const stored = await user.store([path], routers);
  await line.close();
  const error = await assertRejects(
    () => user.fetch(only(stored.recipients), { clock: HASTY }),
    SftpxError,
  );
  assertEquals(error.code, "unreachable");
  const there = lastProgress(user).bytes;
  assert(there > 0 && there < 21 * MIB);
  const back = stored.recipients.map((description) => ({
    ...description,
    chunks: description.chunks.map((chunk) => ({
      ...chunk,
      replicas: chunk.replicas.map((replica) => ({
        ...replica,
        router: replica.router.port === line.port
          ? addressOf(two)
          : replica.router,
      })),
    })),
  }));
  await user.fetch(only(back));
  await user.sameAs(path, "a.bin");
  const { reused } = user.last("done").totals;
  assert(reused >= there && reused < 21 * MIB, String(reused));
});

Deno.test("a router that nobody can reach is given up after as many attempts as were asked for", async () => {
  await using user = await kitUser();
  const path = await user.file("a", 1);
  const port = freePort();
  const nobody = addressOf({ keyHash: new Uint8Array(32), port });
  for (const attempts of [1, 2, 3]) {
    user.events.length = 0;
    const error = await assertRejects(
      () => user.store([path], [nobody], { attempts, clock: HASTY }),
      SftpxError,
    );
    assertEquals(error.code, "unreachable");
    const retries = user.events.filter(({ type }) => type === "reconnecting");
    assertEquals(retries.length, attempts ** 2 - 1); // dials within attempts
  }
  await assertRejects(
    () => user.store([path], [nobody], { attempts: 0 }),
    RangeError,
  );
});

Deno.test("a router that is not the one of its address hears nothing", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("a", 1);
  const other = { ...addressOf(router), keyHash: new Uint8Array(32).fill(1) };
  const error = await assertRejects(
    () => user.store([path], [other]),
    SftpxError,
    "it is not the one of the address",
  );
  assertEquals(error.code, "unauthorized");
  assertEquals(router.store.records.count, 0);
  const { sender, recipients } = await user.store([path], [addressOf(router)]);
  const elsewhere = <T extends typeof sender>(description: T): T => ({
    ...description,
    chunks: description.chunks.map((chunk) => ({
      ...chunk,
      replicas: chunk.replicas.map((replica) => ({
        ...replica,
        router: other,
      })),
    })),
  });
  await assertRejects(
    () => user.fetch(elsewhere(only(recipients))),
    SftpxError,
    "it is not the one of the address",
  );
  await assertRejects(
    () => removeFromRouters({ description: elsewhere(sender) }),
    SftpxError,
  );
});

/** Stops when so many bytes are there. */
function stopping(user: KitUser, bytes: number) {
  const stop = new AbortController();
  return {
    signal: stop.signal,
    onEvent(event: KitUser["events"][number]) {
      user.events.push(event);
      if (event.type === "progress" && event.bytes >= bytes) {
        stop.abort(STOPPED);
      }
    },
  };
}

function lastProgress(user: KitUser) {
  return user.last("progress");
}

async function states(user: KitUser): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(user.dir.join("resume")));
  return entries.filter(({ name }) => name.endsWith(".xftp"))
    .map(({ name }) => user.dir.join("resume", name));
}

async function modes(user: KitUser): Promise<number[]> {
  const files = await states(user);
  const stats = await Promise.all(files.map((file) => Deno.stat(file)));
  return stats.map(({ mode }) => (mode ?? 0) & 0o777);
}

async function keys(user: KitUser): Promise<string[]> {
  const texts = await Promise.all(
    (await states(user)).map((file) => Deno.readTextFile(file)),
  );
  return texts.map((text) => /"key":"([^"]*)"/.exec(text)?.[1] ?? "");
}
