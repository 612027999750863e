import { proxiedTlsPair, tlsPair, tlsSides } from "./tls_pair.ts";
import { testTransportContract } from "./transport_contract.ts";

testTransportContract("tls", async ({ losable }) => {
  if (!losable) {
    const pair = await tlsPair(tlsSides());
    return { ...pair, lose: () => Promise.reject(new Error("not losable")) };
  }
  const short = { idleTimeoutMs: 1500, keepAliveMs: 300 };
  const pair = await proxiedTlsPair(short, short);
  return {
    ...pair,
    lose() {
      pair.proxy.freeze(true);
      return Promise.resolve();
    },
  };
});
