/**
 * The memory of a process, as its kernel counts it.
 *
 * @module
 */

/** MiB that a process held resident at most so far (Linux, proc(5): `VmHWM`). */
export async function peakMemory(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const [, peak] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? [];
  if (peak === undefined) throw new Error(`Cannot see memory of ${pid}`);
  return Number(peak) / 1024;
}
