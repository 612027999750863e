/**
 * Directories that are gone after the test.
 *
 * @module
 */

/** A directory of one's own. */
export interface TempDir extends AsyncDisposable {
  readonly path: string;
  /** A path inside of it. */
  join(...parts: string[]): string;
}

/**
 * Creates an empty directory, which is removed at the end of the block.
 *
 * @example Usage
 * ```ts ignore
 * await using dir = await tempDir();
 * await Deno.writeTextFile(dir.join("a.txt"), "a");
 * ```
 */
export async function tempDir(prefix = "sftpx-test-"): Promise<TempDir> {
  // Resolved, as paths that the program prints are.
  const path = await Deno.realPath(await Deno.makeTempDir({ prefix }));
  return {
    path,
    join: (...parts) => [path, ...parts].join("/"),
    async [Symbol.asyncDispose]() {
      try {
        await Deno.remove(path, { recursive: true });
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return;
        await unlock(path); // a test made folders that cannot be written
        await Deno.remove(path, { recursive: true });
      }
    },
  };
}

async function unlock(dir: string): Promise<void> {
  await Deno.chmod(dir, 0o700);
  for await (const entry of Deno.readDir(dir)) {
    if (entry.isDirectory) await unlock(`${dir}/${entry.name}`);
  }
}
