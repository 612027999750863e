/**
 * Files of ours that somebody else wrote to, read or put in another's place:
 * what is not as it should be is refused or begun anew, never believed.
 */
import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../../core/clock.ts";
import { parseAddress } from "../../protocol/address.ts";
import { faultProxy } from "../testutil/fault_proxy.ts";
import { freePort } from "../testutil/port.ts";
import { startCli } from "../testutil/process.ts";
import { tempDir } from "../testutil/temp.ts";
import { makeTree, sameTree } from "../testutil/tree.ts";
import { listTree, type Sandbox, sandbox } from "./kit.ts";

const TREE = { "big": 300_000, "small": "small", "d/e": 70_000 };
const CHUNK = 2 ** 16;

/** Sends the tree, always as the same sender. */
async function sendTree(
  box: Sandbox,
  more: Parameters<Sandbox["send"]>[1] = {},
): Promise<void> {
  await box.send("tree", {
    chunkSize: CHUNK,
    resumeDir: `${box.dir}/sender`,
    ...more,
  });
}

async function journals(box: Sandbox): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(box.resumeDir)) {
    if (name.endsWith(".bitmap")) names.push(name);
  }
  return names;
}

Deno.test("S29 a journal that somebody changed, cut, or wrote is never believed", async (t) => {
  await using box = await sandbox({ onConflict: "overwrite" });
  await makeTree(`${box.dir}/tree`, TREE);
  await sendTree(box);
  const [name = ""] = await journals(box);
  const file = `${box.resumeDir}/${name}`;
  const good = await Deno.readFile(file);
  const damages: Record<string, Uint8Array> = {
    "nothing": new Uint8Array(),
    "noise": crypto.getRandomValues(new Uint8Array(500)),
    "noise behind it": new Uint8Array([
      ...good,
      ...crypto.getRandomValues(new Uint8Array(200)),
    ]),
    "its first half": good.slice(0, good.length / 2),
    "twice": new Uint8Array([...good, ...good]),
  };
  for (let at = 3; at < good.length; at += Math.ceil(good.length / 12)) {
    const damaged = good.slice();
    damaged[at] = (damaged[at] ?? 0) ^ 0x41;
    damages[`a bit at ${at}`] = damaged;
  }
  for (const [what, bytes] of Object.entries(damages)) {
    await t.step(what, async () => {
      await Deno.writeFile(file, bytes, { mode: 0o600 });
      // What it says is there is not what is there.
      await Deno.writeTextFile(`${box.uploads}/tree/big`, "x".repeat(300_000));
      await sendTree(box);
      assertEquals(
        await sameTree(`${box.dir}/tree`, `${box.uploads}/tree`),
        [],
      );
    });
  }
});

Deno.test("S29 a journal of another session or upload folder is set aside", async () => {
  await using box = await sandbox();
  await makeTree(`${box.dir}/tree`, TREE);
  await Deno.writeTextFile(`${box.dir}/other`, "other");
  await sendTree(box);
  const [ours = ""] = await journals(box);
  await box.send("other", { resumeDir: `${box.dir}/sender` });
  const theirs = (await journals(box)).find((name) => name !== ours) ?? "";
  await Deno.copyFile(`${box.resumeDir}/${theirs}`, `${box.resumeDir}/${ours}`);
  await Deno.remove(`${box.uploads}/tree`, { recursive: true });
  await sendTree(box);
  assertEquals(await sameTree(`${box.dir}/tree`, `${box.uploads}/tree`), []);
  assert(
    box.events.some((event) =>
      event.type === "warning" && event.message.includes("set aside")
    ),
  );

  // The same journals over an upload folder that has nothing.
  await using next = await sandbox({ resumeDir: box.resumeDir });
  await next.send("tree", {
    paths: [`${box.dir}/tree`],
    resumeDir: `${box.dir}/sender`,
  });
  assertEquals(await sameTree(`${box.dir}/tree`, `${next.uploads}/tree`), []);
});

Deno.test("S30 a file that stands under another name is checked as itself", async () => {
  await using box = await sandbox();
  await makeTree(`${box.dir}/tree`, TREE);
  await Deno.mkdir(`${box.uploads}/tree`, { recursive: true });
  await Deno.writeTextFile(`${box.uploads}/tree/big`, "theirs");
  await sendTree(box);
  await sendTree(box, { b3sum: true });
  assertEquals(await Deno.readTextFile(`${box.uploads}/tree/big`), "theirs");
  const names = (await listTree(box.uploads)).map((line) => line.split(" ")[0]);
  assertEquals(names.filter((name) => name?.startsWith("tree/big")).length, 2);
});

Deno.test("S26 garbage, replayed and spoofed datagrams do not touch a transfer", async () => {
  await using box = await sandbox();
  await makeTree(`${box.dir}/tree`, { "big": 6_000_000 });
  const { hostname, port } = parseAddress(box.receiver.address, 0);
  const proxy = await faultProxy({ target: { hostname, port } });
  await proxy.set("both", { corrupt: 0.01, duplicate: 0.02 });
  const over = new AbortController();
  const harass = (async () => {
    for (let n = 0; !over.signal.aborted; n++) {
      for (const direction of ["up", "down"] as const) {
        for (const from of ["stranger", "peer"] as const) {
          await proxy.replay(direction, from);
          const noise = crypto.getRandomValues(new Uint8Array(20 + n % 1200));
          if (n % 2 === 0) noise[0] = 0x40 | (noise[0] ?? 0); // as QUIC has it
          await proxy.inject(direction, noise, from);
        }
      }
      await systemClock.delay(5);
    }
  })();
  let connected = 0;
  try {
    await sendTree(box, {
      address: `${proxy.hostname}:${proxy.port}`,
      limitRate: 8_000_000,
      onEvent: (event) => connected += event.type === "connected" ? 1 : 0,
    });
  } finally {
    over.abort();
    await harass;
    await proxy.close();
  }
  assertEquals(connected, 1, "it was not interrupted");
  assertEquals(await sameTree(`${box.dir}/tree`, `${box.uploads}/tree`), []);
});

