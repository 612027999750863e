import { assertEquals, assertRejects } from "@std/assert";
import { spool } from "../../actors/spool.ts";
import { SftpxError } from "../../core/errors.ts";
import { settle } from "../testutil/fake_clock.ts";
import { tempDir } from "../testutil/temp.ts";
import { library } from "./library.ts";
import { namesIn } from "./kit.ts";

Deno.test("a stream of the same name takes the place of the one before", async () => {
  await using lib = await library();
  const resumeDir = `${lib.dir}/resume-send`;
  for (const text of ["monday", "tuesday, which is longer", "wed"]) {
    const { failures } = await lib.send("", {
      paths: [{ name: "db.sql", stream: new Blob([text]).stream() }],
      resumeDir,
    });
    assertEquals(failures, []);
    assertEquals(
      await Deno.readTextFile(`${lib.dir}/uploads/db.sql`),
      text,
    );
  }
  const names = await namesIn(`${lib.dir}/uploads`);
  assertEquals(names.filter((name) => !name.startsWith(".")), ["db.sql"]);
});

Deno.test("a stream that brings nothing is waited for no longer once we are stopped", async () => {
  await using dir = await tempDir();
  const stop = new AbortController();
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new Uint8Array(10)),
    pull: () => settle().then(() => stop.abort()), // and never again
  });
  const error = await assertRejects(
    () => spool({ name: "-", stream }, dir.join("state"), stop.signal),
    SftpxError,
  );
  assertEquals(error.code, "cancelled");
  assertEquals(await namesIn(dir.join("state")), []);
});
