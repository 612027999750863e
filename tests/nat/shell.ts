/**
 * Commands of the system, for the lab.
 *
 * @module
 */

/** Runs a command. */
export async function run(
  [command = "", ...args]: readonly string[],
  input = "",
): Promise<void> {
  const child = new Deno.Command(command, {
    args,
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { success, stderr } = await child.output();
  if (success) return;
  const said = new TextDecoder().decode(stderr).trim();
  throw new Error(`Cannot run "${command} ${args.join(" ")}": ${said}`);
}

/** Why there can be no lab here; `undefined` when there can. */
export async function missing(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "it is not Linux";
  if (Deno.uid() !== 0) return "it needs root";
  for (
    const tool of [
      ["ip", "netns", "list"],
      ["nft", "--version"],
      ["conntrack", "--version"],
    ]
  ) {
    try {
      await run(tool);
    } catch {
      return `"${tool.join(" ")}" does not work`;
    }
  }
  const name = `sxn${Deno.pid}try`;
  try {
    await run(["ip", "netns", "add", name]);
    await run([
      "ip",
      "netns",
      "exec",
      name,
      "nft",
      "add",
      "table",
      "inet",
      "x",
    ]);
    return undefined;
  } catch {
    return "it may not make namespaces with firewalls";
  } finally {
    await run(["ip", "netns", "del", name]).catch(() => {});
  }
}
