import { assert, assertEquals, assertMatch } from "@std/assert";
import { formatRouterAddress } from "../../xftp/address.ts";
import { kitRun as run } from "./client_cli_kit.ts";
import { addressOf, kitUser } from "./client_kit.ts";
import { kitRouter } from "./router_kit.ts";

Deno.test("send --router and recv LINK: stdout is links and descriptions, and nothing else", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("a.txt", 1000);
  const address = formatRouterAddress(addressOf(router));
  const sent = await run(user, ["send", path, "--router", address]);
  assertEquals(sent.code, 0, sent.stderr);
  const [rcv, link, snd, ...more] = sent.stdout.trimEnd().split("\n");
  assertEquals(more, []);
  assertEquals(rcv, user.dir.join("a.txt.xftp/rcv1.xftp"));
  assertEquals(snd, user.dir.join("a.txt.xftp/snd.xftp.private"));
  assertMatch(link ?? "", /^https:\/\/127\.0\.0\.1:\d+\/#[\w=-]+$/);
  for (const file of [rcv, snd]) {
    assertEquals(((await Deno.stat(file ?? "")).mode ?? 0) & 0o777, 0o600);
  }
  assert(!sent.stderr.includes(link ?? ""));
  const got = await run(user, ["recv", link ?? ""]);
  assertEquals(got.code, 0, got.stderr);
  assertEquals(got.stdout, `${user.dir.join("uploads/a.txt")}\n`);
  await user.sameAs(path, "a.txt");
  const again = await run(user, ["recv", link ?? ""]);
  assertEquals(again.code, 5);
  assertMatch(again.stderr, /hint: it was fetched already, removed/);
  const removed = await run(user, ["xftp", "del", snd ?? ""]);
  assertEquals([removed.code, removed.stdout], [0, "removed 1 chunks\n"]);
  assertEquals(router.store.usedBytes, 0);
  const gone = await run(user, ["xftp", "del", snd ?? ""]);
  assertEquals(gone.code, 5);
});

Deno.test("a description that was used goes with --yes, by answer, or stays", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("a.txt", 10);
  const env = { SFTPX_ROUTER: formatRouterAddress(addressOf(router)) };
  const sent = await run(user, ["xftp", "send", "-n", "5", path], { env });
  assertEquals(sent.code, 0, sent.stderr);
  const file = (at: number): string =>
    user.dir.join(`a.txt.xftp/rcv${at}.xftp`);
  const isThere = async (at: number): Promise<boolean> =>
    await Deno.stat(file(at)).then(() => true, () => false);
  const quiet = await run(user, ["xftp", "recv", file(1)]);
  assertMatch(quiet.stderr, /is kept; --yes removes it/);
  await run(user, ["xftp", "recv", file(2), "-y"]);
  const asked = await run(user, ["xftp", "recv", file(3)], {
    terminal: true,
    stdin: "\n",
  });
  assertMatch(asked.stderr, /which was used\? \[Y\/n\]/);
  await run(user, ["xftp", "recv", file(4)], { terminal: true, stdin: "n\n" });
  await run(user, ["recv", file(5)], { terminal: true, stdin: "" });
  const left = await Promise.all([1, 2, 3, 4, 5].map(isThere));
  assertEquals(left, [true, false, false, true, true]);
});

Deno.test("with --json all of it is events, and a link can come from standard input", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("a.txt", 10);
  const env = { SFTPX_ROUTER: formatRouterAddress(addressOf(router)) };
  const sent = await run(user, ["xftp", "send", path, "--json"], { env });
  const events = sent.stdout.trimEnd().split("\n").map((line) =>
    JSON.parse(line)
  );
  assertEquals(sent.stderr, "");
  assertEquals(events.map(({ type }) => type), [
    "connecting",
    "connected",
    "started",
    "progress",
    "done",
    "description",
    "link",
    "description",
    "exit",
  ]);
  assertEquals(events.at(-1), { type: "exit", code: 0 });
  const { link } = events.find(({ type }) => type === "link");
  const info = await run(user, ["xftp", "info", link]);
  assertMatch(
    info.stdout,
    /^recipient's description of a file\n64\.0 KiB to fetch, in 1 chunks\n64\.0 KiB on xftp:/,
  );
  const got = await run(user, ["recv", "-", "--json"], { stdin: `${link}\n` });
  assertEquals(got.code, 0, got.stdout);
  const told = got.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(told.at(-2), {
    type: "file",
    path: user.dir.join("uploads/a.txt"),
  });
});

