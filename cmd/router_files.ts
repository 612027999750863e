/**
 * Where the things of a router are, in the folder that its operator has named.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { quoted } from "../store/paths.ts";
import { absolute, fileIn } from "../store/own_path.ts";
import { readSecret } from "../store/secrets.ts";
import { readSettings, type RouterSettings } from "../xftp/router/settings.ts";
import { readIfThere } from "./own_files.ts";
import { hinted } from "./hint.ts";

/** The folder of a router when none is named. */
export const DEFAULT_ROUTER_DIR = "router";

/** Where a router's things are. */
export interface RouterPlaces {
  readonly dir: string;
  readonly settings: string;
  readonly storeLog: string;
  readonly rows: string;
  readonly backup: string;
  readonly metrics: string;
  readonly lock: string;
}

/** The places of the router in `dir`, with the names that others give them, too. */
export function routerPlaces(dir = DEFAULT_ROUTER_DIR): RouterPlaces {
  const at = absolute(dir);
  return {
    dir: at,
    settings: fileIn(at, "file-server.ini"),
    storeLog: fileIn(at, "file-server-store.log"),
    rows: fileIn(at, "file-server-stats.daily.log"),
    backup: fileIn(at, "file-server-stats.log"),
    metrics: fileIn(at, "xftp-server-metrics.txt"),
    lock: fileIn(at, "router.lock"),
  };
}

/**
 * Reads the settings of a router.
 *
 * @throws {SftpxError} `config`, when there are none or they are wrong.
 */
export async function readRouterSettings(
  places: RouterPlaces,
): Promise<RouterSettings> {
  const name = quoted(places.settings);
  if (await readIfThere(places.settings) === undefined) {
    throw hinted(
      new SftpxError("config", `Cannot read ${name}: there is no such file`),
      "sftpx router init makes it",
    );
  }
  // It holds passwords.
  const bytes = await readSecret(places.settings, "configuration");
  return readSettings(new TextDecoder().decode(bytes), name);
}

/** The folder of the chunks. */
export function filesDirOf(
  places: RouterPlaces,
  settings: RouterSettings,
): string {
  return settings.filesDir === undefined
    ? fileIn(places.dir, "files")
    : absolute(settings.filesDir);
}
