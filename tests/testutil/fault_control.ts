/**
 * A fault proxy in a process of its own, told what to do by lines of JSON.
 *
 * @module
 */
import type { FaultProxy, FaultProxyOptions } from "./fault_proxy.ts";

type Start = (options: FaultProxyOptions) => Promise<FaultProxy>;

/** Runs a proxy as this process: orders on stdin, answers on stdout, one JSON a line. */
export async function serveControl(
  args: readonly string[],
  start: Start,
): Promise<void> {
  const option = (name: string): string | undefined =>
    args[args.indexOf(name) + 1 || args.length];
  const [, hostname = "127.0.0.1", port = ""] =
    /^(.*):(\d+)$/.exec(option("--target") ?? "") ?? [];
  const proxy = await start({
    target: { hostname, port: Number(port) },
    seed: Number(option("--seed") ?? 1),
  });
  await answer({ hostname: proxy.hostname, port: proxy.port });
  const orders = Deno.stdin.readable
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(lines());
  for await (const line of orders) {
    await answer({ result: await obey(proxy, JSON.parse(line)) });
  }
  await proxy.close();
}

/** Starts `module` as a process of its own, and gives a proxy that tells it what to do. */
export async function controlled(
  module: URL,
  { target, seed = 1 }: FaultProxyOptions,
): Promise<FaultProxy> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "-A", module.href],
      ...["--target", `${target.hostname}:${target.port}`],
      ...["--seed", String(seed)],
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const orders = child.stdin.getWriter();
  const answers = child.stdout
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(lines())
    .getReader();
  // deno-lint-ignore no-explicit-any -- our own process says what it was asked for
  const next = async (): Promise<any> => {
    const { value } = await answers.read();
    if (value === undefined) throw new Error("The fault proxy ended");
    return JSON.parse(value);
  };
  const { hostname, port } = await next();
  let last: Promise<unknown> = Promise.resolve();
  // deno-lint-ignore no-explicit-any -- as above
  const tell = (...order: readonly unknown[]): Promise<any> => {
    const told = last.then(async () => {
      const line = `${JSON.stringify(order)}\n`;
      await orders.write(new TextEncoder().encode(line));
      return (await next()).result;
    });
    last = told.catch(() => {});
    return told;
  };
  return {
    hostname,
    port,
    set: (direction, faults) => tell("set", direction, faults),
    rebind: (hostname) => tell("rebind", hostname ?? null),
    moveHost: (hostname) => tell("rebind", hostname),
    inject: (direction, bytes, from) =>
      tell("inject", direction, bytes.toBase64(), from),
    replay: (direction, from) => tell("replay", direction, from),
    counters: () => tell("counters"),
    async close() {
      await orders.close();
      await child.status;
      await answers.cancel();
    },
  };
}

// deno-lint-ignore no-explicit-any -- the other half of `controlled`
function obey(proxy: FaultProxy, [name, ...rest]: any[]): Promise<unknown> {
  const [first, second, third] = rest;
  switch (name) {
    case "set":
      return proxy.set(first, second);
    case "rebind":
      return proxy.rebind(first ?? undefined);
    case "inject":
      return proxy.inject(first, Uint8Array.fromBase64(second), third);
    case "replay":
      return proxy.replay(first, second);
    case "counters":
      return proxy.counters();
    default:
      throw new RangeError(`Cannot obey "${name}": no such order`);
  }
}

async function answer(value: unknown): Promise<void> {
  const bytes = new TextEncoder().encode(`${JSON.stringify(value)}\n`);
  for (let at = 0; at < bytes.length;) {
    at += await Deno.stdout.write(bytes.subarray(at));
  }
}

/** Cuts text into lines. */
function lines(): TransformStream<string, string> {
  let rest = "";
  return new TransformStream({
    transform(text, controller) {
      const all = (rest + text).split("\n");
      rest = all.pop() ?? "";
      for (const line of all) controller.enqueue(line);
    },
  });
}
