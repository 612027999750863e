/**
 * `sftpx router init` and `sftpx router cert`: what a router is known by.
 *
 * @module
 */
import { toBase64Url } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";
import { systemRandomBytes } from "../crypto/random.ts";
import { fileIn } from "../store/own_path.ts";
import { quoted } from "../store/paths.ts";
import { writeSecret } from "../store/secrets.ts";
import { formatRouterAddress, parseRouterAddress } from "../xftp/address.ts";
import {
  createIdentity,
  loadIdentity,
  renewLeaf,
} from "../xftp/router/identity.ts";
import { formatSettings } from "../xftp/router/settings_text.ts";
import { hinted } from "./hint.ts";
import { readIfThere } from "./own_files.ts";
import { readRouterSettings, routerPlaces } from "./router_files.ts";
import type { ROUTER_CERT, ROUTER_INIT } from "./router_tables.ts";
import type { Values } from "./settings.ts";
import type { Surroundings } from "./main.ts";

/** Makes identity and configuration, and says the address. */
export async function routerInit(
  flags: Values<typeof ROUTER_INIT>,
  { io, output }: Surroundings,
): Promise<number> {
  const places = routerPlaces(flags.routerDir);
  if (flags.quota === undefined || flags.quota < 65_536) {
    throw hinted(
      new SftpxError("usage", "Cannot make router: it must have a quota"),
      "--quota 50G is the most that it will store",
    );
  }
  if (await readIfThere(places.settings) !== undefined) {
    throw hinted(
      new SftpxError(
        "config",
        `Cannot make router: ${quoted(places.settings)} is there already`,
      ),
      "sftpx router status says what it is",
    );
  }
  const hosts = checkedHosts(flags.host ?? ["127.0.0.1"]);
  const keyHash = await createIdentity(places.dir, { hosts, now: io.date() });
  const createPassword = flags.withPassword === true ? secret() : undefined;
  const port = flags.port ?? 443;
  await writeSecret(
    places.settings,
    formatSettings({
      hosts,
      port,
      filesDir: flags.files ?? fileIn(places.dir, "files"),
      quotaBytes: flags.quota,
      ...(createPassword === undefined ? {} : { createPassword }),
      adminPassword: secret(),
      userPassword: secret(),
    }),
  );
  const address = formatRouterAddress({
    keyHash,
    hosts,
    port,
    ...(createPassword === undefined ? {} : { password: createPassword }),
  }, { password: true });
  output.note(`made identity and configuration in ${quoted(places.dir)}`);
  output.note(
    "ca.key is needed for a new certificate only: keep it on another machine",
  );
  if (createPassword !== undefined) {
    output.note(
      "the address holds the password: it is for those who may store",
    );
  }
  output.note("the router's address, for sftpx send PATH... --router ADDRESS:");
  output.data(address, { type: "router", address });
  return 0;
}

/** Makes another certificate of TLS. */
export async function routerCert(
  flags: Values<typeof ROUTER_CERT>,
  { io, output }: Surroundings,
): Promise<number> {
  const places = routerPlaces(flags.routerDir);
  const settings = await readRouterSettings(places);
  const hosts = checkedHosts(flags.host ?? settings.hosts);
  await renewLeaf(places.dir, { hosts, now: io.date() });
  const { notAfter } = await loadIdentity(places.dir, io.date());
  const until = notAfter.toISOString().slice(0, 10);
  output.note("made another certificate: start the router anew to use it");
  output.data(`valid until ${until}`, { type: "certificate", until });
  return 0;
}

/** Names that can stand in an address. */
function checkedHosts(
  hosts: readonly string[],
): readonly [string, ...string[]] {
  const names = hosts.map((host) => host.includes(":") ? `[${host}]` : host);
  const made = `xftp://${"A".repeat(43)}@${names.join(",")}:1`;
  try {
    return parseRouterAddress(made, "names of router").hosts;
  } catch (error) {
    throw error instanceof SftpxError
      ? hinted(error, "--host router.example.org, or an IP address")
      : error;
  }
}

function secret(): string {
  return toBase64Url(systemRandomBytes(24));
}
