import { assertEquals } from "@std/assert";
import { seeded } from "../tests/testutil/random.ts";
import { SESSION, testRoot } from "../tests/testutil/root.ts";
import { openJournal } from "./journal.ts";
import { safePath } from "./paths.ts";
import { createVault } from "./vault.ts";

const CHUNK = 64 * 1024;
// Stands for BLAKE3, which this folder does not know: any function of the bytes will do.
const digest = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => {
  const sum = new Uint8Array(32);
  bytes.forEach((byte, n) => sum[n % 32] = (sum[n % 32] ?? 0) * 31 + byte);
  return sum;
};

testRoot(
  "a file takes its first chunks from many lanes at once",
  async (root, dir) => {
    const { journal } = await openJournal({
      file: `${dir}/../state/journal.bitmap`,
      session: Uint8Array.fromHex(SESSION),
      root: dir,
      digest,
    });
    const partial = await root.partial(SESSION);
    const vault = createVault({
      root,
      partial,
      journal,
      digest: (bytes) => Promise.resolve({ digest: digest(bytes), bytes }),
      onConflict: "rename",
      checksum: false,
      reserve: () => Promise.resolve(),
      release: () => {},
    });
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
    if (admission.kind !== "want") {
      return;
    }
    const { file } = admission;
    await Promise.all(
      [4, 0, 2, 1, 3, 0, 4].map((chunk) =>
        file.write(chunk, content.subarray(chunk * CHUNK, (chunk + 1) * CHUNK))
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
    partial.close();
    await journal.close();
  },
);
