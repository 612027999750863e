/**
 * Puts what was fetched in its place: the names are a sender's, so all of them
 * go through `safePath()`, and files are put in place whole.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { isPlaceFailure } from "../store/io_error.ts";
import {
  foldedName,
  isHidden,
  linkStaysInside,
  numberedPath,
  quoted,
  type SafePath,
  safePath,
} from "../store/paths.ts";
import type { PartFile, PartialDir, Root } from "../store/root.ts";
import type { FetchOptions } from "./client_options.ts";
import type { Outcome, Thing } from "./client_outcome.ts";
import { type TarReader, tarReader } from "./tar_read.ts";

/** What to do with names. */
export type NamePolicy = Required<
  Pick<FetchOptions, "onConflict" | "allowHidden" | "links">
>;

/** Where a thing came to stand; `undefined` if the same was there. */
export type Place = SafePath | undefined;

/**
 * Does what places a thing. What its own place or the policy refuses is left
 * out, and others go on, unless a taken name is to end it all.
 */
export async function placing(
  thing: Thing,
  { onConflict }: NamePolicy,
  work: () => Promise<Place>,
): Promise<Outcome> {
  try {
    return { ...thing, place: await work() };
  } catch (error) {
    if (!(error instanceof SftpxError)) throw error;
    const isLeftOut = error.code === "unauthorized" ||
      isPlaceFailure(error) && onConflict !== "fail";
    if (!isLeftOut) throw error;
    return { ...thing, place: undefined, refusal: error };
  }
}

/** Names that are tried when one is taken. */
const MAX_NUMBER = 9999;
const COMPARE_BYTES = 1024 * 1024;

/** Makes a path of a name that a sender gave to one file. */
export function fileName(
  name: string,
  root: Root,
  policy: NamePolicy,
): SafePath {
  const path = safePath(name, { portable: root.portable });
  if (path.includes("/")) {
    throw new SftpxError(
      "protocol",
      `Cannot use the name ${quoted(name)}: it is one of a folder and a file`,
    );
  }
  const refusal = hiddenRefusal(path, policy);
  if (refusal !== undefined) throw refusal;
  return path;
}

/** Puts a part in place that is whole and on disk. */
export async function placeFile(
  root: Root,
  partial: PartialDir,
  slot: number,
  path: SafePath,
  { onConflict }: NamePolicy,
): Promise<Place> {
  if (onConflict === "overwrite") {
    if (await root.commit(partial, slot, path, { replace: true })) return path;
    throw taken(path); // a folder is in the way
  }
  for (let number = 0; number <= MAX_NUMBER; number++) {
    const place = number === 0 ? path : numberedPath(path, number);
    if (await root.commit(partial, slot, place, { replace: false })) {
      return place;
    }
    if (await isSame(root, partial, slot, place)) {
      await partial.remove(slot);
      return undefined;
    }
    if (onConflict !== "rename") break;
  }
  throw taken(path);
}

