import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import { formatRouterAddress } from "../../xftp/address.ts";
import { kitRun } from "./client_cli_kit.ts";
import { addressOf, type KitUser, kitUser, only } from "./client_kit.ts";
import { lyingRouter } from "./lying_router.ts";
import { kitRouter } from "./router_kit.ts";

Deno.test("skip: a file whose name another one has stays at the router, and is there for the next command", async () => {
  await using router = await lyingRouter();
  await using user = await kitUser();
  const path = await user.file("a.txt", 1000);
  await there(user, "a.txt", "other");
  const { recipients } = await user.store([path], [router.address]);
  const left = await user.fetch(only(recipients), { onConflict: "skip" });
  assertEquals(left.places, []);
  assertEquals(left.failed, 1);
  assertEquals(only(left.failures).path, "a.txt");
  assertMatch(only(left.failures).reason, /something of that name is there/);
  const { outcome, reason } = user.last("entry");
  assertEquals(outcome, "refused");
  assertEquals(reason, only(left.failures).reason);
  const { failed, skipped, bytes } = user.last("done").totals;
  assertEquals([failed, skipped, bytes], [1, 0, 0]);
  assert(!router.heard.includes("FACK"));
  assertEquals(await textOf(user, "a.txt"), "other");
  const got = await user.fetch(only(recipients), { onConflict: "rename" });
  assertEquals(got.places, ["a (1).txt"]);
  await user.sameAs(path, "a (1).txt");
  assert(router.heard.includes("FACK"));
  assertEquals(await names(user, ""), ["a (1).txt", "a.txt"]);
});

Deno.test("skip: of an archive the others arrive, and all of it stays at the router", async () => {
  await using router = await lyingRouter();
  await using user = await kitUser();
  const folder = await tree(user, ["a", "b", "c"]);
  await there(user, "d/b", "other");
  const { recipients } = await user.store([folder], [router.address]);
  const left = await user.fetch(only(recipients), { onConflict: "skip" });
  assertEquals([left.places, left.failed, left.bytes], [["d"], 1, 30]);
  assertEquals(only(left.failures).path, "d/b");
  assert(!router.heard.includes("FACK"));
  await user.sameAs(`${folder}/c`, "d/c");
  assertEquals(await textOf(user, "d/b"), "other");
  const got = await user.fetch(only(recipients), { onConflict: "overwrite" });
  assertEquals(got.failed, 0);
  await user.sameAs(`${folder}/b`, "d/b");
  assert(router.heard.includes("FACK"));
  assertEquals(await names(user, ""), ["d"]);
});

Deno.test("skip: what is the same counts as there, and is acknowledged", async () => {
  await using router = await lyingRouter();
  await using user = await kitUser();
  const folder = await tree(user, ["a", "b"]);
  await Deno.symlink("a", `${folder}/l`);
  await there(user, "d/b", await Deno.readTextFile(`${folder}/b`));
  await Deno.symlink("a", user.dir.join("uploads/d/l"));
  const { recipients } = await user.store([folder], [router.address]);
  const got = await user.fetch(only(recipients), { onConflict: "skip" });
  assertEquals([got.failed, got.failures], [0, []]);
  assertEquals(user.last("done").totals.skipped, 2);
  assert(router.heard.includes("FACK"));
});

Deno.test("skip and overwrite: what stands in the way of a link or as a folder leaves out that one", async () => {
  await using router = await lyingRouter();
  await using user = await kitUser();
  const folder = await tree(user, ["a", "s/x", "z"]);
  await Deno.symlink("a", `${folder}/l`);
  await there(user, "d/s", "a file");
  await Deno.mkdir(user.dir.join("uploads/d/l"));
  const { recipients } = await user.store([folder], [router.address]);
  for (const onConflict of ["skip", "overwrite"] as const) {
    const { failures } = await user.fetch(only(recipients), { onConflict });
    assertEquals(failures.map(({ path }) => path), ["d/l", "d/s", "d/s/x"]);
    await user.sameAs(`${folder}/z`, "d/z");
    assertEquals(await textOf(user, "d/s"), "a file");
  }
  assert(!router.heard.includes("FACK"));
});

