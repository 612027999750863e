/**
 * Stores one file on routers, and gives the descriptions of it.
 *
 * The file is read, encrypted and cut in order, once, a chunk at a time: the
 * digest that a router wants before a chunk is of what is in memory. What an
 * earlier run has stored is encrypted again, as the digest of the whole and the
 * tag at its end need it, but not sent again.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { equalBytes } from "../core/bytes.ts";
import { codeOf, SftpxError } from "../core/errors.ts";
import { formatRouterAddress, parseRouterAddress } from "./address.ts";
import type { RouterPool } from "./client_pool.ts";
import type { RouterClient } from "./client_router.ts";
import type { PlacedChunk, UploadState } from "./client_state.ts";
import type { DescribedChunk, Description } from "./description.ts";
import type { Bytes } from "./encoding.ts";
import { type ContentSource, encryptChunks } from "./file_crypto.ts";
import { makeKeyPair } from "./keys.ts";

/** What is to be stored, and how. */
export interface Upload {
  readonly header: Uint8Array;
  readonly content: ContentSource;
  readonly sizes: readonly number[];
  readonly recipients: number;
  readonly state: UploadState;
  readonly pool: RouterPool;
  readonly signal: AbortSignal;
  /** Told of each chunk that is stored and was not before. */
  readonly onChunk: (bytes: number) => void;
  /** Told of a router that is used no more. */
  readonly onDrop: (router: string, error: SftpxError) => void;
}

/**
 * Tells whether an upload failed as its state belongs to another content. It
 * must be forgotten: two contents under one key would tell of each other.
 */
export function isStale(error: unknown): boolean {
  return error instanceof SftpxError && error.cause === STALE;
}

const STALE = "stale";

/** What came of it. */
export interface Uploaded {
  readonly sender: Description;
  readonly recipients: readonly Description[];
}

/** Stores a file. */
export async function storeFile(upload: Upload): Promise<Uploaded> {
  const { header, content, sizes, state, onChunk } = upload;
  const whole = createHash("sha512");
  const failed = new AbortController();
  const signal = AbortSignal.any([upload.signal, failed.signal]);
  const underWay = new Set<Promise<void>>();
  let failure: unknown;
  const fail = (error: unknown): void => {
    failure ??= error;
    failed.abort(error);
  };
  let index = 0;
  try {
    for await (
      const bytes of encryptChunks(state.secret, header, content, sizes)
    ) {
      signal.throwIfAborted();
      whole.update(bytes);
      const digest = await sha256(bytes);
      const chunk = index++;
      const placed = state.placed(chunk);
      if (placed !== undefined && !equalBytes(placed.digest, digest)) {
        throw new SftpxError(
          "local-io",
          "Cannot go on with the upload: the source has changed, and its time has not",
          STALE,
        );
      }
      if (state.isStored(chunk)) continue;
      // Waits for a free router before the next chunk is made.
      const taken = await upload.pool.take(placed?.router, signal);
      const work = storeChunk(upload, signal, { chunk, bytes, digest }, taken)
        .then(() => onChunk(bytes.length))
        .catch(fail)
        .finally(() => underWay.delete(work));
      underWay.add(work);
    }
  } catch (error) {
    fail(error);
  }
  await Promise.all(underWay);
  if (failure !== undefined) {
    upload.signal.throwIfAborted();
    throw failure;
  }
  return described(upload, new Uint8Array(whole.digest()));
}

interface ReadyChunk {
  readonly chunk: number;
  readonly bytes: Bytes;
  readonly digest: Uint8Array;
}

/** Stores a chunk on the router that was taken, or on another if that fails. */
async function storeChunk(
  upload: Upload,
  signal: AbortSignal,
  ready: ReadyChunk,
  first: Awaited<ReturnType<RouterPool["take"]>>,
): Promise<void> {
  for (let taken = first;;) {
    try {
      await storeOn(upload, signal, ready, taken.name, taken.client);
      taken.free();
      return;
    } catch (error) {
      if (signal.aborted || !isRoutersFault(error)) {
        taken.free();
        throw error;
      }
      taken.drop(error);
      upload.onDrop(taken.name, error);
      taken = await upload.pool.take(undefined, signal);
    }
  }
}

async function storeOn(
  { state, recipients }: Upload,
  signal: AbortSignal,
  { chunk, bytes, digest }: ReadyChunk,
  router: string,
  client: RouterClient,
): Promise<void> {
  const before = state.placed(chunk);
  let placed = before?.router === router ? before : undefined;
  for (;;) {
    const isOld = placed !== undefined;
    placed ??= await placeOn(
      client,
      router,
      bytes.length,
      digest,
      recipients,
      signal,
    );
    if (!isOld) await state.place(chunk, placed);
    try {
      await client.put(placed.sender, bytes, signal);
      await state.stored(chunk);
      return;
    } catch (error) {
      // A place of an earlier run may have expired.
      if (!isOld || codeOf(error) !== "unauthorized") throw error;
      placed = undefined;
    }
  }
}

async function placeOn(
  client: RouterClient,
  router: string,
  size: number,
  digest: Uint8Array,
  recipients: number,
  signal: AbortSignal,
): Promise<PlacedChunk> {
  const senderKey = makeKeyPair("ed25519");
  const keys = Array.from({ length: recipients }, () => makeKeyPair("ed25519"));
  const { senderId, recipientIds } = await client.create({
    senderKey,
    recipientKeys: keys.map(({ publicKey }) => publicKey),
    size,
    digest,
  }, signal);
  return {
    router,
    digest,
    sender: { id: senderId, key: senderKey.privateKey },
    recipients: keys.flatMap(({ privateKey: key }, at) => {
      const id = recipientIds[at];
      return id === undefined ? [] : [{ id, key }];
    }),
  };
}

/** Whether another router may do better. */
function isRoutersFault(error: unknown): error is SftpxError {
  return error instanceof SftpxError &&
    /^(unreachable|connection-lost|peer-busy|unauthorized|protocol|integrity)$/
      .test(error.code);
}

function described(
  { sizes, recipients, state }: Upload,
  digest: Uint8Array,
): Uploaded {
  const size = sizes.reduce((sum, each) => sum + each, 0);
  const chunksFor = (recipient: number | undefined): DescribedChunk[] =>
    sizes.map((size, chunk) => {
      const placed = state.placed(chunk);
      const entity = recipient === undefined
        ? placed?.sender
        : placed?.recipients[recipient];
      if (placed === undefined || entity === undefined) {
        throw new RangeError(`Cannot describe chunk ${chunk}: it has no place`);
      }
      const router = parseRouterAddress(placed.router);
      return { size, digest: placed.digest, replicas: [{ router, ...entity }] };
    });
  const { key, nonce } = state.secret;
  const common = { size, digest, key, nonce };
  return {
    sender: { ...common, party: "sender", chunks: chunksFor(undefined) },
    recipients: Array.from({ length: recipients }, (_, at) => ({
      ...common,
      party: "recipient",
      chunks: chunksFor(at),
    })),
  };
}

/** What a router is called in states and pools: its address without password. */
export function routerName(client: RouterClient): string {
  return formatRouterAddress(client.address);
}

/** On another thread: this one has connections to serve. */
async function sha256(bytes: Bytes): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}
