/**
 * A disk that nobody has used: ext4 in a file, for what makes many files.
 *
 * For minutes after files were removed, by whomever, ext4 looks at each inode
 * that was freed before it makes a file, which takes up to 200 µs. So two runs
 * can be compared only where nothing was removed.
 *
 * @module
 */
import { run } from "./transfer.ts";

/** A folder to measure in. */
export interface FreshDisk {
  readonly folder: string;
  /** What it is, for the table. */
  readonly what: string;
  /** Lets go of it, with all that is in it. */
  remove(): Promise<void>;
}

/** Holes until they are written. */
const BYTES = 16 * 2 ** 30;
const INODES = 1_000_000;

/** Makes one below `folder`; without root, it is a folder there. */
export async function freshDisk(folder: string): Promise<FreshDisk> {
  const [image, disk] = [`${folder}/disk.img`, `${folder}/disk`];
  await Deno.mkdir(disk);
  try {
    await Deno.writeFile(image, new Uint8Array());
    await Deno.truncate(image, BYTES);
    const atOnce = "lazy_itable_init=0,lazy_journal_init=0";
    await run(
      ["mkfs.ext4", "-q", "-F", "-N", `${INODES}`, "-E", atOnce, image],
    );
    await run(["mount", "-o", "loop", image, disk]);
  } catch {
    await Deno.remove(image).catch(() => {});
    return {
      folder: disk,
      what: "a folder of this disk",
      remove: () => Deno.remove(disk, { recursive: true }),
    };
  }
  return {
    folder: disk,
    what: "an ext4 that was made for it",
    async remove() {
      await run(["umount", disk]);
      await Deno.remove(image);
      await Deno.remove(disk);
    },
  };
}
