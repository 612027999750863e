/**
 * Compares what was sent with what arrived, entry by entry and byte by byte.
 *
 * @module
 */

/** What was looked at, and what differs. */
export interface Comparison {
  readonly files: number;
  readonly folders: number;
  readonly links: number;
  readonly bytes: number;
  /** One line each; none when both are the same. */
  readonly differences: readonly string[];
}

const BLOCK_BYTES = 1024 * 1024;

/** Compares `copy` with `source`: files or folders with all that is in them. */
export async function compareTrees(
  source: string,
  copy: string,
): Promise<Comparison> {
  const counts = { files: 0, folders: 0, links: 0, bytes: 0 };
  const differences: string[] = [];
  const buffers = [new Uint8Array(BLOCK_BYTES), new Uint8Array(BLOCK_BYTES)];

  const compare = async (below: string): Promise<void> => {
    const [from, to] = [source + below, copy + below];
    const differs = (what: string): number =>
      differences.push(`${JSON.stringify(below || source)}: ${what}`);
    const [a, b] = [await Deno.lstat(from), await lstatOrNone(to)];
    if (b === undefined) {
      differs("missing");
      return;
    }
    if (kindOf(a) !== kindOf(b)) {
      differs(`is a ${kindOf(b)}, not a ${kindOf(a)}`);
      return;
    }
    if (a.isSymlink) {
      counts.links++;
      const targets = [await Deno.readLink(from), await Deno.readLink(to)];
      if (targets[0] !== targets[1]) {
        differs(`leads to "${targets[1]}", not to "${targets[0]}"`);
      }
      return;
    }
    if (Deno.build.os !== "windows" && modeOf(a) !== modeOf(b)) {
      differs(`mode ${octal(modeOf(b))}, not ${octal(modeOf(a))}`);
    }
    if (a.mtime?.getTime() !== b.mtime?.getTime()) {
      differs(`time ${b.mtime?.toISOString()}, not ${a.mtime?.toISOString()}`);
    }
    if (a.isDirectory) {
      counts.folders++;
      const names = await namesIn(from);
      for (const name of names) {
        await compare(`${below}/${name}`);
      }
      for (const name of (await namesIn(to)).difference(names)) {
        differs(`has "${name}", which was not sent`);
      }
      return;
    }
    counts.files++;
    counts.bytes += a.size;
    if (from === to) return; // only counted
    const at = a.size === b.size
      ? await firstDifference(from, to, buffers)
      : Math.min(a.size, b.size);
    if (at !== undefined) {
      differs(
        `content differs from byte ${at} (${a.size} and ${b.size} bytes)`,
      );
    }
  };

  await compare("");
  return { ...counts, differences };
}

async function firstDifference(
  from: string,
  to: string,
  [a = new Uint8Array(), b = new Uint8Array()]: readonly Uint8Array<
    ArrayBuffer
  >[],
): Promise<number | undefined> {
  using left = await Deno.open(from);
  using right = await Deno.open(to);
  for (let offset = 0;;) {
    const [n, m] = [await fill(left, a), await fill(right, b)];
    for (let i = 0; i < Math.min(n, m); i++) {
      if (a[i] !== b[i]) return offset + i;
    }
    if (n !== m) return offset + Math.min(n, m);
    if (n === 0) return undefined;
    offset += n;
  }
}

async function fill(file: Deno.FsFile, block: Uint8Array): Promise<number> {
  let filled = 0;
  while (filled < block.length) {
    const count = await file.read(block.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return filled;
}

async function lstatOrNone(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function namesIn(folder: string): Promise<Set<string>> {
  const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  return new Set(names.sort());
}

function kindOf(info: Deno.FileInfo): string {
  return info.isSymlink ? "link" : info.isDirectory ? "folder" : "file";
}

function modeOf(info: Deno.FileInfo): number {
  return (info.mode ?? 0) & 0o7777;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
