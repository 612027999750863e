/**
 * Trees to send, the same ones every time.
 *
 * @module
 */

/** A tree that was made. */
export interface Tree {
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** Numbers that look random and are the same in every run (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

/** One file of bytes that do not compress. */
export async function makeFile(path: string, bytes: number): Promise<Tree> {
  using file = await Deno.open(path, { write: true, create: true });
  const random = numbers(1);
  const block = Uint8Array.from({ length: MIB }, () => random() * 256);
  const count = new DataView(block.buffer);
  for (let at = 0; at < bytes; at += MIB) {
    count.setFloat64(0, at); // no two blocks are the same
    await writeAll(file, block.subarray(0, Math.min(MIB, bytes - at)));
  }
  return { path, files: 1, bytes };
}

/** A file of which one block in 64 holds something and the rest is a hole. */
export async function makeSparseFile(
  path: string,
  bytes: number,
): Promise<Tree> {
  using file = await Deno.open(path, { write: true, create: true });
  const random = numbers(2);
  const block = Uint8Array.from({ length: 64 * KIB }, () => random() * 256);
  for (let at = 0; at < bytes; at += 64 * block.length) {
    await file.seek(at, Deno.SeekMode.Start);
    await writeAll(file, block);
  }
  await file.truncate(bytes);
  return { path, files: 1, bytes };
}

/** Files of up to 256 MiB in one folder, most of each a hole. */
export async function makeLargeTree(
  path: string,
  bytes: number,
): Promise<Tree> {
  await Deno.mkdir(path, { recursive: true });
  let files = 0;
  for (let left = bytes; left > 0; left -= 256 * MIB) {
    await makeSparseFile(`${path}/f${files++}`, Math.min(left, 256 * MIB));
  }
  return { path, files, bytes };
}

/** Files of one size, 200 a folder. */
export async function makeSmallFiles(
  path: string,
  files: number,
  bytes: number,
): Promise<Tree> {
  const random = numbers(3);
  const block = Uint8Array.from({ length: bytes }, () => random() * 256);
  const count = new DataView(block.buffer);
  for (let n = 0; n < files; n++) {
    const folder = `${path}/d${String(Math.floor(n / 200)).padStart(4, "0")}`;
    if (n % 200 === 0) await Deno.mkdir(folder, { recursive: true });
    if (bytes >= 8) count.setFloat64(0, n);
    await Deno.writeFile(`${folder}/f${n}.dat`, block);
  }
  return { path, files, bytes: files * bytes };
}

/** Files as a source tree has them: most small, some large, in nested folders. */
export async function makeMixedFiles(
  path: string,
  files: number,
): Promise<Tree> {
  const random = numbers(4);
  const block = Uint8Array.from({ length: MIB }, () => random() * 256);
  const count = new DataView(block.buffer);
  let bytes = 0;
  for (let n = 0; n < files; n++) {
    const outer = n % 20;
    const folder = `${path}/part${outer}/mod${Math.floor(n / 20) % 25}`;
    if (n < 500) await Deno.mkdir(folder, { recursive: true });
    // Mostly 200 bytes to 50 KiB, half of them under 3 KiB; one in 33 up to 1 MiB.
    const size = random() < 0.97
      ? Math.floor(200 * 2 ** (random() * 8))
      : Math.floor(MIB * random());
    count.setFloat64(0, n);
    await Deno.writeFile(`${folder}/file${n}.ts`, block.subarray(0, size));
    bytes += size;
  }
  return { path, files, bytes };
}

/** Writes all of `bytes`. */
export async function writeAll(
  to: { write(bytes: Uint8Array): Promise<number> },
  bytes: Uint8Array,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += await to.write(bytes.subarray(done));
  }
}
