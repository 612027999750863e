/**
 * Stores files and folders on routers, so that others can fetch them later.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { systemClock } from "../core/clock.ts";
import { codeOf, SftpxError } from "../core/errors.ts";
import { systemRandom, systemRandomBytes } from "../crypto/random.ts";
import { absolute } from "../store/own_path.ts";
import { namedRoots } from "../store/source.ts";
import { formatRouterAddress, type RouterAddress } from "./address.ts";
import { planChunks } from "./chunk_plan.ts";
import {
  dialOptions,
  type StoreOptions,
  type StoreResult,
} from "./client_options.ts";
import { type RouterPool, routerPool } from "./client_pool.ts";
import { storeProgress } from "./client_progress.ts";
import {
  DEFAULT_ATTEMPTS,
  type RouterClient,
  routerClient,
  type RouterClientDeps,
} from "./client_router.ts";
import { findSource, type StoredSource } from "./client_source.ts";
import {
  memoryUploadState,
  openUploadState,
  type UploadState,
} from "./client_state.ts";
import { isStale, storeFile, type Uploaded } from "./client_upload.ts";
import { type Description, formatDescription } from "./description.ts";
import { encodeFileHeader, payloadBytes } from "./file_crypto.ts";
import { formatLink, LONG_LINK } from "./link.ts";

/** Descriptions at most: their keys go with a chunk in one block. */
export const MAX_RECIPIENTS = 250;

/** Where state is when nothing else is said. */
export const DEFAULT_RESUME_DIR = "sftpx_resume";

/**
 * Stores. When it is done, routers have said of every chunk that they have it.
 *
 * @throws {SftpxError} Given the same options again it goes on where it was.
 */
export async function storeOnRouters(
  options: StoreOptions,
): Promise<StoreResult> {
  const { clock = systemClock, randomBytes = systemRandomBytes } = options;
  const { recipients = 1, onEvent = () => {} } = options;
  const { signal = new AbortController().signal } = options;
  const { connections = 1 } = options;
  const { resumeDir = DEFAULT_RESUME_DIR, attempts = DEFAULT_ATTEMPTS } =
    options;
  checkOptions(options.routers, recipients);
  const roots = await namedRoots(options.paths);
  const source = await findSource(roots, {
    ...walkOptions(options),
    leaveOut: [absolute(resumeDir)],
    signal,
  });
  const header = encodeFileHeader({ name: source.name });
  const sizes = planChunks(payloadBytes(header, source.size));
  const routers = new Map(
    options.routers.map((router) => [formatRouterAddress(router), router]),
  );
  const id = createHash("sha256").update(JSON.stringify([
    roots.map(({ local }) => local),
    [...routers.keys()].toSorted(),
    recipients,
    source.name,
  ])).digest("hex").slice(0, 32);
  const progress = storeProgress({
    session: id,
    total: sizes.reduce((sum, size) => sum + size, 0),
    entries: source.entries,
    clock,
    onEvent,
  });
  const deps: RouterClientDeps = {
    clock,
    attempts,
    onConnect: progress.connected,
    onRetry: progress.retry,
    ...dialOptions(options),
  };
  const clients = new Map(
    [...routers].map(([name, router]) => [
      name,
      Array.from({ length: connections }, () => routerClient(router, deps)),
    ]),
  );
  const pool = routerPool(clients, options.random ?? systemRandom);
  const upload = async (
    fresh: boolean,
  ): Promise<{ uploaded: Uploaded; state: UploadState }> => {
    const state = await openUploadState(
      { id, stamp: source.stamp, sizes, recipients },
      { resumeDir, random: randomBytes, wallMs: clock.wallMs(), fresh },
    );
    progress.begin(source.name, remoteOf(options.routers), state.isResumed);
    const before = sizes.reduce(
      (sum, size, chunk) => sum + (state.isStored(chunk) ? size : 0),
      0,
    );
    if (before > 0) progress.add(before, false);
    const content = source.open();
    try {
      const uploaded = await storeFile({
        header,
        content,
        sizes,
        recipients,
        state,
        pool,
        signal,
        onChunk: (bytes) => progress.add(bytes, true),
        onDrop: (router, error) =>
          progress.warn(droppedWords(router, error, state, sizes.length)),
      });
      return { uploaded, state };
    } catch (error) {
      await state.close();
      throw error;
    } finally {
      await content.close();
    }
  };
  try {
    const { uploaded, state } = await upload(options.fresh ?? false)
      .catch((error) => {
        if (isStale(error)) return upload(true);
        throw error;
      });
    try {
      const links: string[] = [];
      const linkSenders: Description[] = [];
      for (const description of uploaded.recipients) {
        const made = await linkOf(description, { pool, randomBytes, signal });
        links.push(made.link);
        if (made.sender !== undefined) linkSenders.push(made.sender);
      }
      const result = { name: source.name, ...uploaded, links, linkSenders };
      await options.keep?.(result);
      await state.remove();
      await removeAbandoned(state.abandoned, clients, signal);
      const { entries, size: bytes } = source;
      progress.done(
        { entries, bytes, skipped: 0, failed: 0 },
        new Uint8Array(uploaded.sender.digest).toHex(),
      );
      return result;
    } catch (error) {
      await state.close();
      throw error;
    }
  } finally {
    pool.close();
  }
}

