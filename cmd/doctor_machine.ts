/**
 * What `doctor` finds out of the machine.
 *
 * @module
 */
import { systemClock } from "../core/clock.ts";
import { loadDigest } from "../crypto/digest.ts";
import { createEndpoint } from "../transport/quic.ts";
import type { MachineFacts, Speed } from "./doctor_facts.ts";

/** A speed is measured for so long, ms, or until so much has been done. */
const MEASURE_MS = 300;
const MEASURE_BYTES = 256 << 20;
const BLOCK_BYTES = 1 << 20;

/** Looks at the machine; the disk is that of `dir`. */
export async function machineFacts(dir: string): Promise<MachineFacts> {
  const before = { now: systemClock.now(), wall: systemClock.wallMs() };
  const hash = await hashSpeed();
  const disk = await diskSpeed(dir);
  const buffers = await bufferFacts();
  const tookMs = systemClock.now() - before.now;
  const wallMs = systemClock.wallMs();
  return {
    deno: Deno.version.deno,
    system: `${Deno.build.os} ${Deno.build.arch}`,
    cores: navigator.hardwareConcurrency,
    wallMs,
    driftMs: Math.round(wallMs - before.wall - tookMs),
    hash,
    disk: "error" in disk ? undefined : { ...disk, dir },
    diskError: "error" in disk ? disk.error : undefined,
    buffers,
  };
}

async function hashSpeed(): Promise<Speed & { readonly name: string }> {
  const digest = await loadDigest();
  const block = new Uint8Array(BLOCK_BYTES).fill(0x5a);
  digest.digest(block); // the first one loads what the others use
  const speed = await measure(() => Promise.resolve(digest.digest(block)));
  return { name: digest.name, ...speed };
}

/** How fast a new file gets onto the disk, its last byte included. */
async function diskSpeed(
  dir: string,
): Promise<Speed | { readonly error: string }> {
  let path: string | undefined;
  try {
    path = await Deno.makeTempFile({ dir, prefix: ".sftpx-doctor-" });
    using file = await Deno.open(path, { write: true });
    const block = new Uint8Array(BLOCK_BYTES);
    const start = systemClock.now();
    let bytes = 0;
    while (systemClock.now() - start < MEASURE_MS && bytes < MEASURE_BYTES) {
      bytes += await file.write(block);
    }
    await file.syncData();
    return { bytesPerSecond: perSecond(bytes, systemClock.now() - start) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  } finally {
    if (path !== undefined) await Deno.remove(path).catch(() => {});
  }
}

async function measure(step: () => Promise<unknown>): Promise<Speed> {
  const start = systemClock.now();
  let bytes = 0;
  while (systemClock.now() - start < MEASURE_MS && bytes < MEASURE_BYTES) {
    await step();
    bytes += BLOCK_BYTES;
  }
  return { bytesPerSecond: perSecond(bytes, systemClock.now() - start) };
}

function perSecond(bytes: number, ms: number): number {
  return Math.round(bytes / Math.max(ms, 0.001) * 1000);
}

async function bufferFacts(): Promise<MachineFacts["buffers"]> {
  const number = async (file: string): Promise<number> => {
    const text = await readIfAny(file);
    return Number(text?.trim() ?? 0) || 0;
  };
  const endpoint = createEndpoint({ hostname: "127.0.0.1" });
  const oursBytes = endpoint.buffers?.receiveBytes ?? 0;
  endpoint.close();
  return {
    defaultBytes: await number("/proc/sys/net/core/rmem_default"),
    maxBytes: await number("/proc/sys/net/core/rmem_max"),
    oursBytes,
    drops: dropsOf(await readIfAny("/proc/net/snmp") ?? ""),
  };
}

/** `RcvbufErrors` of Linux' table, whose rows come in pairs: names, then numbers. */
export function dropsOf(table: string): number | undefined {
  const [names = [], numbers = []] = table.split("\n")
    .filter((line) => line.startsWith("Udp: "))
    .map((line) => line.split(/\s+/));
  const at = names.indexOf("RcvbufErrors");
  const text = at < 0 ? undefined : numbers[at];
  return text === undefined ? undefined : Number(text);
}

async function readIfAny(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch {
    return undefined; // another system
  }
}