Deno.test("S28 all that is secret or state is for its owner alone, and what is not is refused", async () => {
  await using dir = await tempDir();
  const cwd = dir.path;
  const init = startCli(["init"], { cwd });
  await init.status;
  const port = freePort();
  const bind = ["--bind", `127.0.0.1:${port}`];
  const xdg = { XDG_CONFIG_HOME: dir.join("xdg") };
  {
    const key = /\/#[\w-]+/.exec(init.stdout)?.[0] ?? "";
    await using recv = startCli(["recv", ...bind, "--once"], { cwd });
    await recv.waitStderr(/listening/);
    await Deno.writeTextFile(dir.join("f"), "x".repeat(3_000_000));
    await using send = startCli(
      [
        "send",
        "f",
        `sftpx://127.0.0.1:${port}${key}`,
        "--resume-dir",
        "sender",
      ],
      { cwd, env: xdg },
    );
    assertEquals((await send.status).code, 0);
    await recv.status;
    // The receiver shows its ticket, which is what it is there for.
    for (const text of [send.stdout, send.stderr]) {
      const token = (await Deno.readTextFile(dir.join("certs/token"))).trim();
      assert(!text.includes(token), "the token is in what was said");
    }
  }
  const open = (await listTree(cwd)).filter((line) =>
    /^(certs|sftpx_resume|sender|xdg\/sftpx)\b/.test(line)
  );
  assert(open.length > 6, open.join("\n"));
  for (const line of open) {
    const [name = "", mode] = line.split(" ");
    if (name === "xdg/" || name === "certs/cert.pem") continue; // no secret
    assertEquals(mode, name.endsWith("/") ? "700" : "600", name);
  }
  for (const name of ["certs/key.pem", "certs/token"]) {
    await Deno.chmod(dir.join(name), 0o644);
    await using cli = startCli(["recv", ...bind], { cwd });
    assertEquals((await cli.status).code, 3, cli.stderr);
    await Deno.chmod(dir.join(name), 0o600);
  }
  for (const name of ["xdg/sftpx/known_peers.yaml", "sender/sender.id"]) {
    await Deno.chmod(dir.join(name), 0o644);
    await using cli = startCli(
      ["send", "f", `127.0.0.1:${port}`, "--resume-dir", "sender"],
      { cwd, env: xdg },
    );
    assertEquals((await cli.status).code, 3, `${name}: ${cli.stderr}`);
    await Deno.chmod(dir.join(name), 0o600);
  }
});

Deno.test("S22 what is malformed opens nothing", async (t) => {
  await using dir = await tempDir();
  const cwd = dir.path;
  await startCli(["init"], { cwd }).status;
  const bind = ["--bind", `127.0.0.1:${freePort()}`];
  const config = dir.join("xdg/sftpx/config.yaml");
  await Deno.mkdir(dir.join("xdg/sftpx"), { recursive: true, mode: 0o700 });
  const env = { XDG_CONFIG_HOME: dir.join("xdg") };
  const cases: readonly [string, string][] = [
    ["certs/token", ""],
    ["certs/token", "\n"],
    ["certs/token", "short"],
    ["certs/token", "!".repeat(43)],
    ["certs/token", "A".repeat(5000)],
    [
      "certs/cert.pem",
      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ],
    ["certs/key.pem", ""],
    ["xdg/sftpx/config.yaml", "open: [yes"],
    ["xdg/sftpx/config.yaml", "opne: true\n"],
    ["xdg/sftpx/config.yaml", "max-size: lots\n"],
    ["xdg/sftpx/config.yaml", "links: everywhere\n"],
  ];
  for (const [name, text] of cases) {
    await t.step(
      `${name} holds ${JSON.stringify(text).slice(0, 40)}`,
      async () => {
        const path = dir.join(name);
        const before = await Deno.readFile(path).catch(() => undefined);
        await Deno.writeTextFile(path, text, { mode: 0o600 });
        await using cli = startCli(["recv", ...bind], { cwd, env });
        const { code } = await cli.status;
        assert(code === 2 || code === 3, `${code}: ${cli.stderr}`);
        assert(!/listening/.test(cli.stderr));
        if (before === undefined) await Deno.remove(path);
        else await Deno.writeFile(path, before);
      },
    );
  }
  await t.step("known peers that cannot be read", async () => {
    const path = dir.join("xdg/sftpx/known_peers.yaml");
    await Deno.writeTextFile(dir.join("f"), "x");
    for (const text of ["{", "- 1\n", "a: b\n", "127.0.0.1:9: {}\n"]) {
      await Deno.writeTextFile(path, text, { mode: 0o600 });
      await using cli = startCli(["send", "f", "127.0.0.1:9"], { cwd, env });
      const { code } = await cli.status;
      assert(code === 2 || code === 3, `${code}: ${text} ${cli.stderr}`);
    }
  });
  assertEquals(await Deno.stat(config).catch(() => undefined), undefined);
});
