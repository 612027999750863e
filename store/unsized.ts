/**
 * File systems that make files while they are read, as that of `/proc`: a file
 * has content there, and the system tells no size of it.
 *
 * @module
 */
import { deviceNumber } from "./root_statx.ts";

/** Those of Linux that do; what ends with a dot is a family. */
const UNSIZED =
  /^(?:proc|debugfs|tracefs|securityfs|configfs|cgroup2?|fuse|fuse\..*)$/;

/** Says by which devices they are known; the system is asked once, at the first call. */
export function unsizedDevices(
  mounts: () => string = mountTable,
): () => ReadonlySet<bigint> {
  let found: ReadonlySet<bigint> | undefined;
  return () => found ??= new Set(parseMounts(mounts()));
}

/** See proc_pid_mountinfo(5): `36 35 0:21 / /proc rw - proc proc rw`. */
function* parseMounts(text: string): Generator<bigint, void, void> {
  for (const line of text.split("\n")) {
    const [, major, minor, type] =
      /^\d+ \d+ (\d+):(\d+) .* - (\S+) /.exec(line) ?? [];
    if (major === undefined || minor === undefined) continue;
    if (!UNSIZED.test(type ?? "")) continue;
    yield deviceNumber(Number(major), Number(minor));
  }
}

/** What is mounted; nothing where nobody says so. */
function mountTable(): string {
  if (Deno.build.os !== "linux") return "";
  try {
    return Deno.readTextFileSync("/proc/self/mountinfo");
  } catch {
    return ""; // no permission, or it is not there
  }
}
