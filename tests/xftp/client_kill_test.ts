import { assert, assertEquals } from "@std/assert";
import { formatRouterAddress } from "../../xftp/address.ts";
import { startCli } from "../testutil/process.ts";
import { tcpProxy } from "../testutil/tcp_proxy.ts";
import { addressOf, kitUser } from "./client_kit.ts";
import { kitRouter } from "./router_kit.ts";

const MIB = 1024 * 1024;

Deno.test("killed while it stores, and killed while it fetches: the same command goes on", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const line = tcpProxy({ hostname: "127.0.0.1", port: router.port });
  const path = await user.file("a.bin", 30 * MIB);
  const address = formatRouterAddress({
    ...addressOf(router),
    port: line.port,
  });
  const storing = ["xftp", "send", path, "--router", address, "--json"];
  let fetching: string[] = [];
  for (const what of ["store", "fetch"] as const) {
    const args = what === "store" ? storing : fetching;
    const first = startCli(args, { cwd: user.dir.path });
    await first.waitEvent((event) =>
      event.type === "progress" && Number(event.bytes) >= 8 * MIB
    );
    line.freeze(true); // or it might be done before it is killed
    assert(first.kill("SIGKILL"));
    await first.status;
    line.cut();
    line.freeze(false);
    const second = startCli(args, { cwd: user.dir.path });
    const { code } = await second.status;
    assertEquals(code, 0, second.stderr);
    const done = await second.waitEvent("done");
    const { reused, sent } = done.totals as Record<string, number>;
    assert(Number(reused) >= 8 * MIB, `${reused} of ${sent}`);
    assertEquals(Number(reused) + Number(sent), 31 * MIB);
    if (what === "store") {
      const { link } = await second.waitEvent("link");
      fetching = ["recv", String(link), "--json"];
    }
  }
  await user.sameAs(path, "a.bin");
  await line.close();
  const left = await Array.fromAsync(Deno.readDir(user.dir.join("uploads")));
  assertEquals(left.map(({ name }) => name), ["a.bin"]);
});
