/**
 * From a stored file that is all there to what was stored: its proof, and the
 * place of what is in it.
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import { equalBytes } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import type { PartFile, PartialDir, Root } from "../store/root.ts";
import type { FetchOptions, FetchResult } from "./client_options.ts";
import { countOutcomes } from "./client_outcome.ts";
import {
  fileName,
  type NamePolicy,
  placeFile,
  placing,
  unpacker,
} from "./client_place.ts";
import type { StoreProgress } from "./client_progress.ts";
import { ARCHIVE_ENDING } from "./client_source.ts";
import type { Description } from "./description.ts";
import type { Bytes } from "./encoding.ts";
import { type FileOpener, openFileContent } from "./file_crypto.ts";

/** What is being fetched, and how. */
export interface Fetched {
  readonly description: Description;
  /** Names the parts; hex. */
  readonly session: string;
  readonly options: FetchOptions;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly progress: StoreProgress;
}

/** Where the stored file is kept, and where what comes of it. */
export const SLOT = { stored: 0, content: 1 } as const;

/** How the errors of a stored file begin that is not what it was to be. */
const BAD_WHOLE = "Cannot open the stored file";

/** Read at once; a header is within the first. */
const READ_BYTES = 1024 * 1024;

/** Whether nothing of a stored file can be used: each chunk was right by itself. */
export function isBadWhole(error: unknown): boolean {
  return error instanceof SftpxError && error.message.startsWith(BAD_WHOLE);
}

/** Proves the stored file, and puts what is in it in place. */
export async function placeStored(
  fetch: Fetched,
  root: Root,
  partial: PartialDir,
  stored: PartFile,
): Promise<FetchResult> {
  const { description, session, options, progress } = fetch;
  const { onEvent = () => {} } = options;
  const policy: NamePolicy = {
    onConflict: options.onConflict ?? "rename",
    allowHidden: options.allowHidden ?? false,
    links: options.links ?? "inside",
  };
  const header = await peekHeader(description, stored);
  const isArchive = options.name === undefined &&
    options.unpack !== false && header.name.endsWith(ARCHIVE_ENDING);
  const outcomes = countOutcomes(session, onEvent);
  if (isArchive) {
    await decrypt(fetch, stored, true, () => Promise.resolve());
    const archive = unpacker(
      root,
      partial,
      SLOT.content,
      policy,
      { maxFiles: options.maxFiles ?? Infinity },
      outcomes.add,
    );
    await decrypt(fetch, stored, false, (bytes) => archive.update(bytes));
    archive.finish();
    await archive.settle();
  } else {
    const path = fileName(options.name ?? header.name, root, policy);
    const bytes = await openContent(fetch, partial, stored);
    outcomes.add(
      await placing(
        { path, kind: "file", bytes },
        policy,
        () => placeFile(root, partial, SLOT.content, path, policy),
      ),
    );
  }
  const { totals, failures, places } = outcomes;
  progress.done(totals, new Uint8Array(description.digest).toHex());
  return { places, bytes: totals.bytes, failed: totals.failed, failures };
}

/** Decrypts what is one file into a part of its own, while it is proven. */
async function openContent(
  fetch: Fetched,
  partial: PartialDir,
  stored: PartFile,
): Promise<number> {
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
  return bytes;
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
  { description, signal }: Fetched,
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
