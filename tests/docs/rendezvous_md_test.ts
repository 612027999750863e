import { assertEquals } from "@std/assert";
import {
  decodeBody,
  decodeHeader,
  encodeMessage,
  HEADER_LENGTH,
} from "../../rendezvous/messages.ts";
import { hexBytes } from "../protocol/plain.ts";

const PAGE = await Deno.readTextFile(
  new URL("../../docs/rendezvous.md", import.meta.url),
);

Deno.test("every hex example of docs/rendezvous.md means what it says, and is written so", () => {
  const blocks = [...PAGE.matchAll(/^```hex helper\n([^`]*)^```$/gm)];
  assertEquals(blocks.length >= 4, true);
  for (const [, block = ""] of blocks) {
    const [text = "", value = ""] = block.split("# =>");
    const bytes = hexBytes(text);
    const { type } = decodeHeader(bytes.subarray(0, HEADER_LENGTH));
    const message = decodeBody(type, bytes.subarray(HEADER_LENGTH));
    const plain = Object.entries(message).map(([key, field]) => [
      key,
      field instanceof Uint8Array ? field.toHex() : field,
    ]);
    assertEquals(Object.fromEntries(plain), JSON.parse(value));
    assertEquals(encodeMessage(message).toHex(), bytes.toHex());
  }
});

Deno.test("docs/rendezvous.md has a row for every message, with its number", async () => {
  const code = await Deno.readTextFile(
    new URL("../../rendezvous/messages.ts", import.meta.url),
  );
  const types = [...code.matchAll(/^ {2}(\w+): (0x[0-9a-f]{2}),$/gm)]
    .map(([, name = "", number]) => `${number} ${name.toUpperCase()}`);
  const rows = [...PAGE.matchAll(/^\| (0x[0-9a-f]{2}) \| ([A-Z]+) /gm)]
    .map(([, number, name]) => `${number} ${name}`);
  assertEquals(rows, types);
});
