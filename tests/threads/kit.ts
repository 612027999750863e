/**
 * Threads that a test looks at.
 *
 * @module
 */
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
