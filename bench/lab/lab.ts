/**
 * Two network namespaces and a link between them: a sender's machine, a
 * receiver's, and a path that is as long, narrow and lossy as one asks for.
 *
 * It needs Linux, root, `ip` and a C compiler. Nothing leaves the namespaces.
 *
 * @module
 */
import { ROOT } from "../bench_context.ts";

/** A path. */
export interface Link {
  readonly rttMs: number;
  /** Of packets, each way, in percent. */
  readonly loss: number;
  /** Megabits a second, each way, with the headers of IP. */
  readonly rateMbit: number;
}

/** What a link has seen of one kind of packet, one way. */
export interface Counts {
  readonly packets: number;
  readonly bytes: number;
  /** Packets that the queue had no room for. */
  readonly full: number;
  /** Packets that were lost at random. */
  readonly lost: number;
  /** Bytes that went through. */
  readonly passedBytes: number;
}

/** What a link has seen from sender to receiver. */
export interface Seen {
  readonly udp: Counts;
  readonly tcp: Counts;
}

/** The two machines. Nothing of them is left after it is disposed of. */
export interface Lab extends AsyncDisposable {
  /** What a command must begin with to run at the sender or the receiver. */
  readonly sender: readonly string[];
  readonly receiver: readonly string[];
  seen(): Promise<Seen>;
}

/** The receiver's address. */
export const RECEIVER = "10.77.8.2";
/** The sender's. */
export const SENDER = "10.77.8.1";

/** Of what a link carries, the share that TCP or QUIC can use for content: 1448 bytes of 1500. */
export const PAYLOAD: number = 1448 / 1500;

/** Why there can be no lab here; `undefined` when there can. */
export async function missing(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "it is not Linux";
  if (Deno.uid() !== 0) return "it needs root";
  for (const tool of [["ip", "netns", "list"], ["cc", "--version"]]) {
    if (!await succeeds(tool)) return `"${tool.join(" ")}" does not work`;
  }
  if (!await exists("/dev/net/tun")) return "there is no /dev/net/tun";
  const name = `sx${Deno.pid}try`;
  if (!await succeeds(["ip", "netns", "add", name])) {
    return "it may not make namespaces";
  }
  await succeeds(["ip", "netns", "del", name]);
  return undefined;
}

/** Builds the program that is the link, into `folder`. */
export async function buildLink(folder: string): Promise<string> {
  const program = `${folder}/link`;
  await must(
    ["cc", "-O2", "-pthread", "-o", program, `${ROOT}bench/lab/link.c`],
  );
  return program;
}

/** Sets two machines up. TCP between them goes by CUBIC, whatever the host prefers. */
export async function openLab(
  program: string,
  { rttMs, loss, rateMbit }: Link,
): Promise<Lab> {
  const from = `sx${Deno.pid}a`;
  const to = `sx${Deno.pid}b`;
  const inside = (name: string): string[] => ["ip", "netns", "exec", name];
  const removeAll = async (): Promise<void> => {
    for (const name of [from, to]) await succeeds(["ip", "netns", "del", name]);
  };
  let link: Deno.ChildProcess | undefined;
  try {
    for (const name of [from, to]) {
      await must(["ip", "netns", "add", name]);
      await must(["ip", "-n", name, "link", "set", "lo", "up"]);
      await useCubic(name);
    }
    link = new Deno.Command(program, {
      args: [from, to, `${rttMs / 2}`, `${loss}`, `${rateMbit}`],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const lines = link.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(byLine()).getReader();
    await lines.read(); // ready
    for (const [name, address] of [[from, SENDER], [to, RECEIVER]] as const) {
      const addr = ["addr", "add", `${address}/24`, "dev", "wan0"];
      await must(["ip", "-n", name, ...addr]);
      await must(["ip", "-n", name, "link", "set", "wan0", "up"]);
    }
    const asks = link.stdin.getWriter();
    const { status } = link;
    return {
      sender: inside(from),
      receiver: inside(to),
      async seen() {
        await asks.write(new TextEncoder().encode("seen\n"));
        const { value } = await lines.read();
        return JSON.parse(value ?? "").forth;
      },
      async [Symbol.asyncDispose]() {
        await asks.close();
        await lines.cancel();
        await status;
        await removeAll();
      },
    };
  } catch (error) {
    link?.kill();
    await link?.status;
    await removeAll();
    throw error;
  }
}

/** Has TCP of a namespace go by CUBIC, whatever the host prefers. */
export async function useCubic(name: string): Promise<void> {
  await allowCubic();
  const cubic = "net.ipv4.tcp_congestion_control=cubic";
  await must(["ip", "netns", "exec", name, "sysctl", "-qw", cubic]);
}

/** A namespace may use what the host allows only. */
async function allowCubic(): Promise<void> {
  const path = "/proc/sys/net/ipv4/tcp_allowed_congestion_control";
  const allowed = (await Deno.readTextFile(path)).trim();
  if (allowed.split(" ").includes("cubic")) return;
  await Deno.writeTextFile(path, `${allowed} cubic`);
}

function byLine(): TransformStream<string, string> {
  let rest = "";
  return new TransformStream({
    transform(text, controller) {
      const parts = (rest + text).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) controller.enqueue(part);
    },
  });
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}

/** Runs a command; throws what it says when it fails. */
export async function must(
  [command = "", ...args]: readonly string[],
): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, {
    args,
    stdin: "null",
  }).output();
  if (success) return;
  const said = new TextDecoder().decode(stderr).trim();
  throw new Error(`Cannot run "${command} ${args.join(" ")}": ${said}`);
}

/** Runs a command; tells whether it went well. */
export async function succeeds(
  [command = "", ...args]: readonly string[],
): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(command, {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch {
    return false; // it is not there
  }
}
