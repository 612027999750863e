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
import { createHash, type Hash } from "node:crypto";
import { type Clock, systemClock } from "../core/clock.ts";
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
  type Routers,
  routersOnDemand,
  type WantedChunk,
} from "./client_download.ts";
import {
  dialOptions,
  type FetchOptions,
  type FetchResult,
} from "./client_options.ts";
import {
  fileName,
  type NamePolicy,
  placeFile,
  unpacker,
} from "./client_place.ts";
import { type StoreProgress, storeProgress } from "./client_progress.ts";
import { followRedirect } from "./client_redirect.ts";
import { DEFAULT_ATTEMPTS, routerClient } from "./client_router.ts";
import { DEFAULT_RESUME_DIR } from "./client_send.ts";
import { ARCHIVE_ENDING } from "./client_source.ts";
import { type Description, routersOf } from "./description.ts";
import type { Bytes } from "./encoding.ts";
import { type FileOpener, openFileContent } from "./file_crypto.ts";

/** Where the stored file is kept, and where what comes of it. */
const SLOT = { stored: 0, content: 1 } as const;

/** Read at once; a header is within the first. */
const READ_BYTES = 1024 * 1024;

const DEFAULT_KEEP_FREE = 64 * 1024 * 1024;

/** Fetches. When it is done, what was stored is in place and on disk. */
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
  const routers = routersOnDemand((router) =>
    routerClient({ ...router }, {
      clock,
      attempts: options.attempts ?? DEFAULT_ATTEMPTS,
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
    const result = await withLock(
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
        }),
    );
    const all = [
      ...chunksOf(description.chunks),
      ...outer === description ? [] : chunksOf(outer.chunks),
    ];
    const failed = await acknowledgeChunks(all, routers, signal);
    if (failed > 0) {
      progress.warn(
        `the routers could not be told that ${failed} chunks have arrived; they remove them by themselves later`,
      );
    }
    return result;
  } finally {
    routers.close();
  }
}

interface Fetch {
  readonly description: Description;
  readonly session: string;
  readonly routers: Routers;
  readonly options: FetchOptions;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly progress: StoreProgress;
}

async function fetchWhole(fetch: Fetch): Promise<FetchResult> {
  const { description, session, options, signal } = fetch;
  const root = await openRoot(options.uploadDir ?? "uploads");
  let partial: PartialDir | undefined;
  try {
    partial = await root.partial(session);
    const stored = await openStored(partial);
    let result: FetchResult;
    try {
      await fetchMissing(fetch, root, stored);
      signal.throwIfAborted();
      result = await place(fetch, root, partial, stored);
    } catch (error) {
      // Of what is damaged nothing can be used: each chunk was right by itself.
      if (error instanceof SftpxError && error.message.startsWith(BAD_WHOLE)) {
        await partial.remove(SLOT.stored);
      }
      throw error;
    } finally {
      stored.close();
    }
    await root.syncDirs();
    await partial.removeAll();
    partial.close();
    await root.removeEmptyPartials();
    return result;
  } finally {
    partial?.close();
    root.close();
  }

  async function openStored(partial: PartialDir): Promise<PartFile> {
    const file = await partial.open(SLOT.stored) ??
      await partial.create(SLOT.stored);
    await file.truncate(description.size);
    return file;
  }
}

