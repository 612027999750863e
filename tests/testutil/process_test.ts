import { assert, assertEquals, assertRejects } from "@std/assert";
import { type CliOptions, startCli } from "./process.ts";
import { type TempDir, tempDir } from "./temp.ts";

/** A program that does as the lines of its script say. */
async function program(dir: TempDir, code: string): Promise<CliOptions> {
  const entry = dir.join("program.ts");
  await Deno.writeTextFile(entry, code);
  return { cwd: dir.path, entry };
}

Deno.test("startCli() gives events, stderr and the exit code", async () => {
  await using dir = await tempDir();
  const options = await program(
    dir,
    `console.log(JSON.stringify({ type: "a", n: 1 }));
     console.log(JSON.stringify({ type: "b", args: Deno.args, cwd: Deno.cwd() }));
     console.log(JSON.stringify({ type: "a", n: 2, env: Deno.env.get("SFTPX_X") }));
     console.error("some talk");
     Deno.exit(7);`,
  );
  await using cli = startCli(["x", "y z"], {
    ...options,
    env: { SFTPX_X: "1" },
  });
  const first = await cli.waitEvent("a");
  assertEquals(first, { type: "a", n: 1 });
  assertEquals(await cli.waitEvent((event) => event.n === 2), {
    type: "a",
    n: 2,
    env: "1",
  });
  assertEquals((await cli.waitEvent("a", { after: first })).n, 2);
  assertEquals((await cli.waitEvent("b")).args, ["x", "y z"]);
  assertEquals((await cli.waitEvent("b")).cwd, dir.path);
  assertEquals((await cli.waitStderr(/some (\w+)/))[1], "talk");
  assertEquals((await cli.status).code, 7);
  const types = (await Array.fromAsync(cli.events())).map(({ type }) => type);
  assertEquals(types, ["a", "b", "a"]);
  await assertRejects(() => cli.waitEvent("c"), Error, "some talk");
  assertEquals(cli.kill("SIGTERM"), false);
});

Deno.test("startCli() can kill what it started, and leaves nothing of it", async () => {
  await using dir = await tempDir();
  const options = await program(
    dir,
    `console.log('{"type":"up"}'); setInterval(() => {}, 1000);`,
  );
  let pid: number;
  {
    await using cli = startCli([], options);
    await cli.waitEvent("up");
    ({ pid } = cli);
    await assertRejects(
      () => cli.waitEvent("x", { timeoutMs: 20 }),
      Error,
      "x",
    );
  }
  const gone = () => Deno.kill(pid, "SIGCONT");
  await assertRejects(async () => await gone());
  await using cli = startCli([], options);
  await cli.waitEvent("up");
  assert(cli.kill("SIGKILL"));
  assertEquals((await cli.status).signal, "SIGKILL");
});

Deno.test("startCli() ends a program that outlives its deadline", async () => {
  await using dir = await tempDir();
  const options = await program(dir, `setInterval(() => {}, 1000);`);
  await using cli = startCli([], { ...options, deadlineMs: 50 });
  await assertRejects(() => cli.status, Error, "any longer");
});

Deno.test("startCli() gives stdin, and complains of a line that is no event", async () => {
  await using dir = await tempDir();
  const options = await program(
    dir,
    `console.log(await new Response(Deno.stdin.readable).text());`,
  );
  await using cli = startCli([], {
    ...options,
    stdin: '{"type":"echo"}\nno event',
  });
  await cli.waitEvent("echo");
  await cli.status;
  await assertRejects(() => Array.fromAsync(cli.events()), Error, "no event");
});
