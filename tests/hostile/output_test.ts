/**
 * What a peer says reaches a terminal, a log or a program that reads `--json`
 * only with everything visible that could move a cursor, hide or reorder.
 */
import { assert, assertEquals } from "@std/assert";
import { secret } from "../../core/secret.ts";
import { formatTicket, parseTicket } from "../../protocol/ticket.ts";
import { parseAddress } from "../../protocol/address.ts";
import { freePort } from "../testutil/port.ts";
import { type Cli, startCli } from "../testutil/process.ts";
import { rawSender } from "../testutil/raw_peer.ts";
import { rawReceiver } from "../testutil/raw_receiver.ts";
import { tempDir } from "../testutil/temp.ts";
import { announce, folder, link, sendAll, textFile } from "./kit.ts";

/** All that must not come through: C0 but newline and tab, DEL, C1, and what reorders or hides. */
const RAW =
  // deno-lint-ignore no-control-regex
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/u;

const EVIL = [
  "\x1b[2Jesc",
  "\x9b31mcsi",
  "\x1b]52;c;eA==\x07osc",
  "\u202egpj.exe",
  "line\nfeed",
  "carriage\rreturn",
  "\u2066isolate\u2069",
  "zero\u200bwidth",
  "del\x7f",
  "c1\x85",
];
const ALL = EVIL.join(" ");

/** Makes sure that output has none of it, and that there is some. */
function assertClean(cli: Cli, isJson: boolean): void {
  for (const [name, text] of [["out", cli.stdout], ["err", cli.stderr]]) {
    const found = RAW.exec(text ?? "");
    assertEquals(
      found?.[0].charCodeAt(0).toString(16),
      undefined,
      `${name}: ${
        JSON.stringify(
          text?.slice(Math.max(0, (found?.index ?? 0) - 60)).slice(0, 120),
        )
      }`,
    );
  }
  if (!isJson) {
    const lines = `${cli.stdout}\n${cli.stderr}`.split("\n");
    assert(
      !lines.some((line) => line.trim() === "feed"),
      "a name broke a line",
    );
    return;
  }
  for (const line of cli.stdout.trim().split("\n")) JSON.parse(line);
}

for (const mode of ["text", "--json", "--log-format"] as const) {
  const flags = {
    "text": ["-v"],
    "--json": ["--json"],
    "--log-format": ["-v", "--log-format", "json"],
  }[mode];

  Deno.test(`S6 recv shows names, labels and reasons with nothing raw: ${mode}`, async () => {
    await using dir = await tempDir();
    const init = startCli(["init"], { cwd: dir.path });
    await init.status;
    const ticket = parseTicket(/sftpx:\/\/\S+/.exec(init.stdout)?.[0] ?? "");
    const port = freePort();
    await using recv = startCli(
      ["recv", "--bind", `127.0.0.1:${port}`, ...flags],
      { cwd: dir.path },
    );
    await waitUp(recv, mode);
    const who = {
      address: `127.0.0.1:${port}`,
      fingerprint: ticket.fingerprint,
      token: secret(new Uint8Array(ticket.token ?? [])),
    };
    {
      await using sender = await rawSender(who);
      await sender.enter({ label: ALL });
      await sendAll(sender, [
        ...EVIL.map((name) => textFile(name, "x")),
        ...EVIL.map((name) => textFile(`../${name}`, "x")),
        ...EVIL.map((name) => textFile(`.${name}`, "x")),
        ...EVIL.map((name) => folder(`d${name}`)),
        ...EVIL.map((name) => link(`l${name}`, `/${name}`)),
      ], "x");
      await sender.control.say({
        type: "cancel",
        code: "cancelled",
        reason: ALL,
      });
      await sender.ended();
    }
    {
      await using sender = await rawSender(who);
      await sender.enter();
      await sender.manifest(announce(0, textFile(`wrong${ALL}`, "x")));
      sender.conn.close("integrity", ALL);
    }
    recv.kill("SIGINT");
    await recv.status;
    assertClean(recv, mode === "--json");
  });

  Deno.test(`S6 send shows what a receiver says with nothing raw: ${mode}`, async () => {
    await using dir = await tempDir();
    await Deno.writeTextFile(dir.join("f"), "content");
    await using receiver = rawReceiver();
    const { fingerprint, address } = receiver;
    const token = new Uint8Array(32);
    const ticket = formatTicket({
      ...parseAddress(address, 0),
      fingerprint,
      token,
    });
    const run = (): Cli =>
      startCli(["send", "f", ticket, ...flags], { cwd: dir.path });
    {
      await using cli = run();
      const visit = await receiver.accept();
      await visit.control.say({
        type: "refuse",
        code: "unauthorized",
        reason: ALL,
      });
      assertEquals((await cli.status).code, 5);
      assertClean(cli, mode === "--json");
    }
    {
      await using cli = run();
      const visit = await receiver.accept();
      visit.conn.close("local-io", ALL);
      assertEquals((await cli.status).code, 8);
      assertClean(cli, mode === "--json");
    }
    {
      await using cli = run();
      const visit = await receiver.accept();
      await visit.enter();
      const end = await visit.said(({ type }) => type === "end");
      assert(end.type === "end");
      await visit.control.say({ type: "pause", code: "local-io", reason: ALL });
      await visit.status({
        type: "verdict",
        index: 0,
        gen: 0,
        verdict: { kind: "refused", code: "local-io", reason: ALL },
      });
      await visit.control.say({
        type: "cancel",
        code: "integrity",
        reason: ALL,
      });
      assertEquals((await cli.status).code, 7);
      assertClean(cli, mode === "--json");
    }
  });
}

async function waitUp(recv: Cli, mode: string): Promise<void> {
  if (mode === "--json") await recv.waitEvent("listening");
  else await recv.waitStderr(/listening/i);
}
