/**
 * Threads that a test looks at.
 *
 * @module
 */
import { parseAddress } from "../../protocol/address.ts";
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
}

/** Watches Workers; `asked` is told of each call before it is made. */
export function watchWorkers(
  asked: (worker: Worker, call: LaneCall) => void = () => {},
): Watched {
  const workers: Worker[] = [];
  const counts = new Map<string, number>();
  return {
    workers,
    count: (call) => counts.get(call) ?? 0,
    spawn() {
      const worker = spawnLaneWorker();
      const post = worker.postMessage.bind(worker);
      worker.postMessage = (message: LaneCall, moved?: unknown) => {
        counts.set(message.call, (counts.get(message.call) ?? 0) + 1);
        asked(worker, message);
        post(message, moved as Transferable[]);
      };
      workers.push(worker);
      return worker;
    },
  };
}

/** A line to a receiver, and the Workers of who uses it. */
export interface SlowLine {
  readonly address: string;
  readonly watched: Watched;
  close(): Promise<void>;
}

/**
 * A line that is slow until Workers were given so many leases: however busy the
 * machine is, the transfer is not over before they have a part in it.
 */
export async function slowUntilLeased(
  receiver: string,
  leases: number,
  asked: (worker: Worker, call: LaneCall) => void = () => {},
): Promise<SlowLine> {
  const line = await faultProxy({ target: parseAddress(receiver, 0), keep: 0 });
  await line.set("both", { bytesPerSecond: 8 * MIB, queueBytes: 2 * MIB });
  let isSlow = true;
  const watched = watchWorkers((worker, call) => {
    asked(worker, call);
    if (!isSlow || watched.count("lease") < leases) return;
    isSlow = false;
    line.set("both", { bytesPerSecond: 0 });
  });
  return {
    address: `127.0.0.1:${line.port}`,
    watched,
    close: () => line.close(),
  };
}
