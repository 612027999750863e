import { assertEquals } from "@std/assert";
import { tempDir } from "../tests/testutil/temp.ts";
import { addNames } from "./root_names.ts";
import { openNative } from "./root_native.ts";

/** An entry as Linux has it. */
function entry(name: Uint8Array): number[] {
  const size = Math.ceil((19 + name.length + 1) / 8) * 8;
  const bytes = new Uint8Array(size);
  bytes[16] = size & 0xff;
  bytes[17] = size >> 8;
  bytes.set(name, 19);
  return [...bytes];
}

Deno.test("addNames() takes names and leaves out the folder itself and the one above", () => {
  const names = [".", "..", "...", ".a", "b", "\u00e9", "x".repeat(255)];
  const bytes = new Uint8Array(
    names.flatMap((name) => entry(new TextEncoder().encode(name))),
  );
  const list = ["first"];
  addNames(list, bytes, bytes.length);
  assertEquals(list, ["first", ...names.slice(2)]);
});

Deno.test("addNames() makes of what is no UTF-8 what the system's own list makes", () => {
  const list: string[] = [];
  const bytes = new Uint8Array(entry(Uint8Array.of(0x61, 0xff, 0x62)));
  addNames(list, bytes, bytes.length);
  assertEquals(list, ["a\ufffdb"]);
});

Deno.test("addNames() ends where what it is given makes no sense", () => {
  const list: string[] = [];
  addNames(list, new Uint8Array(100), 100);
  addNames(list, new Uint8Array(10), -1);
  assertEquals(list.length, 1); // and did not go on for ever
});

Deno.test({
  name:
    "the names in a large folder are those that Deno lists; what is no folder has none",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using dir = await tempDir();
    const native = openNative();
    if (native === undefined) return;
    try {
      for (let n = 0; n < 3000; n++) {
        await Deno.writeTextFile(dir.join(`a-long-name-for-a-file-${n}`), "");
      }
      const listed: string[] = [];
      for await (const { name } of Deno.readDir(dir.path)) listed.push(name);
      assertEquals(native.names(dir.path)?.sort(), listed.sort());
      assertEquals(
        native.names(dir.join("a-long-name-for-a-file-1")),
        undefined,
      );
      assertEquals(native.names(dir.join("none")), undefined);
    } finally {
      native.close();
    }
  },
});