Deno.test("fail: the first name that is taken ends it, and nothing is acknowledged", async () => {
  await using router = await lyingRouter();
  await using user = await kitUser();
  const folder = await tree(user, ["a", "b", "c"]);
  await there(user, "d/b", "other");
  const { recipients } = await user.store([folder], [router.address]);
  const error = await assertRejects(
    () => user.fetch(only(recipients), { onConflict: "fail" }),
    SftpxError,
    "something of that name is there already",
  );
  assertEquals(error.code, "local-io");
  assertEquals(await names(user, "d"), ["a", "b"]);
  assert(!router.heard.includes("FACK"));
  await Deno.remove(user.dir.join("uploads/d/b"));
  await user.fetch(only(recipients), { onConflict: "fail" });
  await user.sameAs(`${folder}/c`, "d/c");
});

Deno.test("recv --on-conflict skip ends with 8, names what is left, and keeps the description", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("a.txt", 10);
  await there(user, "a.txt", "other");
  const env = { SFTPX_ROUTER: formatRouterAddress(addressOf(router)) };
  await kitRun(user, ["xftp", "send", path], { env });
  const description = user.dir.join("a.txt.xftp/rcv1.xftp");
  const args = ["recv", description, "--yes"];
  const left = await kitRun(user, [...args, "--on-conflict", "skip"]);
  assertEquals([left.code, left.stdout], [8, ""], left.stderr);
  assertMatch(left.stderr, /^not received: "a\.txt": .* is there already$/m);
  assertMatch(left.stderr, /^sftpx: cannot receive "a\.txt": something of/m);
  assertMatch(left.stderr, /^hint: .*--on-conflict/m);
  const quiet = await kitRun(user, [...args, "-q", "--on-conflict", "skip"]);
  assertMatch(quiet.stderr, /not received: "a\.txt"/);
  const got = await kitRun(user, args);
  assertEquals(got.code, 0, got.stderr);
  await user.sameAs(path, "a (1).txt");
  await assertRejects(() => Deno.stat(description), Deno.errors.NotFound);
});

Deno.test("a link that is refused is left out and named, and what comes after it arrives", async () => {
  for (const links of ["inside", "none"] as const) {
    await using router = await lyingRouter();
    await using user = await kitUser();
    const folder = await tree(user, ["1", "z"]);
    await Deno.symlink("/etc/hostname", `${folder}/lnk`);
    const { recipients } = await user.store([folder], [router.address]);
    const left = await user.fetch(only(recipients), { links });
    assertEquals([left.places, left.failed, left.bytes], [["d"], 1, 30]);
    assertEquals(only(left.failures).path, "d/lnk");
    assertEquals(await names(user, "d"), ["1", "z"]);
    const told = user.events.filter((event) =>
      event.type === "entry" && event.outcome === "refused"
    );
    assertEquals(told, [{
      type: "entry",
      session: user.last("done").session,
      path: "d/lnk",
      kind: "link",
      outcome: "refused",
      bytes: 0,
      reason: only(left.failures).reason,
    }]);
    assertEquals(user.last("done").totals.failed, 1);
    assert(!router.heard.includes("FACK"));
    const got = await user.fetch(only(recipients), { links: "all" });
    assertEquals(got.failed, 0);
    const link = user.dir.join("uploads/d/lnk");
    assertEquals(await Deno.readLink(link), "/etc/hostname");
    assert(router.heard.includes("FACK"));
  }
});

Deno.test("hidden names at the top are left out with all below them, unless they are allowed", async () => {
  await using router = await lyingRouter();
  await using user = await kitUser();
  const folder = await tree(user, ["a"]);
  const hidden = user.dir.join(".h");
  await Deno.mkdir(hidden);
  await Deno.writeTextFile(`${hidden}/x`, "hidden");
  const { recipients } = await user.store([hidden, folder], [router.address]);
  const left = await user.fetch(only(recipients));
  assertEquals(left.failures.map(({ path }) => path), [".h", ".h/x"]);
  assertEquals(await names(user, "d"), ["a"]);
  assert(!(await names(user, "")).includes(".h"));
  assert(!router.heard.includes("FACK"));
  await user.fetch(only(recipients), { allowHidden: true });
  assertEquals(await textOf(user, ".h/x"), "hidden");
});

Deno.test("fail: a link that is refused takes no name, and does not end it", async () => {
  await using router = await lyingRouter();
  await using user = await kitUser();
  const folder = await tree(user, ["1", "z"]);
  await Deno.symlink("/etc/hostname", `${folder}/lnk`);
  const { recipients } = await user.store([folder], [router.address]);
  const left = await user.fetch(only(recipients), { onConflict: "fail" });
  assertEquals(only(left.failures).path, "d/lnk");
  await user.sameAs(`${folder}/z`, "d/z");
});

