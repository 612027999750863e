/**
 * Trees of files: made from a description, and compared.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { intBetween, pick, type Random, seeded } from "./random.ts";

/** What stands at a path. A number is a file of so many bytes of noise, a string a file's text. */
export type TreeNode = number | string | FileNode | DirNode | LinkNode;

/** A file; its content is `text`, or `size` bytes of noise. */
export interface FileNode {
  readonly kind: "file";
  readonly size?: number;
  readonly text?: string;
  readonly mode?: number;
  readonly mtimeMs?: number;
}

/** A folder. Those above a path are made without being named. */
export interface DirNode {
  readonly kind: "dir";
  readonly mode?: number;
  readonly mtimeMs?: number;
}

/** A symbolic link. */
export interface LinkNode {
  readonly kind: "link";
  readonly target: string;
}

/** Nodes by their path, with "/" between names. */
export type TreeSpec = Readonly<Record<string, TreeNode>>;

/**
 * Makes the tree below `dir`. The same spec and seed give the same bytes and
 * times, and no two files the same content.
 */
export async function makeTree(
  dir: string,
  spec: TreeSpec,
  seed = 1,
): Promise<void> {
  await Deno.mkdir(dir, { recursive: true });
  const folders = new Map<string, DirNode>();
  for (const [path, node] of Object.entries(spec)) {
    const full = `${dir}/${path}`;
    for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) {
      const above = path.slice(0, at);
      if (!folders.has(above)) folders.set(above, { kind: "dir" });
    }
    await Deno.mkdir(full.slice(0, full.lastIndexOf("/")), { recursive: true });
    const made = typeof node === "number"
      ? { kind: "file", size: node } as const
      : typeof node === "string"
      ? { kind: "file", text: node } as const
      : node;
    if (made.kind === "link") {
      await Deno.symlink(made.target, full);
    } else if (made.kind === "dir") {
      await Deno.mkdir(full, { recursive: true });
      folders.set(path, made);
    } else {
      await makeFile(full, made, hash(`${seed} ${path}`));
    }
  }
  // Deepest first, and after the files: what is put into a folder changes its time.
  const deepest = [...folders].sort(([a], [b]) => b.length - a.length);
  for (const [path, { mode, mtimeMs }] of deepest) {
    await stamp(`${dir}/${path}`, mtimeMs ?? timeOf(`${seed} ${path}`));
    if (mode !== undefined) await Deno.chmod(`${dir}/${path}`, mode);
  }
}

/** Invents a tree with all that is awkward: empty, tiny, odd names, links, sizes round a chunk. */
export function randomTree(
  random: Random,
  options: { readonly entries?: number; readonly chunkSize?: number } = {},
): TreeSpec {
  const { entries = 40, chunkSize = 1 << 16 } = options;
  const sizes = [0, 1, 1000, chunkSize - 1, chunkSize, chunkSize + 1];
  const spec: Record<string, TreeNode> = {};
  const folders = [""];
  for (let n = 0; n < entries; n++) {
    const path = `${pick(random, folders)}${pick(random, NAMES)}${n}`;
    const kind = random();
    if (kind < 0.15) {
      spec[path] = { kind: "dir" };
      folders.push(`${path}/`);
    } else if (kind < 0.2) {
      spec[path] = { kind: "link", target: pick(random, NAMES) };
    } else {
      const mode = pick(random, [0o644, 0o600, 0o755, 0o444]);
      const size = random() < 0.8
        ? pick(random, sizes)
        : intBetween(random, 0, 4 * chunkSize);
      spec[path] = { kind: "file", size, mode };
    }
  }
  return spec;
}

/** What counts as a difference. */
export interface SameTreeOptions {
  /** Times of files and folders. @default {true} */
  readonly times?: boolean;
  /** Permission bits of files and folders. @default {true} */
  readonly modes?: boolean;
  /** Paths that are passed over, with all below. */
  readonly ignore?: (path: string) => boolean;
}

/** Lists how two trees differ, one sentence each; empty when they are the same. */
export async function sameTree(
  a: string,
  b: string,
  options: SameTreeOptions = {},
): Promise<string[]> {
  const [left, right] = [await list(a, options), await list(b, options)];
  const differences: string[] = [];
  for (const path of [...new Set([...left.keys(), ...right.keys()])].sort()) {
    const [l, r] = [left.get(path), right.get(path)];
    const name = JSON.stringify(path);
    if (l === undefined || r === undefined) {
      differences.push(`${name} is only in ${l === undefined ? b : a}`);
      continue;
    }
    for (
      const field of ["kind", "mode", "mtimeMs", "size", "target"] as const
    ) {
      if (l[field] !== r[field]) {
        differences.push(`${name}: ${field} is ${l[field]} and ${r[field]}`);
      }
    }
    if (l.kind !== "file" || r.kind !== "file" || l.size !== r.size) continue;
    const [x, y] = [await digest(`${a}/${path}`), await digest(`${b}/${path}`)];
    if (x !== y) differences.push(`${name}: content differs`);
  }
  return differences;
}

