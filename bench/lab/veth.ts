/**
 * Two network namespaces and a plain pair of virtual interfaces between them:
 * what a cable is between two machines, as fast as the kernel copies.
 *
 * @module
 */
import type { Machines } from "../transfer.ts";
import { must, RECEIVER, SENDER, succeeds, useCubic } from "./lab.ts";

/** The two machines. Nothing of them is left after it is disposed of. */
export interface Veth extends AsyncDisposable {
  readonly at: Machines;
}

/** Sets two machines up. TCP between them goes by CUBIC, as in the lab. */
export async function openVeth(): Promise<Veth> {
  const from = `sx${Deno.pid}c`;
  const to = `sx${Deno.pid}d`;
  const removeAll = async (): Promise<void> => {
    for (const name of [from, to]) await succeeds(["ip", "netns", "del", name]);
  };
  try {
    for (const name of [from, to]) {
      await must(["ip", "netns", "add", name]);
      await must(["ip", "-n", name, "link", "set", "lo", "up"]);
      await useCubic(name);
    }
    const peer = ["peer", "name", "lan0", "netns", to];
    await must(
      ["ip", "link", "add", "lan0", "netns", from, "type", "veth", ...peer],
    );
    for (const [name, address] of [[from, SENDER], [to, RECEIVER]] as const) {
      const addr = ["addr", "add", `${address}/24`, "dev", "lan0"];
      await must(["ip", "-n", name, ...addr]);
      await must(["ip", "-n", name, "link", "set", "lan0", "up"]);
    }
    const inside = (name: string): string[] => ["ip", "netns", "exec", name];
    return {
      at: { sender: inside(from), receiver: inside(to), host: RECEIVER },
      [Symbol.asyncDispose]: removeAll,
    };
  } catch (error) {
    await removeAll();
    throw error;
  }
}
