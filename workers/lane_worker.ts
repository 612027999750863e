/**
 * The program of a lane Worker: connections, their lanes, hashing and files, on
 * a thread of their own.
 *
 * It starts from the module that it is spawned by; see `hash_worker.ts`.
 *
 * @module
 */
import { systemClock } from "../core/clock.ts";
import { sftpxErrorOf } from "../core/errors.ts";
import { loadDigest } from "../crypto/digest.ts";
import { openNative } from "../store/root_native.ts";
import { openSourceDisk } from "../store/source.ts";
import { createHashPool } from "./hash_pool.ts";
import {
  LANE_WORKER_NAME,
  type LaneAnswer,
  type LaneCall,
} from "./lane_calls.ts";
import { createLaneServer, isMoved } from "./lane_server.ts";

/** Starts a Worker that holds connections. */
export function spawnLaneWorker(): Worker {
  return new Worker(import.meta.url, {
    type: "module",
    name: LANE_WORKER_NAME,
  });
}

/** What a Worker sees of itself; the types here are those of a main program. */
interface WorkerScope {
  readonly name?: string;
  onmessage: (event: MessageEvent<LaneCall>) => void;
  postMessage(answer: LaneAnswer, transfer?: Transferable[]): void;
}

async function serve(scope: WorkerScope): Promise<void> {
  const digest = await loadDigest();
  const server = createLaneServer({
    clock: systemClock,
    pool: createHashPool({ digest, size: 0 }),
    disk: openSourceDisk(),
    native: openNative(),
    arrived: (stream, bytes) =>
      scope.postMessage({ type: "arrived", stream, bytes }),
  });
  scope.onmessage = async ({ data: { id, call, args } }) => {
    try {
      const answer = await server(call, args);
      const moved = isMoved(answer);
      const value = moved ? answer.value : answer;
      scope.postMessage({ type: "done", id, value }, moved ? answer.moves : []);
    } catch (error) {
      const known = sftpxErrorOf(error);
      const code = known?.code ?? "internal";
      const message = known?.message ?? `Cannot ${call}: ${error}`;
      scope.postMessage({ type: "failed", id, failure: { code, message } });
    }
  };
  scope.postMessage({ type: "ready" });
}

const scope = globalThis as unknown as WorkerScope;
if ("WorkerGlobalScope" in globalThis && scope.name === LANE_WORKER_NAME) {
  await serve(scope);
  // Never settles, so that nothing that is bundled after this module runs here.
  await new Promise<never>(() => {});
}
