/**
 * The command line in tests of the client.
 *
 * @module
 */
import { type Ran, run, type RunOptions } from "../cli/harness.ts";
import type { KitUser } from "./client_kit.ts";

/** Runs a command line with all that it leaves in the user's folder. */
export function kitRun(
  user: KitUser,
  args: readonly string[],
  options?: RunOptions,
): Promise<Ran> {
  const env = {
    XDG_CONFIG_HOME: user.dir.join("config"),
    SFTPX_RESUME_DIR: user.dir.join("resume"),
    SFTPX_UPLOAD_DIR: user.dir.join("uploads"),
    SFTPX_OUT_DIR: user.dir.path,
    ...options?.env,
  };
  return run(args, { ...options, env });
}
