/**
 * `sftpx router delete`: removes the router with all that it stores.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { errorCode, ioError } from "../store/io_error.ts";
import { absolute } from "../store/own_path.ts";
import { quoted } from "../store/paths.ts";
import { isChunkName } from "../xftp/router/chunk_files.ts";
import { IDENTITY_FILES } from "../xftp/router/identity.ts";
import { lockRouter } from "../xftp/router/lock.ts";
import { hinted } from "./hint.ts";
import {
  filesDirOf,
  readRouterSettings,
  type RouterPlaces,
  routerPlaces,
} from "./router_files.ts";
import type { ROUTER_DELETE } from "./router_tables.ts";
import type { Values } from "./settings.ts";
import type { Surroundings } from "./main.ts";

/** Removes what the router has made, and nothing else that is there. */
export async function routerDelete(
  flags: Values<typeof ROUTER_DELETE>,
  { output }: Surroundings,
): Promise<number> {
  const places = routerPlaces(flags.routerDir);
  const settings = await readRouterSettings(places);
  if (flags.yes !== true) {
    throw hinted(
      new SftpxError(
        "usage",
        "Cannot delete router: identity and chunks cannot be had back",
      ),
      "--yes says that you mean it",
    );
  }
  const lock = await lockRouter(places.lock);
  try {
    const filesDir = filesDirOf(places, settings);
    const chunks = await removeAll(filesDir, isChunkName);
    const own = await removeAll(places.dir, (name) => isOwn(places, name));
    await removeIfEmpty(filesDir);
    const said = `removed ${chunks} chunks and ${own} other files`;
    output.data(said, { type: "deleted", dir: places.dir });
  } finally {
    lock.release();
  }
  await removeOne(places.lock);
  await removeIfEmpty(places.dir);
  return 0;
}

function isOwn(places: RouterPlaces, name: string): boolean {
  const own = [
    places.settings,
    places.rows,
    places.backup,
    `${places.backup}.bak`,
    places.metrics,
  ];
  const path = `${places.dir}/${name}`;
  return IDENTITY_FILES.includes(name) || own.includes(path) ||
    path === places.storeLog || path.startsWith(`${places.storeLog}.`);
}

async function removeAll(
  dir: string,
  isOurs: (name: string) => boolean,
): Promise<number> {
  const at = absolute(dir);
  let count = 0;
  try {
    for await (const { name, isFile } of Deno.readDir(at)) {
      // What has other names is not ours.
      if (isFile && /^[\w.:=-]+$/.test(name) && isOurs(name)) {
        if (await removeOne(`${at}/${name}`)) count++;
      }
    }
  } catch (error) {
    if (errorCode(error) !== "ENOENT") {
      throw ioError(`remove files in ${quoted(at)}`, error);
    }
  }
  return count;
}

async function removeOne(path: string): Promise<boolean> {
  try {
    await Deno.remove(path);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw ioError(`remove ${quoted(path)}`, error);
  }
}

async function removeIfEmpty(dir: string): Promise<void> {
  try {
    await Deno.remove(dir);
  } catch (error) {
    if (!["ENOENT", "ENOTEMPTY", "EEXIST"].includes(errorCode(error) ?? "")) {
      throw ioError(`remove ${quoted(dir)}`, error);
    }
  }
}
