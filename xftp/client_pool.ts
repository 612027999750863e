/**
 * The routers of an upload: which of them is free, and which has failed.
 *
 * Who has a chunk takes a free router at random, so that chunks are spread, a
 * slow router gets fewer of them, and no more chunks are in memory than there
 * are routers at work. Each does one thing at a time.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { RouterClient } from "./client_router.ts";

/** Routers at work at once. */
export const MAX_ROUTERS_AT_ONCE = 16;

/** A router that was taken. */
export interface TakenRouter {
  readonly name: string;
  readonly client: RouterClient;
  /** Gives it back. */
  free(): void;
  /** Gives it back as one that is not to be used any more. */
  drop(error: SftpxError): void;
}

/** The routers. */
export interface RouterPool {
  /**
   * Takes a free router, and waits until there is one.
   *
   * @param wanted The only one that will do, as long as it works.
   * @throws {SftpxError} Why the last of them failed, when none is left.
   */
  take(wanted: string | undefined, signal: AbortSignal): Promise<TakenRouter>;
  /** Closes all. */
  close(): void;
}

/** Makes a pool of routers by their names. */
export function routerPool(
  routers: ReadonlyMap<string, RouterClient>,
  random: () => number,
): RouterPool {
  const free = new Map(routers);
  const failed = new Map<string, SftpxError>();
  let atWork = 0;
  let changed = Promise.withResolvers<void>();
  const wake = (): void => {
    changed.resolve();
    changed = Promise.withResolvers<void>();
  };

  const choose = (wanted: string | undefined): string | undefined => {
    if (atWork >= MAX_ROUTERS_AT_ONCE) return undefined;
    if (wanted !== undefined && routers.has(wanted) && !failed.has(wanted)) {
      return free.has(wanted) ? wanted : undefined;
    }
    const names = [...free.keys()];
    return names[Math.floor(random() * names.length)];
  };

  return {
    async take(wanted, signal) {
      for (;;) {
        signal.throwIfAborted();
        if (failed.size === routers.size) throw [...failed.values()].at(-1);
        const name = choose(wanted);
        const client = name === undefined ? undefined : free.get(name);
        if (name === undefined || client === undefined) {
          const { promise, reject } = Promise.withResolvers<never>();
          const abort = (): void => reject(signal.reason);
          signal.addEventListener("abort", abort, { once: true });
          try {
            await Promise.race([changed.promise, promise]);
          } finally {
            signal.removeEventListener("abort", abort);
          }
          continue;
        }
        free.delete(name);
        atWork++;
        return {
          name,
          client,
          free() {
            atWork--;
            free.set(name, client);
            wake();
          },
          drop(error) {
            atWork--;
            failed.set(name, error);
            client.close();
            wake();
          },
        };
      }
    },
    close() {
      for (const client of routers.values()) client.close();
    },
  };
}
