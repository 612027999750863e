/**
 * `sftpx router status`: what the router is and holds.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { ioError } from "../store/io_error.ts";
import { loadIdentity } from "../xftp/router/identity.ts";
import { readRouterSettings, routerPlaces } from "./router_files.ts";
import { addressOf, described } from "./router_start.ts";
import type { ROUTER_START } from "./router_tables.ts";
import type { Values } from "./settings.ts";
import type { Surroundings } from "./main.ts";

/** Says what the router is, whether it runs, and what it counts. */
export async function routerStatus(
  flags: Values<typeof ROUTER_START>,
  { io, output }: Surroundings,
): Promise<number> {
  const places = routerPlaces(flags.routerDir);
  const settings = await readRouterSettings(places);
  const identity = await loadIdentity(places.dir, io.date());
  const address = addressOf(settings, identity.keyHash);
  for (const line of described(settings)) output.note(line);
  output.note(
    `certificate until ${identity.notAfter.toISOString().slice(0, 10)}`,
  );
  const { controlPort, adminPassword, userPassword } = settings;
  const password = adminPassword ?? userPassword;
  let state = "unknown";
  if (controlPort === undefined || password === undefined) {
    output.note(
      "whether it runs is not known: control_port and a password of it are not set",
    );
  } else {
    const report = await askRunning(controlPort, password);
    state = report === undefined ? "stopped" : "running";
    output.note(report === undefined ? "it does not run" : "it runs");
    const lines = (report ?? "").split("\n").filter((line) =>
      line.startsWith("simplex_xftp_") && !line.includes("_info{")
    );
    for (const line of lines) {
      const [name = "", value = ""] = line.split(" ");
      output.note(`${name.replace("simplex_xftp_", "")} ${value}`);
    }
  }
  output.data(address, { type: "router", address, state });
  return 0;
}

/** What the router that runs counts; `undefined` when none does. */
async function askRunning(
  port: number,
  password: string,
): Promise<string | undefined> {
  let conn: Deno.TcpConn;
  try {
    conn = await Deno.connect({ hostname: "127.0.0.1", port });
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return undefined;
    throw ioError("ask router", error);
  }
  try {
    const text = `auth ${password}\nstats\nquit\n`;
    await new Blob([text]).stream().pipeTo(conn.writable, {
      preventClose: true,
    });
    const said = await new Response(conn.readable).text();
    if (!said.includes("Current role is CPR")) {
      throw new SftpxError(
        "config",
        `Cannot ask router: what listens on port ${port} is none`,
      );
    }
    return said;
  } finally {
    close(conn);
  }
}

/** Closes a connection, unless reading to its end has. */
function close(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
