import { assertEquals } from "@std/assert";
import { listFiles, ROOT } from "../../_tools/tree.ts";

const DOCS = (await listFiles()).filter((path) => path.endsWith(".md"));

/** The folder of `path`, with its slash; nothing at the top. */
function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(ROOT + path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The paths below the repository that `text`, a page in `folder`, names. */
function namedPaths(text: string, folder: string): string[] {
  const links = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)]
    .map(([, link = ""]) => folder + link);
  // `store/paths.ts`, but not `actors/<name>.ts` or `x_test.ts`.
  const files = [
    ...text.matchAll(
      /`((?:core|protocol|crypto|transport|store|workers|actors|cmd|tests|_tools|docs)\/[\w./-]*\w\.\w+)`/g,
    ),
  ].map(([, path = ""]) => path);
  return [...links, ...files];
}

Deno.test("the pages name only files that are there", async () => {
  const missing: string[] = [];
  for (const page of DOCS) {
    const text = await Deno.readTextFile(ROOT + page);
    for (const path of namedPaths(text, folderOf(page))) {
      const clean = new URL(path, "file:///").pathname.slice(1);
      if (!await exists(decodeURIComponent(clean))) {
        missing.push(`${page}: ${path}`);
      }
    }
  }
  assertEquals(missing, []);
});

Deno.test("namedPaths() sees links and paths, and no addresses", () => {
  const text = "[a](b.md#c) [d](https://x.org/) [e](#f) `store/paths.ts` " +
    "`actors/<name>.ts` `and/or`";
  assertEquals(namedPaths(text, "docs/"), ["docs/b.md", "store/paths.ts"]);
});

Deno.test("no page has a place left to fill in", async () => {
  const marks = /\b(TODO|TBD|FIXME|XXX|lorem ipsum|coming soon)\b/i;
  const found: string[] = [];
  for (const page of DOCS) {
    if (marks.test(await Deno.readTextFile(ROOT + page))) {
      found.push(page);
    }
  }
  assertEquals(found, []);
});
