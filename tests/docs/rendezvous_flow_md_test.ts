import { assertEquals } from "@std/assert";
import { decodeFlow, encodeFlow } from "../../rendezvous/flow_frames.ts";
import {
  decodeAnnouncement,
  encodeAnnouncement,
} from "../../rendezvous/lan_announce.ts";

const PAGE = await Deno.readTextFile(
  new URL("../../docs/rendezvous.md", import.meta.url),
);

/** The bytes of an example, and what they mean. */
function example(name: string): [bytes: Uint8Array, meaning: string] {
  const block = new RegExp(`^\`\`\`hex ${name}\\n([^\`]*)^\`\`\`$`, "m")
    .exec(PAGE)?.[1] ?? "";
  const [text = "", meaning = ""] = block.split("# =>");
  return [Uint8Array.fromHex(text.replaceAll(/\s/g, "")), meaning.trim()];
}

Deno.test("the announcement of docs/rendezvous.md is one", () => {
  const [bytes, meaning] = example("lan");
  const said = decodeAnnouncement(bytes);
  assertEquals(`port ${said?.port}`, meaning);
  assertEquals(said && encodeAnnouncement(said), bytes);
});

Deno.test("the message of a flow of docs/rendezvous.md is one", () => {
  const [bytes, meaning] = example("flow");
  const message = decodeFlow(bytes[1] ?? 0, bytes.subarray(2));
  assertEquals(message.type === "ack" && `ack ${message.written}`, meaning);
  assertEquals(encodeFlow(message), bytes);
});
