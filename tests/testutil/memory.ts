/**
 * The memory of a process, as its kernel counts it.
 *
 * @module
 */

/** Whether it can be seen here: Linux, proc(5). */
export const CAN_SEE_MEMORY = Deno.build.os === "linux";

/** MiB that a process held resident at most so far. */
export function peakMemory(pid: number): Promise<number> {
  return field(pid, "VmHWM");
}

/** MiB that a process holds resident now. */
export function residentMemory(pid: number): Promise<number> {
  return field(pid, "VmRSS");
}

async function field(pid: number, name: string): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const [, kib] = RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status) ?? [];
  if (kib === undefined) throw new Error(`Cannot see memory of ${pid}`);
  return Number(kib) / 1024;
}
