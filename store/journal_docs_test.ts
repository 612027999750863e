import { assertEquals } from "@std/assert";
import {
  contentOf,
  digestOf,
  FILE,
  openOn,
} from "../tests/testutil/journals.ts";
import { memoryDisk } from "../tests/testutil/memory_journal_fs.ts";

const DOCS = new URL("../docs/journal.md", import.meta.url);

Deno.test("the example in docs/journal.md is a journal, and says what it says there", async () => {
  const text = await Deno.readTextFile(DOCS);
  const hex = /^```hex\n([^]*?)^```$/m.exec(text)?.[1] ?? "";
  const bytes = Uint8Array.fromHex(hex.replaceAll(/#.*$|\s/gm, ""));
  const disk = memoryDisk();
  disk.files.set(FILE, bytes);
  const session = new Uint8Array(32).fill(1);
  const { journal, state } = await openOn(disk, { session, root: "/uploads" });
  assertEquals(state, "resumed");
  const at = 1_700_000_000_000_000_000n;
  assertEquals(await contentOf(journal, ["a.txt", "b", "docs/plan.md"]), {
    parts: [{
      slot: 0,
      path: "docs/plan.md",
      size: 150_000,
      mtimeNs: at,
      chunkSize: 65_536,
      digests: [[1, "aa".repeat(32)], [2, "bb".repeat(32)]],
    }],
    done: [{
      path: "a.txt",
      size: 5,
      mtimeNs: at,
      digest: new Uint8Array(32).fill(0xcc),
      finalPath: "a (1).txt",
      local: { size: 5, mtimeNs: at, ctimeNs: at + 500_000_000n, ino: 4711n },
    }],
  });
  assertEquals(
    journal.begin({ path: "c", size: 9, mtimeNs: 0n, chunkSize: 9 }),
    2,
  );
  journal.have(2, 0, digestOf(0));
  await journal.close();
});
