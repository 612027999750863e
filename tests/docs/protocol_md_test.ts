import { assert, assertEquals } from "@std/assert";
import { hexBytes, KINDS } from "../protocol/plain.ts";

const PAGE = await Deno.readTextFile(
  new URL("../../docs/protocol.md", import.meta.url),
);

Deno.test("every hex example of docs/protocol.md means what it says, and is written so", () => {
  for (const { kind, text, value } of examples()) {
    assert(kind in KINDS, `a block is marked "${kind}"`);
    const bytes = hexBytes(text);
    const meaning = KINDS[kind as keyof typeof KINDS](bytes);
    assertEquals(meaning?.value, value, text);
    assertEquals(meaning?.bytes.toHex(), bytes.toHex(), text);
  }
});

Deno.test("docs/protocol.md has an example of every frame", () => {
  const types = new Set(
    examples().map(({ value }) => (value as { type?: string }).type),
  );
  const rows = PAGE.matchAll(/^\| 0x[0-9a-f]{2} \| ([A-Z_]+) /gm);
  const names = [...rows].map(([, name]) =>
    name?.toLowerCase().replace("_", "-")
  );
  assertEquals(names.length, 26);
  assertEquals(examples().length, PAGE.split("```hex").length - 1);
  assertEquals(names.filter((name) => !types.has(name)), []);
});

/** The blocks marked `hex`, each with the kind of its bytes. */
function examples(): { kind: string; text: string; value: unknown }[] {
  return [...PAGE.matchAll(/^```hex (.*)\n([^`]*)^```$/gm)]
    .map(([, kind = "", block = ""]) => {
      const [text = "", value = ""] = block.split("# =>");
      return { kind, text, value: JSON.parse(value) };
    });
}
