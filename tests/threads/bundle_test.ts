/** One script of the whole program has threads, too. */
import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import config from "../../deno.json" with { type: "json" };
import { MIB, openEnds } from "../faults/kit.ts";

const THREADS = ["--carrier", "quic", "--threads", "2", "--verbose"];
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** What `deno task bundle` makes the script of. */
const PROGRAM = config.tasks.bundle.command.split(" ").at(-1) ?? "";

Deno.test("threads: a script that is all of the program sends and receives by them", async () => {
  await using ends = await openEnds({ "a.bin": 320 * MIB, "b": "small" }, {
    send: THREADS,
    recv: THREADS,
  });
  const entry = `${ends.dir}/sftpx.js`;
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["bundle", "--quiet", "--platform", "deno"],
      ...["--external", "@napi-rs/blake-hash", "-o", entry, PROGRAM],
    ],
    cwd: ROOT,
    stdin: "null",
    signal: AbortSignal.timeout(120_000),
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const receiver = await ends.recv({ entry });
  const sender = ends.send({ entry });
  await Promise.all([
    sender.waitStderr(/thread\.connected/, 60_000),
    receiver.waitStderr(/side-port\.open/, 60_000),
  ]);
  const { failed } = await ends.finish(sender, receiver);
  assertEquals(failed, 0);
  assertEquals(/thread\.none/.test(sender.stderr + receiver.stderr), false);
  await ends.check();
});
