/**
 * Fetches a stored file, and proves it before anything of it appears.
 *
 * Chunks are written, as they are stored, to a part in the upload folder. Which
 * of them an earlier run has brought is found by their digests alone, so there
 * is no state that could be wrong. When all are there the whole is read once
 * more: its digest and its tag are compared while it is decrypted.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { systemClock } from "../core/clock.ts";
import { equalBytes } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";
import { diskFs, type JournalLock } from "../store/journal_fs.ts";
import { absolute, fileIn } from "../store/own_path.ts";
import { quoted } from "../store/paths.ts";
import {
  openRoot,
  type PartFile,
  type PartialDir,
  type Root,
} from "../store/root.ts";
import {
  acknowledgeChunks,
  chunksOf,
  fetchChunks,
  reachRouter,
  type Routers,
  routersOnDemand,
  type WantedChunk,
} from "./client_download.ts";
import {
  dialOptions,
  type FetchOptions,
  type FetchResult,
} from "./client_options.ts";
import { type Fetched, isBadWhole, placeStored, SLOT } from "./client_open.ts";
import { type StoreProgress, storeProgress } from "./client_progress.ts";
import { followRedirect } from "./client_redirect.ts";
import { DEFAULT_ATTEMPTS, routerClient } from "./client_router.ts";
import { DEFAULT_RESUME_DIR } from "./client_send.ts";
import { type Description, routersOf } from "./description.ts";

const DEFAULT_KEEP_FREE = 64 * 1024 * 1024;

/**
 * Fetches. When it is done, what was stored is in place and on disk, but for what
 * `failures` names: then it can be fetched again.
 */
export async function fetchFromRouters(
  options: FetchOptions,
): Promise<FetchResult> {
  const { clock = systemClock, onEvent = () => {} } = options;
  const { signal = new AbortController().signal } = options;
  if (options.description.party !== "recipient") {
    throw new SftpxError(
      "usage",
      "Cannot fetch with the description of the sender: it is for removing",
    );
  }
  let progress: StoreProgress | undefined;
  let isReached = false;
  const routers = routersOnDemand((router) =>
    routerClient({ ...router }, {
      clock,
      attempts: options.attempts ?? DEFAULT_ATTEMPTS,
      onConnect: () => {
        isReached = true;
        progress?.connected();
      },
      onRetry: (error) => progress?.retry(error),
      ...dialOptions(options),
    })
  );
  try {
    const outer = options.description;
    const description = await followRedirect(outer, routers, signal);
    const session = sessionOf(description);
    progress = storeProgress({
      session,
      total: description.size,
      entries: 1,
      clock,
      onEvent,
    });
    const acknowledge = async (): Promise<void> => {
      // What leads here comes last: a next run needs it to get here.
      const ways = outer === description ? [] : [outer];
      let failed = 0;
      for (const { chunks } of [description, ...ways]) {
        failed += await acknowledgeChunks(chunksOf(chunks), routers, signal);
      }
      if (failed > 0) {
        progress?.warn(
          `the routers could not be told that ${failed} chunks have arrived; they remove them by themselves later`,
        );
      }
    };
    return await withLock(
      options.resumeDir ?? DEFAULT_RESUME_DIR,
      session,
      () =>
        fetchWhole({
          description,
          session,
          routers,
          options,
          clock,
          signal,
          progress: progress as StoreProgress,
          isReached: () => isReached,
          acknowledge,
        }),
    );
  } finally {
    routers.close();
  }
}

interface Fetch extends Fetched {
  readonly routers: Routers;
  /** Whether a router was reached already, on the way here. */
  readonly isReached: () => boolean;
  /** Tells the routers that all has arrived. */
  readonly acknowledge: () => Promise<void>;
}