/** Digests a tree: equal for trees that `sameTree` finds equal, SHA-256 in hex. */
export async function digestTree(
  dir: string,
  options: SameTreeOptions = {},
): Promise<string> {
  const all = createHash("sha256");
  const entries = [...await list(dir, options)].sort(([a], [b]) =>
    a < b ? -1 : 1
  );
  for (const [path, entry] of entries) {
    const content = entry.kind === "file" ? await digest(`${dir}/${path}`) : "";
    all.update(JSON.stringify([path, entry, content]));
  }
  return all.digest("hex");
}

interface Entry {
  readonly kind: "file" | "dir" | "link" | "other";
  readonly size: number | undefined;
  readonly mode: number | undefined;
  readonly mtimeMs: number | undefined;
  readonly target: string | undefined;
}

const NAMES = [
  "plain",
  "with space ",
  "-dash",
  "ünïcode",
  "漢字",
  "🎉",
  "a'b\"c",
  "$(x)",
  "e\u0301", // the same as the next to the eye, not to the disk
  "\u00e9",
  "long-".repeat(30),
];

async function list(
  root: string,
  options: SameTreeOptions,
): Promise<Map<string, Entry>> {
  const { times = true, modes = true, ignore = () => false } = options;
  const entries = new Map<string, Entry>();
  const walk = async (below: string): Promise<void> => {
    for await (const { name } of Deno.readDir(`${root}/${below}`)) {
      const path = below + name;
      if (ignore(path)) continue;
      const info = await Deno.lstat(`${root}/${path}`);
      const link = info.isSymlink;
      entries.set(path, {
        kind: kindOf(info),
        size: info.isFile ? info.size : undefined,
        mode: modes && !link ? (info.mode ?? 0) & 0o7777 : undefined,
        mtimeMs: times && !link ? info.mtime?.getTime() : undefined,
        target: link ? await Deno.readLink(`${root}/${path}`) : undefined,
      });
      if (info.isDirectory) await walk(`${path}/`);
    }
  };
  await walk("");
  return entries;
}

function kindOf(info: Deno.FileInfo): Entry["kind"] {
  if (info.isSymlink) return "link";
  if (info.isDirectory) return "dir";
  return info.isFile ? "file" : "other";
}

async function digest(path: string): Promise<string> {
  const content = createHash("sha256");
  using file = await Deno.open(path);
  const buffer = new Uint8Array(1 << 18);
  for (;;) {
    const length = await file.read(buffer);
    if (length === null) return content.digest("hex");
    content.update(buffer.subarray(0, length));
  }
}

async function makeFile(
  path: string,
  { size = 0, text, mode = 0o644, mtimeMs }: FileNode,
  seed: number,
): Promise<void> {
  if (text !== undefined) {
    await Deno.writeTextFile(path, text);
  } else {
    using file = await Deno.open(path, { write: true, createNew: true });
    const random = seeded(seed);
    const block = new Uint32Array(Math.min(1 << 18, Math.ceil(size / 4)));
    for (let left = size; left > 0;) {
      for (let i = 0; i < block.length; i++) block[i] = random() * 2 ** 32;
      const bytes = new Uint8Array(
        block.buffer,
        0,
        Math.min(left, block.byteLength),
      );
      for (let at = 0; at < bytes.length;) {
        at += await file.write(bytes.subarray(at));
      }
      left -= bytes.length;
    }
  }
  await stamp(path, mtimeMs ?? timeOf(`${seed}`));
  await Deno.chmod(path, mode);
}

async function stamp(path: string, mtimeMs: number): Promise<void> {
  const time = new Date(mtimeMs);
  await Deno.utime(path, time, time);
}

/** Some moment of 2020, with milliseconds. */
function timeOf(key: string): number {
  return 1_577_836_800_000 + hash(key) * 7;
}

/** FNV-1a, 32 bits: enough to tell paths apart. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    value = Math.imul(value ^ byte, 0x01000193);
  }
  return value >>> 0;
}
