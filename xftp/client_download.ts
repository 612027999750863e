/**
 * Fetches the chunks of a description, each proven, from up to 16 routers at
 * once and one after the other from each.
 *
 * A chunk that one router does not give is asked of the next that has it. A
 * router that cannot be reached is not asked again in this run; what others have
 * is fetched all the same, so that the next run has less to do.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { isRetryable, SftpxError } from "../core/errors.ts";
import { createSemaphore } from "../core/semaphore.ts";
import { formatRouterAddress, type RouterAddress } from "./address.ts";
import { within } from "./client_deadline.ts";
import { MAX_ROUTERS_AT_ONCE } from "./client_pool.ts";
import type { RouterClient } from "./client_router.ts";
import type { DescribedChunk, Replica } from "./description.ts";
import type { Bytes } from "./encoding.ts";

/** A chunk of a file. */
export interface WantedChunk {
  /** Where it begins in the stored file. */
  readonly offset: number;
  readonly chunk: DescribedChunk;
}

/** The routers of descriptions, by need. */
export interface Routers {
  /** @param lane Which of several connections. @default {0} */
  of(router: RouterAddress, lane?: number): RouterClient;
  close(): void;
}

/** Makes routers' clients when they are first needed. */
export function routersOnDemand(
  make: (router: RouterAddress) => RouterClient,
): Routers {
  const clients = new Map<string, RouterClient>();
  return {
    of(router, lane = 0) {
      const name = `${lane} ${formatRouterAddress(router)}`;
      const client = clients.get(name) ?? make(router);
      clients.set(name, client);
      return client;
    },
    close() {
      for (const client of clients.values()) client.close();
    },
  };
}

/** The chunks of a file, with their places. */
export function chunksOf(chunks: readonly DescribedChunk[]): WantedChunk[] {
  let offset = 0;
  return chunks.map((chunk) => {
    const placed = { offset, chunk };
    offset += chunk.size;
    return placed;
  });
}

/** How long one waits for a router that only events are to tell of. */
const REACH_MS = 10_000;

/**
 * Reaches a router that has nothing to give: it will hear that all has arrived,
 * and whoever watches is told of it before the rest. Nothing depends on it.
 */
export async function reachRouter(
  router: RouterAddress,
  routers: Routers,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const late = (): SftpxError =>
    new SftpxError("unreachable", "Cannot reach the router: no answer");
  try {
    await within(
      clock,
      REACH_MS,
      signal,
      late,
      (signal) => routers.of(router).reach(signal),
    );
  } catch {
    signal.throwIfAborted();
  }
}

/**
 * Fetches chunks.
 *
 * @param take Told of each, proven; its bytes are the taker's.
 * @throws {SftpxError} The first error, when all that can be had is there.
 */
export async function fetchChunks(
  wanted: readonly WantedChunk[],
  routers: Routers,
  take: (bytes: Bytes, offset: number) => Promise<void>,
  signal: AbortSignal,
  connections = 1,
): Promise<void> {
  const lost = new Map<string, SftpxError>();
  let failure: unknown;
  const fetchOne = async (
    { chunk, offset }: WantedChunk,
    lane: number,
  ): Promise<void> => {
    let reason: unknown;
    for (const { router, id, key } of chunk.replicas) {
      const name = formatRouterAddress(router);
      reason ??= lost.get(name);
      if (lost.has(name)) continue;
      let bytes: Bytes;
      try {
        bytes = await routers.of(router, lane)
          .get({ id, key }, chunk.size, chunk.digest, signal);
      } catch (error) {
        signal.throwIfAborted();
        reason ??= error;
        const isGone = error instanceof SftpxError && isRetryable(error) &&
          error.code !== "peer-busy";
        if (isGone) lost.set(name, error);
        continue;
      }
      await take(bytes, offset);
      return;
    }
    throw reason;
  };
  await eachRouter(wanted, signal, async (chunks, lane) => {
    for (const chunk of chunks) {
      signal.throwIfAborted();
      try {
        await fetchOne(chunk, lane);
      } catch (error) {
        failure ??= error;
        // What is not a router's doing stops everything.
        const isLocal = error instanceof SftpxError &&
          error.code === "local-io";
        if (isLocal) throw error;
      }
    }
  }, connections);
  if (failure !== undefined) throw failure;
}

/**
 * Tells the routers that chunks have arrived, from which they may remove what
 * only this recipient could fetch. Nothing depends on it.
 *
 * @returns How many chunks could not be acknowledged.
 */
export async function acknowledgeChunks(
  wanted: readonly WantedChunk[],
  routers: Routers,
  signal: AbortSignal,
): Promise<number> {
  let failed = 0;
  const lost = new Set<RouterClient>();
  await eachRouter(wanted, signal, async (chunks) => {
    for (const { chunk: { replicas: [replica] } } of chunks) {
      if (replica === undefined) continue;
      const client = routers.of(replica.router);
      try {
        if (lost.has(client)) throw new Error("not reached before");
        await client.acknowledge(replica, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (isRetryable(error)) lost.add(client);
        failed++;
      }
    }
  });
  return failed;
}

/**
 * Does `work` with the chunks of each router, by their first replicas; as many
 * times at once as there are connections, which then share the chunks.
 */
export async function eachRouter(
  wanted: readonly WantedChunk[],
  signal: AbortSignal,
  work: (chunks: Iterable<WantedChunk>, lane: number) => Promise<void>,
  connections = 1,
): Promise<void> {
  const groups = Map.groupBy(
    wanted,
    ({ chunk }) => nameOf(chunk.replicas[0]),
  );
  const room = createSemaphore(MAX_ROUTERS_AT_ONCE);
  const all = await Promise.allSettled(
    [...groups.values()].flatMap((chunks) => {
      const shared = chunks.values(); // each takes what none has taken
      return Array.from({ length: connections }, async (_, lane) => {
        using _room = await room.acquire(signal);
        await work(shared, lane);
      });
    }),
  );
  signal.throwIfAborted();
  const failed = all.find((one) => one.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

function nameOf(replica: Replica | undefined): string {
  return replica === undefined ? "" : formatRouterAddress(replica.router);
}
