/**
 * The files of the repository, as the tools see them.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

/** The repository, with a slash at its end. */
export const ROOT: string = fileURLToPath(new URL("../", import.meta.url));

/** What is made, not written. */
const SKIPPED = new Set([
  ".git",
  "node_modules",
  "dist",
  "coverage",
  "uploads",
  "sftpx_resume",
]);

/** Lists the files below `root`, as sorted paths relative to it. */
export async function listFiles(root: string = ROOT): Promise<string[]> {
  const found: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    for await (const entry of Deno.readDir(root + folder)) {
      const path = folder + entry.name;
      if (entry.isDirectory && !SKIPPED.has(entry.name)) {
        await walk(`${path}/`);
      } else if (entry.isFile) {
        found.push(path);
      }
    }
  };
  await walk("");
  return found.sort();
}

/** Tells whether `path` is a test, a bench or what only they use. */
export function isTestFile(path: string): boolean {
  return /^(tests|bench)\//.test(path) || /_(test|bench)\.ts$/.test(path);
}
