import { assert, assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import { planChunks } from "../../xftp/chunk_plan.ts";
import { removeFromRouters } from "../../xftp/client_remove.ts";
import { formatDescription } from "../../xftp/description.ts";
import { parseDescription } from "../../xftp/description_parse.ts";
import { encodeFileHeader, payloadBytes } from "../../xftp/file_crypto.ts";
import { LONG_LINK, parseLink } from "../../xftp/link.ts";
import type { TransferEvent } from "../../core/events.ts";
import { tcpProxy } from "../testutil/tcp_proxy.ts";
import { addressOf, kitUser, only } from "./client_kit.ts";
import { kitRouter } from "./router_kit.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

Deno.test("a file of any size comes back as it was, across every boundary of the chunk plan", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const name = "f.bin";
  const around = payloadBytes(encodeFileHeader({ name }), 0);
  const payloads = [64 * KIB, 768 * KIB, MIB, 3 * MIB, 7 * MIB, 9 * MIB]
    .flatMap((payload) => [payload, payload + 1]);
  for (const size of [0, 1, ...payloads.map((payload) => payload - around)]) {
    const path = await user.file(name, size);
    const stored = await user.store([path], [addressOf(router)]);
    const description = only(stored.recipients);
    assertEquals(
      description.chunks.map((chunk) => chunk.size),
      planChunks(around + size),
    );
    const fetched = await user.fetch(description, { onConflict: "overwrite" });
    assertEquals([fetched.places, fetched.bytes], [[name], size]);
    await user.sameAs(path, name);
    for (const description of [stored.sender, ...stored.linkSenders]) {
      await removeFromRouters({ description });
    }
  }
  assertEquals(router.store.usedBytes, 0);
});

Deno.test("100 MiB go over three routers and come back, and every router has some", async () => {
  await using one = await kitRouter();
  await using two = await kitRouter();
  await using three = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("big.bin", 100 * MIB);
  const routers = [one, two, three];
  const stored = await user.store([path], routers.map(addressOf));
  const sent = user.last("done").totals;
  assertEquals([sent.bytes, sent.sent], [100 * MIB, 101 * MIB]);
  for (const { store } of routers) assert(store.usedBytes > 0);
  const before = user.events.length;
  await user.fetch(only(stored.recipients));
  await user.sameAs(path, "big.bin");
  const told = user.events.slice(before);
  const progress = told.flatMap((event) =>
    event.type === "progress" ? event.bytes : []
  );
  assert(progress.length > 1);
  assertEquals(progress, progress.toSorted((a, b) => a - b));
  assertEquals(progress.at(-1), 101 * MIB);
});

Deno.test("several connections to one router share the chunks, when that is asked for", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const line = tcpProxy({ hostname: "127.0.0.1", port: router.port });
  const address = { ...addressOf(router), port: line.port };
  const path = await user.file("a.bin", 30 * MIB);
  const most = { store: 0, fetch: 0 };
  const watch = (what: keyof typeof most) => ({
    connections: 3,
    onEvent(event: TransferEvent) {
      user.events.push(event);
      most[what] = Math.max(most[what], line.size);
    },
  });
  const stored = await user.store([path], [address], watch("store"));
  await user.fetch(only(stored.recipients), watch("fetch"));
  await user.sameAs(path, "a.bin");
  await line.close();
  assert(most.store >= 3 && most.fetch >= 3, JSON.stringify(most));
  assertEquals(user.last("done").totals.sent, 31 * MIB);
});

Deno.test("several recipients each have a description of their own, and what one does is not another's", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("a.bin", 100_000);
  const stored = await user.store([path], [addressOf(router)], {
    recipients: 3,
  });
  assertEquals(stored.recipients.length, 3);
  assertEquals(stored.links.length, 3);
  const ids = stored.recipients.flatMap(({ chunks }) =>
    chunks.flatMap(({ replicas }) => replicas.map(({ id }) => id.toHex()))
  );
  assertEquals(new Set(ids).size, 3 * 2);
  for (const description of stored.recipients) {
    await user.fetch(description, { onConflict: "overwrite" });
    await user.sameAs(path, "a.bin");
  }
  const [first] = stored.recipients;
  assert(first);
  await Deno.remove(user.dir.join("uploads", "a.bin"));
  await assertRejects( // acknowledged, so its id is gone
    () => user.fetch(first),
    SftpxError,
    "does not know it",
  );
});

Deno.test("a long link leads to a description on a router, a short one holds it", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const small = await user.store(
    [await user.file("small", 10)],
    [addressOf(router)],
  );
  const direct = await parseLink(only(small.links));
  assertEquals(direct.redirect, undefined);
  assertEquals(
    formatDescription(direct),
    formatDescription(only(small.recipients)),
  );
  const path = await user.file("large", 5 * MIB);
  const large = await user.store([path], [addressOf(router)]);
  const outer = await parseLink(only(large.links));
  assert(formatDescription(only(large.recipients)).length > LONG_LINK);
  assertEquals(
    outer.redirect?.size,
    formatDescription(only(large.recipients)).length,
  );
  await user.fetch(outer);
  await user.sameAs(path, "large");
  await removeFromRouters({ description: large.sender });
  await removeFromRouters({ description: only(large.linkSenders) });
  await removeFromRouters({ description: small.sender });
  assertEquals(router.store.usedBytes, 0);
});

