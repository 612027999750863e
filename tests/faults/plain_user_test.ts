import { assert, assertEquals } from "@std/assert";

const FIXTURE = new URL("fixtures/plain_user.ts", import.meta.url).href;
/** Makes the user `root` one whom modes hold back. */
const HELD_BACK = [
  "setpriv",
  ...["--bounding-set", "-dac_override,-dac_read_search,-fowner"],
];

/** How to run something as somebody whom modes hold back; `undefined` where there is no way. */
async function asPlainUser(): Promise<readonly string[] | undefined> {
  if (Deno.build.os === "windows") return undefined;
  if (Deno.uid() !== 0) return [];
  const [command = "", ...args] = HELD_BACK;
  const { success } = await new Deno.Command(command, {
    args: [...args, "true"],
    stdin: "null",
    stderr: "null",
  }).output().catch(() => ({ success: false }));
  return success ? HELD_BACK : undefined;
}

const prefix = await asPlainUser();

Deno.test({
  name:
    "read-only files and folders arrive, and are replaced, though modes hold us back",
  ignore: prefix === undefined,
  async fn() {
    const [command = "", ...args] = [
      ...prefix ?? [],
      ...[Deno.execPath(), "run", "-A", "--no-check", FIXTURE],
    ];
    const { code, stdout, stderr } = await new Deno.Command(command, {
      args,
      stdin: "null",
    }).output();
    const text = new TextDecoder();
    assertEquals(code, 0, text.decode(stderr));
    const told: unknown = JSON.parse(text.decode(stdout));
    assert(Array.isArray(told));
    const fine = { failures: [], differences: [] };
    assertEquals(told.slice(0, 2), [fine, fine]);
    assertEquals(told[2].failures, [], told[2].error);
    assertEquals(told[3], ["objects", "unreadable", "unreadable (1)"]);
  },
});
