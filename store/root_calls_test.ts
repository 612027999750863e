import { assertEquals } from "@std/assert";
import { openRoot } from "./root.ts";
import { openCalls, shareCalls } from "./root_calls.ts";

/** Calls that say when they are let go of. */
function watched() {
  const closed: string[] = [];
  const { native, small } = openCalls();
  const calls = shareCalls(() => ({
    native: native && {
      ...native,
      close() {
        closed.push("native");
        native.close();
      },
    },
    small: small && {
      ...small,
      close() {
        closed.push("small");
        small.close();
      },
    },
  }));
  return { closed, calls };
}

const IGNORED = { ignore: Deno.build.os !== "linux" };

Deno.test(
  "shared calls stay until they are closed and no root has them",
  IGNORED,
  async () => {
    const dir = await Deno.makeTempDir();
    try {
      const { closed, calls } = watched();
      const one = await openRoot(dir, { calls: calls.lend() });
      one.close();
      one.close();
      const two = await openRoot(dir, { calls: calls.lend() });
      assertEquals(closed, []);
      calls.close();
      assertEquals(closed, []);
      assertEquals(await two.syncFileSystem(), true); // it can still be used
      two.close();
      calls.close();
      assertEquals(closed, ["native", "small"]);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
);

Deno.test(
  "shared calls are let go of by a root that does not open",
  IGNORED,
  async () => {
    const dir = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${dir}/file`, "");
      const { closed, calls } = watched();
      await openRoot(`${dir}/file`, { calls: calls.lend() }).then(
        () => Promise.reject(new Error("it opened")),
        () => {},
      );
      calls.close();
      assertEquals(closed, ["native", "small"]);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
);
