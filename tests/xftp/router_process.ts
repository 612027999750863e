/**
 * A router as a process of its own, that a test can kill.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { freePort } from "../testutil/port.ts";
import { type Cli, startCli } from "../testutil/process.ts";
import { type TempDir, tempDir } from "../testutil/temp.ts";
import { parseRouterAddress, type RouterAddress } from "../../xftp/address.ts";
import { type RawH2, rawH2 } from "./raw_h2.ts";
import { greet, type KitClient, kitClient } from "./router_kit.ts";

/** A router that was made, and can be started again and again. */
export interface ProcessRouter extends AsyncDisposable {
  readonly dir: TempDir;
  readonly address: RouterAddress;
  readonly controlPort: number;
  /** Starts it, and waits until it listens. */
  start(): Promise<Cli>;
  /** A client of it, through its handshake. */
  client(): Promise<KitClient & { readonly h2: RawH2 }>;
  /** What it says on its control port. */
  control(line: string): Promise<string>;
}

/** Makes a router. @param quota As `--quota` has it. */
export async function processRouter(quota = "4G"): Promise<ProcessRouter> {
  const dir = await tempDir();
  const [port, controlPort] = [await freePort(), await freePort()];
  const place = ["--router-dir", "router"];
  const init = await run(
    [
      "init",
      ...place,
      "--quota",
      quota,
      "--host",
      "localhost",
      "--port",
      `${port}`,
    ],
    dir.path,
  );
  const address = parseRouterAddress(init.trim());
  const settings = dir.join("router", "file-server.ini");
  const text = await Deno.readTextFile(settings);
  await Deno.writeTextFile(
    settings,
    text.replace("bind: 0.0.0.0", "bind: 127.0.0.1")
      .replace(/# control_port: \d+/, `control_port: ${controlPort}`),
  );
  const [, password = ""] = /control_port_admin_password: (\S+)/.exec(text) ??
    [];
  const running: Cli[] = [];
  return {
    dir,
    address,
    controlPort,
    async start() {
      const cli = startCli(["router", "start", ...place, "--json"], {
        cwd: dir.path,
        deadlineMs: 240_000,
      });
      running.push(cli);
      await cli.waitEvent("router", { timeoutMs: 60_000 });
      return cli;
    },
    async client() {
      const h2 = await rawH2({ port });
      return { ...kitClient(h2, await greet(h2, address.keyHash)), h2 };
    },
    async control(line) {
      const conn = await Deno.connect({
        hostname: "127.0.0.1",
        port: controlPort,
      });
      const said = `auth ${password}\n${line}\nquit\n`;
      await new Blob([said]).stream().pipeTo(conn.writable, {
        preventClose: true,
      });
      return await new Response(conn.readable).text();
    },
    async [Symbol.asyncDispose]() {
      for (const cli of running) await cli[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** Runs `sftpx router` to its end; what it said on standard output. */
async function run(args: readonly string[], cwd: string): Promise<string> {
  await using cli = startCli(["router", ...args], { cwd });
  const { code } = await cli.status;
  assertEquals(code, 0, cli.stderr);
  return cli.stdout;
}
