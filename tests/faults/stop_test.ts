import { assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import { makeTree } from "../testutil/tree.ts";
import { library } from "./library.ts";

Deno.test("a sender that is stopped while it is let in says so, and holds no place", async () => {
  await using lib = await library();
  await makeTree(`${lib.dir}/src`, { "a": 100 });
  const stop = new AbortController();
  lib.told(({ type }) => type === "started").then(() => stop.abort());
  const error = await assertRejects(
    () => lib.send("src", { signal: stop.signal }),
    SftpxError,
  );
  assertEquals(error.code, "cancelled");
  const next = await lib.told(({ type }) =>
    type === "failed" || type === "reconnecting"
  );
  assertEquals(next.type === "failed" && next.code, "cancelled");
});
