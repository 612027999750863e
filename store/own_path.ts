/**
 * Places of our own, as the user named them.
 *
 * @module
 */
import { resolve } from "node:path";

export { fileIn } from "./own_file.ts";

/** The absolute path of a folder that the user named. */
export function absolute(dir: string): string {
  return resolve(dir);
}
