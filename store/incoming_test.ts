import { assert, assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { digest, withVault } from "../tests/testutil/vault.ts";
import type { FileEntry } from "../protocol/entry.ts";
import type { Incoming } from "./incoming.ts";
import { safePath } from "./paths.ts";
import type { VaultDeps } from "./vault.ts";

const CHUNK = 1 << 16;

function file(chunks: number, mtimeNs = 0n): FileEntry {
  return {
    kind: "file",
    path: "f",
    mode: 0o644,
    mtimeNs,
    size: chunks * CHUNK,
    chunkSize: CHUNK,
  };
}

function chunkOf(value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(CHUNK).fill(value);
}

/** Runs `body` with what takes the file "f" in, and what is reserved for it. */
async function withFile(
  body: (
    admit: (entry: FileEntry, prior?: Incoming) => Promise<Incoming>,
    reserved: () => number,
  ) => Promise<void>,
  options?: Partial<VaultDeps>,
): Promise<void> {
  await withVault(async ({ vault, reserved }) => {
    await body(async (entry, prior) => {
      const admission = await vault.admit(entry, safePath("f"), prior);
      assert(admission.kind !== "have");
      return admission.file;
    }, reserved);
  }, options);
}

Deno.test("incoming: a file that is given up while it is made durable fails nobody", async () => {
  await withFile(async (admit) => {
    const coming = await admit(file(2));
    await coming.write(0, chunkOf(1));
    const syncing = coming.sync();
    coming.close();
    await syncing;
    await coming.sync(); // a checkpoint that comes to it only now
  });
});

Deno.test("incoming: a file of which a chunk is missing is never made whole, whoever says that it is", async () => {
  await withFile(async (admit) => {
    for (const chunks of [1, 2]) {
      const coming = await admit(file(chunks));
      if (chunks === 2) assert(await coming.write(0, chunkOf(1)));
      const error = await assertRejects(() => coming.assemble(), SftpxError);
      assertEquals(error.code, "internal");
      await coming.discard();
    }
  });
});

Deno.test("incoming: a chunk that comes after the end goes nowhere, and says so; one under way is waited for", async () => {
  await withFile(async (admit) => {
    const coming = await admit(file(2));
    const order: string[] = [];
    const writing = coming.write(0, chunkOf(1)).then((done) => {
      order.push("written");
      return done;
    });
    coming.close();
    await coming.settled();
    order.push("settled");
    assertEquals(await writing, false);
    assertEquals(order, ["written", "settled"]);
    assertEquals(await coming.write(1, chunkOf(2)), false);
  });
});

Deno.test("incoming: what is reserved for a file is given back as it is written, and when it is closed", async () => {
  await withFile(async (admit, reserved) => {
    const coming = await admit(file(3));
    assertEquals(reserved(), 3 * CHUNK);
    await coming.write(0, chunkOf(1));
    assertEquals(reserved(), 2 * CHUNK);
    coming.close();
    assertEquals(reserved(), 0);
  });
});

Deno.test("incoming: a chunk that two lanes bring at once is written once", async () => {
  await withFile(async (admit, reserved) => {
    const coming = await admit(file(2));
    await Promise.all([
      coming.write(0, chunkOf(1)),
      coming.write(0, chunkOf(1)),
    ]);
    assertEquals(reserved(), CHUNK);
    assertEquals(coming.written.count, 1);
    coming.close();
  });
});

Deno.test("incoming: a file that was announced anew offers what is there of its former self", async () => {
  await withFile(async (admit) => {
    const first = await admit(file(3));
    await first.write(0, chunkOf(1));
    await first.write(2, chunkOf(3));
    const second = await admit(file(3, 5n), first);
    const offered = [];
    for await (const found of second.candidates(new AbortController().signal)) {
      offered.push(found.chunk);
    }
    assertEquals(offered, [0, 1, 2]); // what is in the hole is no chunk of it
    assert(!second.confirm(0, digest(chunkOf(9))));
    assert(!second.confirm(1, digest(chunkOf(2))));
    assert(second.confirm(0, digest(chunkOf(1))));
    second.close();
  });
});

Deno.test("incoming: after a rewind nothing that was there counts any more", async () => {
  await withFile(async (admit) => {
    const coming = await admit(file(2));
    await coming.write(0, chunkOf(1));
    coming.rewind();
    assertEquals(coming.written.count, 0);
    assert(!coming.confirm(0, digest(chunkOf(1))));
    await coming.write(0, chunkOf(2));
    await coming.write(1, chunkOf(3));
    await coming.assemble();
    await coming.sync();
    const parts: number[] = [];
    for await (const bytes of coming.content()) parts.push(bytes[0] ?? -1);
    assertEquals(parts, [2, 3]);
    coming.close();
  });
});
