import { assertEquals } from "@std/assert";
import { seeded } from "../tests/testutil/random.ts";
import { testRoot } from "../tests/testutil/root.ts";
import { digest, withVaultOf } from "../tests/testutil/vault.ts";
import { safePath } from "./paths.ts";

const CHUNK = 64 * 1024;

testRoot(
  "a file takes its first chunks from many lanes at once",
  async (root, dir) => {
    await withVaultOf(root, `${dir}/../journal.bitmap`, async (bench) => {
      const { partial, vault } = bench;
      const random = seeded(1);
      const content = Uint8Array.from(
        { length: 5 * CHUNK },
        () => random() * 256,
      );
      const admission = await vault.admit({
        kind: "file",
        path: "big",
        mode: 0o644,
        mtimeNs: 0n,
        size: content.length,
        chunkSize: CHUNK,
      }, safePath("big"));
      assertEquals(admission.kind, "want");
      if (admission.kind !== "want") return;
      const { file } = admission;
      await Promise.all(
        [4, 0, 2, 1, 3, 0, 4].map((chunk) =>
          file.write(
            chunk,
            content.subarray(chunk * CHUNK, (chunk + 1) * CHUNK),
          )
        ),
      );
      await file.assemble();
      await file.sync();
      const { finalPath } = await file.place(digest(content));
      assertEquals(await Deno.readFile(`${dir}/${finalPath}`), content);
      // A chunk that comes when all is over is nobody's.
      file.close();
      await file.write(0, content.subarray(0, CHUNK));
      assertEquals(await partial.list(), []);
    });
  },
);
