/**
 * That side of the hash pool: takes buffers, hashes their parts, gives them back.
 *
 * A Worker starts from the very module that it is spawned by, so that there is
 * nothing to find: on its own this file is the Worker's program; bundled, the
 * whole program is, and it stops here, before any of its own code has run. That
 * holds as long as this file is imported by a plain `import`.
 *
 * @module
 */
import {
  DIGEST_LENGTH,
  type DigestName,
  loadDigest,
} from "../crypto/digest.ts";
import { HASH_WORKER_NAME, type HashJob, type HashReport } from "./messages.ts";

/** Starts a Worker that hashes with `digest`. */
export function spawnHashWorker(digest: DigestName): Worker {
  return new Worker(import.meta.url, {
    type: "module",
    name: HASH_WORKER_NAME + digest,
  });
}

/** What a Worker sees of itself; the types here are those of a main program. */
interface WorkerScope {
  readonly name?: string;
  onmessage: (event: MessageEvent<HashJob>) => void;
  postMessage(report: HashReport, transfer?: Transferable[]): void;
}

async function serve(scope: WorkerScope, name: DigestName): Promise<void> {
  const digest = await loadDigest(name);
  scope.onmessage = ({ data: { id, buffer, parts } }) => {
    try {
      const count = parts.length / 2;
      const digests = new Uint8Array(count * DIGEST_LENGTH);
      for (let part = 0; part < count; part++) {
        const [start = 0, end = 0] = parts.subarray(2 * part);
        const bytes = new Uint8Array(buffer, start, end - start);
        digests.set(digest.digest(bytes), part * DIGEST_LENGTH);
      }
      scope.postMessage({ type: "hashed", id, buffer, digests }, [
        buffer,
        digests.buffer,
      ]);
    } catch (error) {
      scope.postMessage({ type: "failed", id, reason: String(error) });
    }
  };
  scope.postMessage({ type: "ready" });
}

const scope = globalThis as unknown as WorkerScope;
if (
  "WorkerGlobalScope" in globalThis &&
  scope.name?.startsWith(HASH_WORKER_NAME)
) {
  await serve(scope, scope.name.slice(HASH_WORKER_NAME.length) as DigestName);
  // Never settles, so that nothing that is bundled after this module runs here.
  await new Promise<never>(() => {});
}
