/**
 * The operator's port: who may do what, and by which id.
 */
import { assert, assertEquals } from "@std/assert";
import { nullLog } from "../../core/log.ts";
import { systemClock } from "../../core/clock.ts";
import { createControlSession } from "../../xftp/router/control.ts";
import { openControlPort } from "../../xftp/router/control_port.ts";
import { type CoreKit, coreKit } from "./router_core_kit.ts";
import { get, kitRouter, makeChunk, put } from "./router_kit.ts";
import { FakeClock } from "../testutil/fake_clock.ts";

const names: string[] = [];
const log = {
  event: (name: string, fields?: Readonly<Record<string, unknown>>) =>
    void names.push(`${name} ${fields?.command}`),
  child: () => log,
};

function control(kit: CoreKit): (line: string) => Promise<string | undefined> {
  const session = createControlSession({
    store: kit.store,
    stats: kit.stats,
    log,
    // A wrong password costs a second of this one.
    clock: { ...systemClock, delay: () => Promise.resolve() },
    adminPassword: "admin-secret",
    userPassword: "user-secret",
    report: () => "the report",
  });
  return session.answer;
}

const base64 = (bytes: Uint8Array): string =>
  bytes.toBase64({ alphabet: "base64url" });

Deno.test("behaviour 14: an operator deletes and blocks by the id that recipients have", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  const [one, two] = [await makeChunk(client), await makeChunk(client)];
  await put(client, one);
  await put(client, two);
  const say = control(kit);
  assertEquals(await say("auth admin-secret"), "Current role is CPRAdmin");
  const sender = base64(one.senderId);
  assertEquals(await say(`delete ${sender}`), "error: AUTH");
  assertEquals(await say(`block ${sender} reason=spam`), "error: AUTH");
  assertEquals(await get(client, one), one.data);
  assertEquals(await say(`delete ${base64(one.recipientId)}`), "ok");
  assertEquals(await get(client, one), "ERR AUTH");
  const id = base64(two.recipientId).replaceAll("=", "");
  assertEquals(await say(`block ${id} reason=content`), "ok");
  assertEquals(await get(client, two), "ERR BLOCKED reason=content");
  assertEquals(await say(`block ${id} reason=spam`), "ok"); // another reason
  assertEquals(kit.store.usedBytes, 0);
  const { deleted, blocked } = kit.stats.snapshot();
  assertEquals([deleted, blocked], [1, 1]);
});

Deno.test("nothing is done for one who has not said a password, and a role is for the whole conversation", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  const chunk = await makeChunk(client);
  await put(client, chunk);
  const id = base64(chunk.recipientId);
  for (const wrong of ["", "wrong", "admin-secret ", "user-secre"]) {
    const say = control(kit);
    const trimmed = wrong.trim() === "admin-secret";
    assertEquals(
      await say(`auth ${wrong}`),
      `Current role is ${trimmed ? "CPRAdmin" : "CPRNone"}`,
    );
    if (trimmed) continue;
    assertEquals(await say(`delete ${id}`), "AUTH");
    assertEquals(await say(`block ${id} reason=spam`), "AUTH");
    assertEquals(await say("stats"), "AUTH");
  }
  const say = control(kit);
  assertEquals(await say("auth user-secret"), "Current role is CPRUser");
  assertEquals(
    await say("auth admin-secret"),
    "Current role is CPRUser, start new session to change.",
  );
  assertEquals(await say("stats"), "the report");
  assertEquals(await get(client, chunk), chunk.data);
  assertEquals(await say(`delete ${id}`), "ok");
});

Deno.test("lines that are no commands are told so, and passwords are not logged", async () => {
  await using kit = await coreKit();
  const say = control(kit);
  names.length = 0;
  assertEquals(await say(""), "");
  assertEquals(await say("auth user-secret"), "Current role is CPRUser");
  for (
    const line of [
      "delete",
      "delete ***",
      "delete a b",
      "block",
      "block AA==",
      "block AA== reason=mood",
      "shutdown",
      "DELETE AA==",
    ]
  ) assert((await say(line))?.startsWith("error: "), line);
  assertEquals((await say("stats-rts"))?.slice(0, 4), "rss=");
  assert((await say("help"))?.includes("block"));
  assertEquals(await say("quit"), undefined);
  assertEquals(names.length, 9); // not auth, help, quit, nor the empty line
  assert(!names.join().includes("secret"));
});

Deno.test("without passwords nobody has a role", async () => {
  await using kit = await coreKit();
  const session = createControlSession({
    store: kit.store,
    stats: kit.stats,
    log: nullLog,
    clock: { ...systemClock, delay: () => Promise.resolve() },
    report: () => "",
  });
  assertEquals(await session.answer("auth "), "Current role is CPRNone");
  assertEquals(
    await session.answer("auth undefined"),
    "Current role is CPRNone",
  );
});

Deno.test("the port speaks in lines, and only on this machine", async () => {
  await using router = await kitRouter({
    control: { port: 0, adminPassword: "admin-secret" },
  });
  const conn = await Deno.connect({
    hostname: "127.0.0.1",
    port: router.controlPort ?? 0,
  });
  const text = "auth admin-secret\r\nstats\nnonsense\n\nquit\n";
  await new Blob([text]).stream().pipeTo(conn.writable, { preventClose: true });
  const said = await new Response(conn.readable).text();
  const lines = said.split("\n");
  assertEquals(lines.slice(0, 3), [
    "SFTPX router control port",
    "'help' for supported commands",
    "Current role is CPRAdmin",
  ]);
  assert(said.includes("simplex_xftp_files_size 0"));
  assert(lines.at(-2)?.startsWith("error: unknown command"));
});

Deno.test("a line that does not end is not waited for, and one who says nothing is sent away", async () => {
  await using kit = await coreKit();
  const clock = new FakeClock();
  const port = openControlPort({
    port: 0,
    session: () => ({ banner: "hello\n", answer: control(kit) }),
    clock,
    log: nullLog,
  });
  const connect = () =>
    Deno.connect({ hostname: "127.0.0.1", port: port.port });
  const endless = await connect();
  await new Blob(["x".repeat(10_000)]).stream().pipeTo(endless.writable, {
    preventClose: true,
  });
  assertEquals(
    await new Response(endless.readable).text(),
    "hello\nerror: too long\n",
  );
  const silent = await connect();
  const heard = new Uint8Array(6);
  await silent.read(heard);
  await clock.advance(600_000);
  assertEquals(await silent.read(heard), null);
  silent.close();
  await port.close();
});
