/**
 * Makes names last.
 *
 * @module
 */

/** Syncs a folder, where the system has such a thing: its names survive then. */
export async function syncFolder(dir: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  using folder = await Deno.open(dir);
  await folder.sync();
}