/**
 * Removes what an earlier run has stored for nothing. It would expire by itself,
 * so what fails is left; a router that fails once is not asked again.
 */
async function removeAbandoned(
  abandoned: UploadState["abandoned"],
  clients: ReadonlyMap<string, readonly RouterClient[]>,
  signal: AbortSignal,
): Promise<void> {
  const lost = new Set<string>();
  for (const { router, sender } of abandoned) {
    if (lost.has(router)) continue;
    try {
      await clients.get(router)?.[0]?.remove(sender, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (codeOf(error) !== "unauthorized") lost.add(router);
    }
  }
}

/** The link of a description, or of one that leads to it if that is too long. */
async function linkOf(
  description: Description,
  { pool, randomBytes, signal }: {
    readonly pool: RouterPool;
    readonly randomBytes: StoreOptions["randomBytes"] & object;
    readonly signal: AbortSignal;
  },
): Promise<{ link: string; sender?: Description }> {
  const link = formatLink(hostOf(description), description);
  if (link.length <= LONG_LINK || description.chunks.length === 1) {
    return { link };
  }
  const text = new TextEncoder().encode(formatDescription(description));
  const header = encodeFileHeader({ name: "" });
  const { sender, recipients: [outer] } = await storeFile({
    header,
    content: contentOf(text),
    sizes: planChunks(payloadBytes(header, text.length)),
    recipients: 1,
    state: memoryUploadState(randomBytes),
    pool,
    signal,
    onChunk: () => {},
    onDrop: () => {},
  });
  if (outer === undefined) throw new RangeError("Cannot make a link: no chunk");
  const digest = new Uint8Array(createHash("sha512").update(text).digest());
  const redirect = { size: text.length, digest };
  return { link: formatLink(hostOf(outer), { ...outer, redirect }), sender };
}

function contentOf(bytes: Uint8Array): ReturnType<StoredSource["open"]> {
  let at = 0;
  return {
    size: bytes.length,
    fill(into) {
      into.set(bytes.subarray(at, at + into.length));
      at += into.length;
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}

/** Whose page opens a link: the router that has its first chunk. */
function hostOf({ chunks }: Description): RouterAddress {
  const router = chunks[0]?.replicas[0]?.router;
  if (router === undefined) throw new RangeError("Cannot link: no chunks");
  return router;
}

function checkOptions(
  routers: readonly RouterAddress[],
  recipients: number,
): void {
  if (routers.length === 0) {
    throw new SftpxError("usage", "Cannot store anything: no router is given");
  }
  if (
    !Number.isSafeInteger(recipients) || recipients < 1 ||
    recipients > MAX_RECIPIENTS
  ) {
    throw new SftpxError(
      "usage",
      `Cannot store for ${recipients} recipients: there can be 1 to ${MAX_RECIPIENTS}`,
    );
  }
}

function walkOptions(
  { name, follow, exclude, ignoreFile }: StoreOptions,
): Pick<StoreOptions, "name" | "follow" | "exclude" | "ignoreFile"> {
  return {
    ...name !== undefined && { name },
    ...follow !== undefined && { follow },
    ...exclude !== undefined && { exclude },
    ...ignoreFile !== undefined && { ignoreFile },
  };
}

function remoteOf([first, ...more]: readonly RouterAddress[]): string {
  const host = first?.hosts[0] ?? "";
  return more.length === 0 ? host : `${host} and ${more.length} more`;
}

function droppedWords(
  router: string,
  error: SftpxError,
  state: UploadState,
  chunks: number,
): string {
  const there = Array.from({ length: chunks }, (_, chunk) => chunk)
    .filter((chunk) =>
      state.isStored(chunk) && state.placed(chunk)?.router === router
    ).length;
  const what = there === 0
    ? "nothing of this is on it"
    : `${there} of ${chunks} chunks are on it and stay there`;
  return `router ${router} is left out, ${what}: ${error.message}`;
}
