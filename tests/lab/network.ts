/**
 * A client and a server in network namespaces of their own, and a router
 * between them: real links, addresses and a real NAT, which a test can change.
 *
 *     client -- link0 --\
 *                        router (NAT) -- server
 *     client -- link1 --/
 *
 * It needs Linux, root, `ip` and, for the NAT, `nft`.
 *
 * @module
 */

/** The server's address. */
export const SERVER = "10.77.9.2";

/** The network. Nothing of it is left after `close`. */
export interface Network extends AsyncDisposable {
  /** What a command must begin with to run at the client or the server. */
  readonly client: readonly string[];
  readonly server: readonly string[];
  /** Runs `ip` at the client. */
  ip(...args: readonly string[]): Promise<void>;
  /** Gives the client's flows other ports from now on, as a NAT does that has forgotten them. */
  rebind(): Promise<void>;
}

/** Why there can be no network here; `undefined` when there can. */
export async function missing(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "it is not Linux";
  if (Deno.uid() !== 0) return "it needs root";
  for (const tool of [["ip", "netns", "list"], ["nft", "--version"]]) {
    if (!await succeeds(tool)) return `"${tool.join(" ")}" does not work`;
  }
  const name = `sx${Deno.pid}try`;
  if (!await succeeds(["ip", "netns", "add", name])) {
    return "it may not make namespaces";
  }
  await succeeds(["ip", "netns", "del", name]);
  return undefined;
}

/** Makes the network. The client begins on link0, with address 10.77.0.1; link1 has none yet. */
export async function makeNetwork(): Promise<Network> {
  const names = ["c", "r", "s"].map((side) => `sx${Deno.pid}${side}`);
  const [client = "", router = "", server = ""] = names;
  const ip = (name: string, ...args: readonly string[]): Promise<void> =>
    run(["ip", "-n", name, ...args]);
  const wire = async (
    [a, from, fromAddress]: readonly [string, string, string],
    [b, to, toAddress]: readonly [string, string, string],
  ): Promise<void> => {
    const peer = ["peer", "name", to, "netns", b];
    await run(["ip", "link", "add", from, "netns", a, "type", "veth", ...peer]);
    await ip(a, "addr", "add", fromAddress, "dev", from);
    await ip(b, "addr", "add", toAddress, "dev", to);
    await ip(a, "link", "set", from, "up");
    await ip(b, "link", "set", to, "up");
  };
  const nat = async (masquerade: string): Promise<void> => {
    await run(
      ["ip", "netns", "exec", router, "nft", "-f", "-"],
      [
        "add table ip lab",
        "flush table ip lab",
        "delete table ip lab", // with it go what it knows of flows' ports
        "table ip lab {",
        "  chain post { type nat hook postrouting priority 100;",
        `    oifname "wan0" ip protocol udp masquerade ${masquerade}`,
        "  }",
        "}",
      ].join("\n"),
    );
  };
  const close = async (): Promise<void> => {
    for (const name of names) await succeeds(["ip", "netns", "del", name]);
  };
  try {
    for (const name of names) {
      await run(["ip", "netns", "add", name]);
      await ip(name, "link", "set", "lo", "up");
    }
    await wire([client, "link0", "10.77.0.1/24"], [
      router,
      "down0",
      "10.77.0.254/24",
    ]);
    await wire([client, "link1", "10.77.1.1/24"], [
      router,
      "down1",
      "10.77.1.254/24",
    ]);
    await wire([router, "wan0", "10.77.9.1/24"], [
      server,
      "eth0",
      `${SERVER}/24`,
    ]);
    await ip(client, "addr", "flush", "dev", "link1");
    await ip(client, "link", "set", "link1", "down");
    await ip(client, "route", "add", "default", "via", "10.77.0.254");
    await run([
      ...["ip", "netns", "exec", router],
      ...["sysctl", "-qw", "net.ipv4.ip_forward=1"],
    ]);
    await nat("");
  } catch (error) {
    await close();
    throw error;
  }
  let rebinds = 0;
  const inside = (name: string): string[] => ["ip", "netns", "exec", name];
  return {
    client: inside(client),
    server: inside(server),
    ip: (...args) => ip(client, ...args),
    async rebind() {
      const first = 20_000 + 1000 * rebinds++;
      await nat(`to :${first}-${first + 999} random`);
      await run([...inside(router), "conntrack", "-F"]);
    },
    [Symbol.asyncDispose]: close,
  };
}

async function run(
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

async function succeeds(
  [command = "", ...args]: readonly string[],
): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(command, {
      args,
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch {
    return false; // it is not there
  }
}