/** Unpacks an archive that was proven, as it comes. */
export function unpacker(
  root: Root,
  partial: PartialDir,
  slot: number,
  policy: NamePolicy,
  limits: { readonly maxFiles: number },
  onOutcome: (outcome: Outcome) => void,
): TarReader & {
  /** Gives folders their modes and times, when nothing more comes. */
  settle(): Promise<void>;
} {
  const names = new Set<string>();
  const folders: { path: SafePath; mode: number; mtimeNs: bigint }[] = [];
  let file: {
    readonly part: PartFile;
    readonly path: SafePath;
    readonly meta: { mode: number; mtimeNs: bigint };
    at: number;
  } | undefined;

  const admit = (wire: string): SafePath => {
    const path = safePath(wire, { portable: root.portable });
    const name = root.portable ? foldedName(path) : path;
    if (names.has(name)) {
      throw new SftpxError(
        "protocol",
        `Cannot unpack ${quoted(path)}: the archive has it twice`,
      );
    }
    names.add(name);
    if (names.size > limits.maxFiles) {
      throw new SftpxError(
        "unauthorized",
        `Cannot unpack the archive: it has more than ${limits.maxFiles} entries`,
      );
    }
    return path;
  };

  const reader = tarReader({
    async entry({ kind, path: wire, size, mode, mtimeSeconds, target = "" }) {
      const path = admit(wire);
      const refusal = hiddenRefusal(path, policy);
      if (refusal !== undefined) {
        onOutcome({ path, kind, bytes: size, place: undefined, refusal });
        return; // and its content is passed over
      }
      const mtimeNs = BigInt(mtimeSeconds) * 1_000_000_000n;
      if (kind === "file") {
        await partial.remove(slot);
        const part = await partial.create(slot);
        file = { part, path, meta: { mode, mtimeNs }, at: 0 };
        return;
      }
      const thing = { path, kind, bytes: 0 };
      onOutcome(
        await placing(thing, policy, async () => {
          if (kind === "link") return placeLink(root, path, target, policy);
          await root.makeDir(path);
          folders.push({ path, mode, mtimeNs });
          return path;
        }),
      );
    },
    async content(bytes) {
      if (file === undefined) return;
      await file.part.write(bytes, file.at);
      file.at += bytes.length;
    },
    async end() {
      if (file === undefined) return;
      const { part, path, meta, at } = file;
      file = undefined;
      try {
        await part.setMeta(meta);
        await part.sync();
      } finally {
        part.close();
      }
      const thing = { path, kind: "file" as const, bytes: at };
      onOutcome(
        await placing(
          thing,
          policy,
          () => placeFile(root, partial, slot, path, policy),
        ),
      );
    },
  });
  return {
    ...reader,
    async settle() {
      for (const { path, mode, mtimeNs } of folders.toReversed()) {
        await root.setMeta(path, { mode, mtimeNs });
      }
    },
  };
}

async function placeLink(
  root: Root,
  path: SafePath,
  target: string,
  { links, onConflict }: NamePolicy,
): Promise<Place> {
  if (links === "none") {
    throw new SftpxError(
      "unauthorized",
      `Cannot unpack link ${quoted(path)}: no links are taken here`,
    );
  }
  if (links === "inside" && !linkStaysInside(path, target)) {
    throw new SftpxError(
      "unauthorized",
      `Cannot unpack link ${quoted(path)}: it leads out of what was sent, to ${
        quoted(target)
      }`,
    );
  }
  for (let number = 0; number <= MAX_NUMBER; number++) {
    const place = number === 0 ? path : numberedPath(path, number);
    if (await root.readLink(place) === target) return undefined;
    const replace = onConflict === "overwrite";
    if (await root.makeLink(place, target, { replace })) return place;
    if (onConflict !== "rename") break;
  }
  throw taken(path);
}

async function isSame(
  root: Root,
  partial: PartialDir,
  slot: number,
  path: SafePath,
): Promise<boolean> {
  const there = await root.openRead(path);
  const part = there && await partial.open(slot);
  try {
    if (there === undefined || part === undefined) return false;
    const size = await part.size();
    if (await there.size() !== size) return false;
    const [one, other] = [
      new Uint8Array(COMPARE_BYTES),
      new Uint8Array(COMPARE_BYTES),
    ];
    for (let at = 0; at < size; at += COMPARE_BYTES) {
      const length = await part.read(one, at);
      if (await there.read(other, at) !== length) return false;
      for (let i = 0; i < length; i++) if (one[i] !== other[i]) return false;
    }
    return true;
  } finally {
    there?.close();
    part?.close();
  }
}

function hiddenRefusal(
  path: SafePath,
  { allowHidden }: NamePolicy,
): SftpxError | undefined {
  if (allowHidden || !isHidden(path)) return undefined;
  return new SftpxError(
    "unauthorized",
    `Cannot use the name ${quoted(path)}: it begins with a dot`,
  );
}

function taken(path: SafePath): SftpxError {
  return new SftpxError(
    "local-io",
    `Cannot receive ${quoted(path)}: something of that name is there already`,
  );
}