/** Fetches the chunks that are not there yet. */
async function fetchMissing(
  { description, routers, options, signal, progress }: Fetch,
  root: Root,
  stored: PartFile,
): Promise<void> {
  const wanted: WantedChunk[] = [];
  let held = 0;
  for (const one of chunksOf(description.chunks)) {
    signal.throwIfAborted();
    if (await isThere(stored, one)) held += one.chunk.size;
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
  await fetchChunks(wanted, routers, async (bytes, offset) => {
    await stored.write(bytes, offset);
    progress.add(bytes.length, true);
  }, signal);
  await stored.sync();
}

/** Whether an earlier run has brought a chunk; a hole is soon told from one. */
async function isThere(
  stored: PartFile,
  { offset, chunk }: WantedChunk,
): Promise<boolean> {
  const bytes = new Uint8Array(chunk.size);
  if (await stored.read(bytes, offset) !== bytes.length) return false;
  const found = createHash("sha256").update(bytes).digest();
  return equalBytes(new Uint8Array(found), chunk.digest);
}

/** Proves the stored file, and puts what is in it in place. */
async function place(
  fetch: Fetch,
  root: Root,
  partial: PartialDir,
  stored: PartFile,
): Promise<FetchResult> {
  const { description, options, progress } = fetch;
  const policy: NamePolicy = {
    onConflict: options.onConflict ?? "rename",
    allowHidden: options.allowHidden ?? false,
    links: options.links ?? "inside",
  };
  const header = await peekHeader(description, stored);
  const isArchive = options.name === undefined &&
    options.unpack !== false && header.name.endsWith(ARCHIVE_ENDING);
  const digest = new Uint8Array(description.digest).toHex();
  if (isArchive) {
    await decrypt(fetch, stored, true, () => Promise.resolve());
    const tops = new Set<string>();
    const archive = unpacker(
      root,
      partial,
      SLOT.content,
      policy,
      { maxFiles: options.maxFiles ?? Infinity },
      (path, kind, bytes, at) => {
        tops.add((at ?? path).split("/")[0] ?? "");
        tell(fetch, path, kind, bytes, at);
      },
    );
    await decrypt(fetch, stored, false, (bytes) => archive.update(bytes));
    archive.finish();
    await archive.settle();
    const { entries, bytes, skipped } = archive.result;
    progress.done(entries, bytes, skipped, digest);
    return { places: [...tops], bytes };
  }
  const name = options.name ?? header.name;
  const path = fileName(name, root, policy); // before the work is done
  await partial.remove(SLOT.content);
  const part = await partial.create(SLOT.content);
  let bytes = 0;
  try {
    await decrypt(fetch, stored, true, async (piece) => {
      await part.write(piece, bytes);
      bytes += piece.length;
    });
    await part.setMeta({
      mode: 0o644,
      mtimeNs: BigInt(Math.floor(fetch.clock.wallMs())) * 1_000_000n,
    });
    await part.sync();
  } finally {
    part.close();
  }
  const at = await placeFile(root, partial, SLOT.content, path, policy);
  tell(fetch, path, "file", bytes, at);
  progress.done(1, bytes, at === undefined ? 1 : 0, digest);
  return { places: at === undefined ? [] : [at], bytes };
}

function tell(
  { session, options }: Fetch,
  path: string,
  kind: "file" | "dir" | "link",
  bytes: number,
  at: string | undefined,
): void {
  options.onEvent?.({
    type: "entry",
    session,
    path,
    kind,
    outcome: at === undefined ? "skipped" : "received",
    bytes,
    ...at !== undefined && at !== path && { finalPath: at },
  });
}

/** The name in the stored file; it is proven with the rest, later. */
async function peekHeader(
  description: Description,
  stored: PartFile,
): Promise<NonNullable<FileOpener["header"]>> {
  const opener = openFileContent(description, description.size);
  const head = new Uint8Array(Math.min(READ_BYTES, description.size));
  await stored.read(head, 0);
  opener.update(head);
  if (opener.header === undefined) throw new RangeError("no header was read");
  return opener.header;
}

/**
 * Decrypts the stored file.
 *
 * @param isProof Whether digest and tag are to be proven on the way, for the
 * first time that it is read.
 */
async function decrypt(
  { description, signal }: Fetch,
  stored: PartFile,
  isProof: boolean,
  take: (bytes: Bytes) => Promise<void>,
): Promise<void> {
  const opener = openFileContent(description, description.size);
  const whole: Hash | undefined = isProof ? createHash("sha512") : undefined;
  for (let at = 0; at < description.size; at += READ_BYTES) {
    signal.throwIfAborted();
    const piece = new Uint8Array(Math.min(READ_BYTES, description.size - at));
    if (await stored.read(piece, at) !== piece.length) {
      throw new SftpxError(
        "local-io",
        "Cannot read what was fetched: it is shorter than it was",
      );
    }
    whole?.update(piece);
    await take(opener.update(piece));
  }
  opener.finish();
  const found = whole?.digest();
  if (found && !equalBytes(new Uint8Array(found), description.digest)) {
    throw new SftpxError("integrity", `${BAD_WHOLE}: its digest is wrong`);
  }
}

const BAD_WHOLE = "Cannot open the stored file";

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