async function fetchWhole(fetch: Fetch): Promise<FetchResult> {
  const { description, session, options, signal } = fetch;
  const root = await openRoot(options.uploadDir ?? "uploads");
  let partial: PartialDir | undefined;
  try {
    partial = await root.partial(session);
    const before = await partial.open(SLOT.stored);
    const stored = before ?? await partial.create(SLOT.stored);
    let result: FetchResult;
    let isEmpty = before === undefined;
    try {
      await stored.truncate(description.size);
      await fetchMissing(fetch, root, stored, isEmpty, () => isEmpty = false);
      signal.throwIfAborted();
      result = await placeStored(fetch, root, partial, stored);
    } catch (error) {
      if (isBadWhole(error)) await partial.remove(SLOT.stored);
      if (isEmpty) {
        await partial.removeAll(); // there is nothing to go on with
        await root.removeEmptyPartials();
      }
      throw error;
    } finally {
      stored.close();
    }
    await root.syncDirs();
    if (result.failed > 0) {
      // It is to be had with other options, so no router hears of anything.
      await partial.remove(SLOT.content);
      return result;
    }
    // Until all routers were told, a next run must find the chunks here.
    await fetch.acknowledge();
    await partial.removeAll();
    partial.close();
    await root.removeEmptyPartials();
    return result;
  } finally {
    partial?.close();
    root.close();
  }
}

/** Fetches the chunks that are not there yet. */
async function fetchMissing(
  fetch: Fetch,
  root: Root,
  stored: PartFile,
  isNew: boolean,
  onWrite: () => void,
): Promise<void> {
  const { description, routers, options, clock, signal, progress } = fetch;
  const wanted: WantedChunk[] = [];
  let held = 0;
  for (const one of chunksOf(description.chunks)) {
    signal.throwIfAborted();
    if (!isNew && await isThere(stored, one)) held += one.chunk.size;
    else wanted.push(one);
  }
  const free = await root.free();
  // What is stored, and beside it what comes of it.
  const needed = 2 * description.size - held;
  if (needed + (options.keepFree ?? DEFAULT_KEEP_FREE) > free) {
    throw new SftpxError(
      "local-io",
      `Cannot fetch the file: it takes ${needed} bytes of disk on the way, and ${free} are free`,
    );
  }
  if (description.size > (options.maxSize ?? Infinity)) {
    throw new SftpxError(
      "unauthorized",
      `Cannot fetch the file: it has ${description.size} bytes, more than --max-size`,
    );
  }
  const [first, ...more] = routersOf(description.chunks);
  const host = first?.router.hosts[0] ?? "";
  progress.begin(
    "a stored file",
    more.length === 0 ? host : `${host} and ${more.length} more`,
    held > 0,
  );
  if (held > 0) progress.add(held, false);
  if (fetch.isReached()) progress.connected();
  else if (first !== undefined && wanted.length === 0) {
    await reachRouter(first.router, routers, clock, signal);
  }
  await fetchChunks(
    wanted,
    routers,
    async (bytes, offset) => {
      onWrite();
      await stored.write(bytes, offset);
      progress.add(bytes.length, true);
    },
    signal,
    options.connections,
  );
  await stored.sync();
  progress.started();
}

/** Whether an earlier run has brought a chunk. */
async function isThere(
  stored: PartFile,
  { offset, chunk }: WantedChunk,
): Promise<boolean> {
  const bytes = new Uint8Array(chunk.size);
  if (await stored.read(bytes, offset) !== bytes.length) return false;
  // A hole is zeros, and what is encrypted never begins with so many.
  if (bytes.subarray(0, 64).every((byte) => byte === 0)) return false;
  const found = await crypto.subtle.digest("SHA-256", bytes);
  return equalBytes(new Uint8Array(found), chunk.digest);
}

/** The same for the same stored file. */
function sessionOf({ digest, key }: Description): string {
  return createHash("sha256").update("xftp").update(digest).update(key)
    .digest("hex").slice(0, 32);
}

/** Two that fetch the same at once would write one part. */
async function withLock<T>(
  resumeDir: string,
  session: string,
  work: () => Promise<T>,
): Promise<T> {
  const dir = absolute(resumeDir);
  let lock: JournalLock | undefined;
  try {
    await diskFs.makeDir(dir);
    lock = await diskFs.lock(fileIn(dir, `${session}.xftp.lock`));
  } catch (cause) {
    throw new SftpxError(
      "local-io",
      `Cannot use the resume folder ${quoted(dir)}`,
      cause,
    );
  }
  if (lock === undefined) {
    throw new SftpxError(
      "duplicate",
      "Cannot fetch this: another sftpx is fetching the same at this time",
    );
  }
  try {
    return await work();
  } finally {
    await lock.release();
  }
}