Deno.test("recv names a refused link on stderr and in events, and ends with 8", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const folder = await tree(user, ["1", "z"]);
  await Deno.symlink("/etc/hostname", `${folder}/lnk`);
  const env = { SFTPX_ROUTER: formatRouterAddress(addressOf(router)) };
  await kitRun(user, ["xftp", "send", folder], { env });
  const args = ["recv", user.dir.join("d.sftpx.tar.xftp/rcv1.xftp"), "-y"];
  const left = await kitRun(user, args);
  assertEquals(left.code, 8, left.stderr);
  assertEquals(left.stdout, `${user.dir.join("uploads/d")}\n`);
  assertMatch(
    left.stderr,
    /^not received: "d\/lnk": .* leads out of what was/m,
  );
  assertMatch(left.stderr, /^received .*1 failed$/m);
  assertMatch(
    left.stderr,
    /^sftpx: cannot receive everything: "d\/lnk": .*; the rest is there and verified$/m,
  );
  const told = await kitRun(user, [...args, "--json"]);
  const events = told.stdout.trimEnd().split("\n").map((line) =>
    JSON.parse(line)
  );
  const { reason } = events.find(({ outcome }) => outcome === "refused");
  assertMatch(reason, /leads out of what was sent, to "\/etc\/hostname"$/);
  assertEquals(events.at(-1), { type: "exit", code: 8 });
  const got = await kitRun(user, [...args, "--links", "all"]);
  assertEquals(got.code, 0, got.stderr);
});

Deno.test("events come in the usual order when all parts are there already, too", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("a.txt", 10);
  await there(user, "a.txt", "other");
  const { recipients } = await user.store([path], [addressOf(router)]);
  const usual = "connecting connected started progress entry done";
  for (const onConflict of ["skip", "skip", "rename"] as const) {
    user.events.length = 0;
    await user.fetch(only(recipients), { onConflict });
    assertEquals(user.events.map(({ type }) => type).join(" "), usual);
  }
  assert(user.last("connected").resumed);
  assertEquals(user.last("done").totals.sent, 0);
});

Deno.test("parts that are all there are put in place without a router, and no event comes after the last", async () => {
  await using user = await kitUser();
  const path = await user.file("a.txt", 10);
  await there(user, "a.txt", "other");
  const router = await kitRouter();
  const { recipients } = await user.store([path], [addressOf(router)]);
  await user.fetch(only(recipients), { onConflict: "skip" });
  await router[Symbol.asyncDispose]();
  user.events.length = 0;
  const { places } = await user.fetch(only(recipients), { attempts: 1 });
  assertEquals(places, ["a (1).txt"]);
  const types = user.events.map(({ type }) => type).join(" ");
  assertEquals(types, "connecting started progress entry done warning");
});

Deno.test("times and rates in events are whole numbers", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("a.bin", 100_000);
  const { recipients } = await user.store([path], [addressOf(router)]);
  await user.fetch(only(recipients));
  const numbers = user.events.flatMap((event) =>
    event.type === "done"
      ? event.ms
      : event.type === "progress"
      ? event.rate
      : []
  );
  assert(numbers.length >= 4);
  assertEquals(numbers, numbers.map(Math.round));
});

/** Makes a folder of files of 15 bytes each. */
async function tree(user: KitUser, files: readonly string[]): Promise<string> {
  for (const [at, file] of files.entries()) {
    const path = user.dir.join("d", file);
    await Deno.mkdir(path.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(path, `${at}`.repeat(15));
  }
  return user.dir.join("d");
}

/** Puts something into the upload folder before anything comes. */
async function there(
  user: KitUser,
  name: string,
  content: string,
): Promise<void> {
  const path = user.dir.join("uploads", name);
  await Deno.mkdir(path.replace(/\/[^/]*$/, ""), { recursive: true });
  await Deno.writeTextFile(path, content);
}

function textOf(user: KitUser, name: string): Promise<string> {
  return Deno.readTextFile(user.dir.join("uploads", name));
}

async function names(user: KitUser, folder: string): Promise<string[]> {
  const dir = user.dir.join("uploads", folder);
  const found = await Array.fromAsync(Deno.readDir(dir));
  return found.map(({ name }) => name).toSorted();
}