Deno.test("a folder is stored as one archive and comes back as it was", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const at = user.dir.join;
  await Deno.mkdir(at("photos/deep/empty"), { recursive: true });
  await user.file("photos/a.jpg", 300_000);
  await user.file("photos/deep/nothing", 0);
  await user.file(`photos/deep/${"größe ".repeat(20)}.txt`, 100);
  await Deno.symlink("../a.jpg", at("photos/deep/link"));
  await Deno.chmod(at("photos/a.jpg"), 0o640);
  await Deno.utime(at("photos/a.jpg"), 1_600_000_000, 1_600_000_000);
  await user.file("alone.txt", 7);
  const stored = await user.store(
    [at("photos"), at("alone.txt")],
    [addressOf(router)],
    { name: "trip.sftpx.tar", exclude: ["*.tmp"] },
  );
  assertEquals(stored.name, "trip.sftpx.tar");
  const { places } = await user.fetch(only(stored.recipients));
  assertEquals(places, ["alone.txt", "photos"]);
  await user.sameAs(at("photos/a.jpg"), "photos/a.jpg");
  await user.sameAs(at("alone.txt"), "alone.txt");
  const up = (name: string): string => at("uploads", name);
  const { mode, mtime } = await Deno.stat(up("photos/a.jpg"));
  assertEquals((mode ?? 0) & 0o777, 0o640);
  assertEquals(mtime?.getTime(), 1_600_000_000_000);
  assertEquals(await Deno.readLink(up("photos/deep/link")), "../a.jpg");
  const names = (await Array.fromAsync(Deno.readDir(up("photos/deep"))))
    .map(({ name }) => name).toSorted();
  assertEquals(names, [
    "empty",
    `${"größe ".repeat(20)}.txt`,
    "link",
    "nothing",
  ]);
});

Deno.test("an archive can be kept as the one file that other programs see", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  await Deno.mkdir(user.dir.join("d"));
  await user.file("d/x", 1000);
  const { recipients } = await user.store(
    [user.dir.join("d")],
    [addressOf(router)],
    { recipients: 2 },
  );
  const [first, second] = recipients;
  assert(first && second);
  assertEquals((await user.fetch(first, { unpack: false })).places, [
    "d.sftpx.tar",
  ]);
  assertEquals((await user.fetch(second, { name: "mine.tar" })).places, [
    "mine.tar",
  ]);
  await user.sameAs(user.dir.join("uploads", "d.sftpx.tar"), "mine.tar");
});

Deno.test("a name that is taken is numbered, and what is there already is skipped", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("a.txt", 50);
  const { recipients } = await user.store([path], [addressOf(router)], {
    recipients: 4,
  });
  const [first, second, third, fourth] = recipients;
  assert(first && second && third && fourth);
  await Deno.mkdir(user.dir.join("uploads"));
  await Deno.writeTextFile(user.dir.join("uploads", "a.txt"), "mine");
  assertEquals((await user.fetch(first)).places, ["a (1).txt"]);
  assertEquals((await user.fetch(second)).places, []);
  assertEquals(user.last("entry").outcome, "skipped");
  await assertRejects(
    () => user.fetch(third, { onConflict: "fail" }),
    SftpxError,
    "there already",
  );
  const { places } = await user.fetch(fourth, { onConflict: "overwrite" });
  assertEquals(places, ["a.txt"]);
  await user.sameAs(path, "a.txt");
});

Deno.test("what was removed cannot be fetched, nor removed again", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const stored = await user.store(
    [await user.file("a", 200_000)],
    [addressOf(router)],
  );
  const { removed, gone } = await removeFromRouters({
    description: stored.sender,
  });
  assertEquals([removed, gone], [stored.sender.chunks.length, 0]);
  assertEquals(router.store.usedBytes, 0);
  const fetching = await assertRejects(
    () => user.fetch(only(stored.recipients)),
    SftpxError,
  );
  assertEquals(fetching.code, "unauthorized");
  const removing = await assertRejects(
    () => removeFromRouters({ description: stored.sender }),
    SftpxError,
    "no router knows it",
  );
  assertEquals(removing.code, "unauthorized");
});

Deno.test("each description is for one thing only", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const { sender, recipients } = await user.store(
    [await user.file("a", 1)],
    [addressOf(router)],
  );
  const usage = await assertRejects(() => user.fetch(sender), SftpxError);
  assertEquals(usage.code, "usage");
  await assertRejects(
    () => removeFromRouters({ description: only(recipients) }),
    SftpxError,
    "sender's is needed",
  );
  // The keys are another's too: who has one cannot do the other's part.
  const forged = { ...only(recipients), party: "sender" as const };
  await assertRejects(
    () => removeFromRouters({ description: forged }),
    SftpxError,
    "no router knows it",
  );
});

Deno.test("a description that went through its text works as before", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("a.bin", 800_000);
  const { recipients } = await user.store([path], [addressOf(router)]);
  const text = formatDescription(only(recipients));
  assert(!text.includes("secret"));
  await user.fetch(await parseDescription(text));
  await user.sameAs(path, "a.bin");
});

Deno.test("a router that wants a password gets it, and no description has it", async () => {
  await using router = await kitRouter({ policy: { password: "open-sesame" } });
  await using user = await kitUser();
  const path = await user.file("a", 10);
  const refused = await assertRejects(
    () => user.store([path], [addressOf(router)]),
    SftpxError,
  );
  assertEquals(refused.code, "unauthorized");
  const stored = await user.store([path], [
    { ...addressOf(router), password: "open-sesame" },
  ]);
  for (
    const text of [
      formatDescription(stored.sender),
      formatDescription(only(stored.recipients)),
      formatDescription(await parseLink(only(stored.links))),
      JSON.stringify(user.events),
    ]
  ) assert(!text.includes("sesame"));
  await user.fetch(only(stored.recipients));
});
