/**
 * Makes a folder that is awkward to send: one huge file, many small ones, and
 * the things that copies tend to forget.
 *
 * @module
 */

/** How much to make. */
export interface TreeOptions {
  /** Size of the one big file. */
  readonly bigBytes: number;
  /** How many small ones. */
  readonly smallFiles: number;
}

/** Names that are harder than they look. */
const FOLDERS = [
  "letters",
  "with spaces in its name",
  "Überraschung à Orléans",
  "日本語",
  "📷 holiday",
  "a/b/c/d/e/f",
];
const SUFFIXES = [".txt", " copy.txt", "-é.dat", ".🎉", ".tar.gz", ""];
const MODES = [0o644, 0o600, 0o755, 0o640, 0o444];
const LARGEST_SMALL_BYTES = 96 * 1024;
/** 2001-09-09: old enough that a copy which forgets times is caught. */
const OLDEST_SECONDS = 1_000_000_000;

/** Fills the folder `root`, which must not exist yet. */
export async function makeTree(
  root: string,
  options: TreeOptions,
): Promise<void> {
  const next = numbers(0x5f7c);
  await Deno.mkdir(root);
  for (const folder of FOLDERS) {
    await Deno.mkdir(`${root}/${folder}`, { recursive: true });
  }
  await writeNoise(`${root}/film.raw`, options.bigBytes, next);
  for (let i = 0; i < options.smallFiles; i++) {
    const path = `${root}/${FOLDERS[i % FOLDERS.length]}/${i}${
      SUFFIXES[next() % SUFFIXES.length]
    }`;
    // Small sizes are more frequent than large ones, as on a real disk.
    const share = next() / 2 ** 32;
    const size = Math.floor(LARGEST_SMALL_BYTES * share ** 3);
    await writeNoise(path, size, next);
    await Deno.chmod(path, MODES[i % MODES.length] ?? 0o644);
    const time = OLDEST_SECONDS + next() % 700_000_000;
    await Deno.utime(path, time, time);
  }
  await Deno.writeFile(`${root}/empty file`, new Uint8Array());
  await Deno.mkdir(`${root}/empty folder`);
  await Deno.symlink("letters", `${root}/link to letters`);
  await Deno.chmod(`${root}/letters`, 0o750);
  await Deno.utime(`${root}/empty folder`, OLDEST_SECONDS, OLDEST_SECONDS);
}

/** Writes `size` bytes that do not compress and do not repeat. */
async function writeNoise(
  path: string,
  size: number,
  next: () => number,
): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true });
  const block = new Uint32Array(Math.min(2 ** 18, Math.ceil(size / 4)));
  for (let left = size; left > 0;) {
    for (let i = 0; i < block.length; i++) {
      block[i] = next();
    }
    let rest = new Uint8Array(block.buffer).subarray(0, left);
    left -= rest.length;
    while (rest.length > 0) {
      rest = rest.subarray(await file.write(rest));
    }
  }
}

/** Xorshift: fast numbers of 32 bits, the same on every run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
