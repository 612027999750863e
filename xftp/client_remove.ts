/**
 * Removes a stored file from its routers.
 *
 * @module
 */
import { systemClock } from "../core/clock.ts";
import { codeOf, SftpxError } from "../core/errors.ts";
import { chunksOf, eachRouter, routersOnDemand } from "./client_download.ts";
import { dialOptions, type RemoveOptions } from "./client_options.ts";
import { DEFAULT_ATTEMPTS, routerClient } from "./client_router.ts";

/** What came of it. */
export interface Removed {
  /** Chunks that are gone now. */
  readonly removed: number;
  /** Chunks that the routers did not know any more. */
  readonly gone: number;
}

/**
 * Removes all chunks.
 *
 * @throws {SftpxError} When some could not be removed; the rest is.
 */
export async function removeFromRouters(
  options: RemoveOptions,
): Promise<Removed> {
  const { clock = systemClock, onEvent = () => {}, description } = options;
  const { signal = new AbortController().signal } = options;
  if (description.party !== "sender") {
    throw new SftpxError(
      "usage",
      "Cannot remove with the description of a recipient: the sender's is needed",
    );
  }
  const routers = routersOnDemand((router) =>
    routerClient(router, {
      clock,
      attempts: options.attempts ?? DEFAULT_ATTEMPTS,
      onRetry: ({ code, message }) =>
        onEvent({ type: "reconnecting", session: "", code, reason: message }),
      ...dialOptions(options),
    })
  );
  let removed = 0;
  let gone = 0;
  let failure: unknown;
  try {
    await eachRouter(chunksOf(description.chunks), signal, async (chunks) => {
      for (const { chunk } of chunks) {
        for (const { router, id, key } of chunk.replicas) {
          try {
            await routers.of(router).remove({ id, key }, signal);
            removed++;
          } catch (error) {
            signal.throwIfAborted();
            if (codeOf(error) === "unauthorized") {
              gone++; // what is expired and what is not ours look the same
              continue;
            }
            failure ??= error;
            return; // this router does not answer
          }
        }
      }
    });
  } finally {
    routers.close();
  }
  if (failure !== undefined) throw failure;
  if (removed === 0) {
    throw new SftpxError(
      "unauthorized",
      "Cannot remove the file: no router knows it any more",
    );
  }
  return { removed, gone };
}
