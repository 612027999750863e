/**
 * Upload folders for tests.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import { safePath } from "../../store/paths.ts";
import { openRoot, type Root, type RootOptions } from "../../store/root.ts";

/** The id of a session. */
export const SESSION = "ab".repeat(32);

/** Puts in place what is new. */
export const NEW = { replace: false };

/** Puts in place over what is there. */
export const OVER = { replace: true };

/** Runs a test with descriptors and the C library, and as on other systems. */
export function testRoot(
  name: string,
  body: (root: Root, dir: string) => Promise<void>,
  options: RootOptions = {},
): void {
  for (const native of [true, false]) {
    Deno.test(`${name}${native ? "" : " (plain paths)"}`, async () => {
      const dir = await Deno.makeTempDir();
      const root = await openRoot(`${dir}/up`, { ...options, native });
      try {
        await body(root, root.dir);
      } finally {
        root.close();
        await Deno.remove(dir, { recursive: true });
      }
    });
  }
}

/** Receives a file, as persistence does but for the syncs. */
export async function receive(
  root: Root,
  name: string,
  text: string,
  options = NEW,
): Promise<boolean> {
  const parts = await root.partial(SESSION);
  try {
    const part = await parts.create(1);
    await part.write(new TextEncoder().encode(text), 0);
    await part.setMeta({ mode: 0o644, mtimeNs: 1_700_000_000_000_000_000n });
    part.close();
    return await root.commit(parts, 1, safePath(name), options);
  } finally {
    await parts.removeAll();
    parts.close();
  }
}

/** Makes sure that work fails, as the disk's fault, with that text. */
export async function failsWith(
  text: string,
  work: () => Promise<unknown>,
): Promise<void> {
  const error = await assertRejects(work, SftpxError, text);
  assertEquals(error.code, "local-io");
}

/** What a folder holds, in order. */
export function namesIn(dir: string): string[] {
  return [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
}
