/**
 * `sftpx router`, as an operator runs it.
 */
import { assert, assertEquals } from "@std/assert";
import { run } from "../cli/harness.ts";
import { startCli } from "../testutil/process.ts";
import { tempDir } from "../testutil/temp.ts";
import { rawH2 } from "./raw_h2.ts";
import { greet, kitClient, makeChunk, namesIn, put } from "./router_kit.ts";
import { processRouter } from "./router_process.ts";
import { parseRouterAddress } from "../../xftp/address.ts";

Deno.test("a router is made once, and must have a quota", async () => {
  await using dir = await tempDir();
  const place = ["--router-dir", dir.join("r")];
  const without = await run(["router", "init", ...place]);
  assertEquals(without.code, 2);
  assert(without.stderr.includes("it must have a quota"));
  const made = await run([
    "router",
    "init",
    ...place,
    "--quota",
    "1G",
    "--host",
    "router.example",
    "--host",
    "2001:db8::1",
    "--with-password",
  ]);
  assertEquals(made.code, 0, made.stderr);
  const address = parseRouterAddress(made.stdout.trim());
  assertEquals(address.hosts, ["router.example", "2001:db8::1"]);
  assertEquals(address.port, 443);
  assertEquals(address.password?.length, 32);
  for (const name of await namesIn(dir.join("r"))) {
    const { mode } = await Deno.stat(dir.join("r", name));
    assertEquals((mode ?? 0) & 0o777, 0o600, name);
  }
  const again = await run(["router", "init", ...place, "--quota", "1G"]);
  assertEquals(again.code, 3);
  assert(again.stderr.includes("is there already"));
  const bad = await run([
    "router",
    "init",
    "--router-dir",
    dir.join("s"),
    "--quota",
    "1G",
    "--host",
    "no host",
  ]);
  assertEquals(bad.code, 2);
  assertEquals(
    (await run(["router", "start", "--router-dir", "/nowhere"])).code,
    3,
  );
});

Deno.test("a router is started, asked, stopped in order and deleted with what it made only", async () => {
  await using router = await processRouter();
  const place = ["--router-dir", router.dir.join("router")];
  const cli = await router.start();
  const { client, h2 } = await connect(router);
  const chunk = await makeChunk(client);
  assertEquals(await put(client, chunk), "OK");
  const running = await program(["status", ...place, "--json"]);
  assertEquals(running.code, 0, running.stderr);
  assert(running.stdout.includes('"state":"running"'));
  const told = await program(["status", ...place]);
  assert(told.stderr.includes("files_size 65536"), told.stderr);
  const locked = await program(["delete", ...place, "--yes"]);
  assertEquals(locked.code, 3);
  h2.close();
  cli.kill("SIGTERM");
  assertEquals((await cli.status).code, 0);

  const renewed = await program(["cert", ...place, "--host", "b.example"]);
  assertEquals(renewed.code, 0, renewed.stderr);
  const stopped = await program(["status", ...place, "--json"]);
  assert(stopped.stdout.includes('"state":"stopped"'));
  const other = router.dir.join("router", "files", "notes.txt");
  await Deno.writeTextFile(other, "not the router's");
  assertEquals((await program(["delete", ...place])).code, 2);
  const deleted = await program(["delete", ...place, "--yes"]);
  assertEquals(deleted.code, 0, deleted.stderr);
  assert(deleted.stdout.startsWith("removed 1 chunks and "));
  assertEquals(await namesIn(router.dir.join("router")), ["files"]);
  assertEquals(await namesIn(router.dir.join("router", "files")), [
    "notes.txt",
  ]);
});

/** Runs `sftpx router` in a process of its own: its clock is the machine's. */
async function program(
  args: readonly string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  await using cli = startCli(["router", ...args], { cwd: "/" });
  const { code } = await cli.status;
  return { code, stdout: cli.stdout, stderr: cli.stderr };
}

async function connect(
  router: Awaited<ReturnType<typeof processRouter>>,
): Promise<
  {
    client: ReturnType<typeof kitClient>;
    h2: Awaited<ReturnType<typeof rawH2>>;
  }
> {
  const h2 = await rawH2({ port: router.address.port });
  return {
    h2,
    client: kitClient(h2, await greet(h2, router.address.keyHash)),
  };
}

Deno.test("a router that is interrupted by a person ends in order, with 130", async () => {
  await using router = await processRouter();
  const cli = await router.start();
  cli.kill("SIGINT");
  assertEquals((await cli.status).code, 130);
  assert(
    (await namesIn(router.dir.join("router"))).includes(
      "file-server-stats.log",
    ),
  );
  await using second = startCli(["router", "status"], { cwd: router.dir.path });
  assertEquals((await second.status).code, 0);
});
