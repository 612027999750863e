/**
 * Threads that a test looks at.
 *
 * @module
 */
import { parseAddress } from "../../protocol/address.ts";
import type { Growth, GrowthOptions } from "../../protocol/growth.ts";
import { MIB } from "../faults/kit.ts";
import { faultProxy } from "../testutil/fault_proxy.ts";
import type { LaneCall } from "../../workers/lane_calls.ts";
import { spawnLaneWorker } from "../../workers/lane_worker.ts";

/** Workers that were started, and what they were asked. */
export interface Watched {
  readonly workers: readonly Worker[];
  /** How often all of them were asked this. */
  count(call: LaneCall["call"]): number;
  /** To be given as what starts Workers. */
  spawn(): Worker;
  /** Tells of each call before it is made. */
  onCall(told: (worker: Worker, call: LaneCall) => void): void;
}

/** Watches Workers. */
export function watchWorkers(): Watched {
  const told: ((worker: Worker, call: LaneCall) => void)[] = [];
  const workers: Worker[] = [];
  const counts = new Map<string, number>();
  return {
    workers,
    count: (call) => counts.get(call) ?? 0,
    onCall: (tell) => void told.push(tell),
    spawn() {
      const worker = spawnLaneWorker();
      const post = worker.postMessage.bind(worker);
      worker.postMessage = (message: LaneCall, moved?: unknown) => {
        counts.set(message.call, (counts.get(message.call) ?? 0) + 1);
        told.forEach((tell) => tell(worker, message));
        post(message, moved as Transferable[]);
      };
      workers.push(worker);
      return worker;
    },
  };
}

/** A line to a receiver. */
export interface SlowLine {
  readonly address: string;
  close(): Promise<void>;
}

/**
 * A line that is slow until Workers have had a part in it: however busy the
 * machine is, the transfer is not over before.
 */
export async function slowUntil(
  receiver: string,
  isDone: () => boolean,
  watched: Watched,
): Promise<SlowLine> {
  const line = await faultProxy({ target: parseAddress(receiver, 0), keep: 0 });
  await line.set("both", { bytesPerSecond: 2 * MIB, queueBytes: 2 * MIB });
  let isSlow = true;
  watched.onCall(() => {
    if (!isSlow || !isDone()) return;
    isSlow = false;
    line.set("both", { bytesPerSecond: 0 });
  });
  return { address: `127.0.0.1:${line.port}`, close: () => line.close() };
}

/**
 * Adds one connection after the other until `isDone`, and drops none: where a
 * machine is busy the first is there before a thread is, and goes without.
 */
export function growUntil(
  isDone: () => boolean,
): (options: GrowthOptions) => Growth {
  return ({ max }) => ({
    sample: ({ connections, dialling }) =>
      dialling === 0 && connections < max && !isDone() ? "add" : "keep",
  });
}
