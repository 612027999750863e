/** The Worker is found however the program is started, and a closed pool lets it end. */
import { fileURLToPath } from "node:url";
import { assertEquals } from "@std/assert";

const FIXTURE = new URL("fixtures/hashes_in_workers.ts", import.meta.url);
const SAID = "begins\nright true moved true\n";
const CONFIG = new URL("../../deno.json", import.meta.url);

async function deno(args: readonly (string | URL)[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: args.map((arg) => arg instanceof URL ? fileURLToPath(arg) : arg),
    stdin: "null",
    signal: AbortSignal.timeout(120_000),
  }).output();
  const text = new TextDecoder();
  assertEquals(code, 0, text.decode(stderr));
  return text.decode(stdout);
}

Deno.test("a program that hashed in Workers ends by itself once the pool is closed", async () => {
  const said = await deno(["run", "-A", "--config", CONFIG, FIXTURE]);
  assertEquals(said, SAID);
});

Deno.test("a bundle in one file, far from the source, hashes in Workers", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/bundle.js`;
    await deno([
      ...["bundle", "--quiet", "--config", CONFIG],
      ...["--external", "@napi-rs/blake-hash", "-o", file, FIXTURE],
    ]);
    // Said once: no Worker got as far as the program.
    assertEquals(await deno(["run", "-A", file]), SAID);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
