import { assert } from "@std/assert";
import { memoryNetwork } from "../../transport/memory.ts";
import { NEVER, proxiedPair, quicPair, quicSides } from "./quic_pair.ts";
import { testTransportContract } from "./transport_contract.ts";

testTransportContract("memory", async () => {
  const network = memoryNetwork();
  const listener = network.listen("far:1");
  const [near, far] = await Promise.all([
    network.dialer("far:1").dial(NEVER),
    listener.accept(),
  ]);
  assert(far !== undefined);
  return {
    near,
    far,
    lose() {
      network.lose(near);
      return Promise.resolve();
    },
    stop() {
      listener.close();
      return Promise.resolve();
    },
  };
});

testTransportContract("quic", async ({ losable }) => {
  if (!losable) {
    const pair = await quicPair(quicSides());
    return { ...pair, lose: () => Promise.reject(new Error("not losable")) };
  }
  const short = { idleTimeoutMs: 1500, keepAliveMs: 300 };
  const pair = await proxiedPair(short, short);
  return { ...pair, lose: () => pair.proxy.set("both", { blackhole: true }) };
});