Deno.test("a name with escape codes never reaches a terminal raw", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("a.txt", 10);
  const name = "evil\x1b[2J\u202e.txt";
  const stored = await user.store([path], [addressOf(router)], {
    name,
    recipients: 2,
  });
  const [link = "", other = ""] = stored.links;
  for (const args of [["recv", link], ["recv", "-v", other]]) {
    const ran = await run(user, args, { terminal: true });
    assertEquals(ran.code, 0, ran.stderr);
    // deno-lint-ignore no-control-regex -- it is what is looked for
    assert(!/\x1b\[2J|\u202e/.test(ran.stdout + ran.stderr));
  }
  const got = await Deno.readDir(user.dir.join("uploads"));
  assertEquals((await Array.fromAsync(got)).map((one) => one.name), [name]);
});

Deno.test("a short link is shown as a QR code on a terminal", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("a.txt", 10);
  const address = formatRouterAddress(addressOf(router));
  const args = ["send", path, "--router", address];
  const shown = await run(user, args, { terminal: true });
  assertMatch(shown.stderr, /[▀▄█]{20}/u);
  const plain = await run(user, [...args, "--no-qr"], { terminal: true });
  assert(!/[▀▄█]/u.test(plain.stderr));
});

Deno.test("what cannot be done says why, in the exit code too", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("a.txt", 10);
  const address = formatRouterAddress(addressOf(router));
  const bad = user.dir.join("bad.xftp");
  await Deno.writeTextFile(bad, "hello");
  const stranger = address.replace(/\/\/[^@]*/, `//${"A".repeat(43)}=`);
  const runs: readonly (readonly [readonly string[], number, RegExp])[] = [
    [["xftp", "send", path], 2, /no router is given/],
    [["xftp", "send", path, "--router", "http://x"], 2, /router address/],
    [
      ["xftp", "send", path, "--router", address, "--attempts", "0"],
      2,
      /attempts/,
    ],
    [["xftp", "send", path, "--router", address, "-n", "251"], 2, /recipients/],
    [["xftp", "send", "-", "--router", address], 2, /standard input/],
    [
      ["xftp", "send", path, "--router", address, "--name", "a/b"],
      2,
      /not a path/,
    ],
    [["xftp", "send", `${path}.not`, "--router", address], 8, /not there/],
    [["xftp", "send", path, "--router", stranger], 5, /not the one/],
    [["xftp", "recv", bad], 6, /file description/],
    [["xftp", "recv", `${bad}.not`], 8, /not there/],
    [["recv", "http://x/#abc"], 2, /http/],
    [["recv", "something"], 2, /a link to stored files begins/],
    [["xftp", "del", bad], 6, /file description/],
  ];
  for (const [args, code, words] of runs) {
    const ran = await run(user, args);
    assertEquals(ran.code, code, `${args.join(" ")}: ${ran.stderr}`);
    assertMatch(ran.stderr, words);
    assertEquals(ran.stdout, "");
  }
});

Deno.test("a sender's description that others can read is refused, and what is there is not written over", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("a.b.txt", 10);
  const args = [
    "xftp",
    "send",
    path,
    "--router",
    formatRouterAddress(addressOf(router)),
  ];
  await run(user, args);
  const second = await run(user, args);
  const snd = user.dir.join("a_1.b.txt.xftp/snd.xftp.private");
  assertMatch(second.stdout, /a_1\.b\.txt\.xftp\/rcv1\.xftp/);
  await Deno.chmod(snd, 0o644);
  const refused = await run(user, ["xftp", "del", snd]);
  assertEquals(refused.code, 3);
  assertMatch(refused.stderr, /hint: chmod 600/);
});

Deno.test("a router's password in config.yaml is a secret", async () => {
  await using user = await kitUser();
  const path = await user.file("a.txt", 10);
  await Deno.mkdir(user.dir.join("config/sftpx"), { recursive: true });
  const file = user.dir.join("config/sftpx/config.yaml");
  await Deno.writeTextFile(
    file,
    `router: xftp://${"A".repeat(43)}=:secret@127.0.0.1:1\nattempts: 1\n`,
    { mode: 0o644 },
  );
  const loose = await run(user, ["xftp", "send", path]);
  assertEquals(loose.code, 3);
  assertMatch(loose.stderr, /looser than 0600/);
  await Deno.chmod(file, 0o600);
  const tried = await run(user, ["xftp", "send", path]);
  assertEquals(tried.code, 4);
  assert(!(loose.stderr + tried.stderr).includes("secret@"));
});
