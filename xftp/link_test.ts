import { assert, assertEquals, assertRejects } from "@std/assert";
import { deflateRawSync } from "node:zlib";
import { SftpxError } from "../core/errors.ts";
import { formatDescription } from "./description.ts";
import { parseDescription } from "./description_parse.ts";
import { formatLink, isLink, parseLink } from "./link.ts";

const B64 = (byte: number, length: number): string =>
  new Uint8Array(length).fill(byte).toBase64({ alphabet: "base64url" });
const KEY = Uint8Array.fromHex(
  "302e020100300506032b657004220420" + "15".repeat(32),
).toBase64({ alphabet: "base64url" });
const TEXT = `chunkSize: 64kb
digest: ${B64(3, 64)}
key: ${B64(4, 32)}
nonce: ${B64(5, 24)}
party: recipient
replicas:
- chunks:
  - 1:${B64(11, 16)}:${KEY}:${B64(31, 32)}
  server: xftp://${B64(1, 32)}@router.example:8443
size: 64kb
`;

/** What TEXT is when it is deflated without compression: made by hand. */
const STORED = (() => {
  const bytes = new TextEncoder().encode(TEXT);
  const [low, high] = [bytes.length & 255, bytes.length >> 8];
  const head = [1, low, high, low ^ 255, high ^ 255];
  return new Uint8Array([...head, ...bytes]).toBase64({
    alphabet: "base64url",
  });
})();

Deno.test("a link leads to its description, with = and without", async () => {
  for (const end of [STORED, STORED.replaceAll("=", "")]) {
    const link = `https://router.example/#${end}`;
    assertEquals(formatDescription(await parseLink(link)), TEXT);
  }
});

Deno.test("a link that is written is base64url of raw deflate, with =", async () => {
  const link = formatLink(
    { hosts: ["router.example"], port: 8443 },
    await parseDescription(TEXT),
  );
  const [page = "", data = ""] = link.split("#");
  assertEquals(page, "https://router.example:8443/");
  assertEquals(data.length % 4, 0);
  const deflated = Uint8Array.fromBase64(data, { alphabet: "base64url" });
  const inflated = new Response(deflated).body
    ?.pipeThrough(new DecompressionStream("deflate-raw"));
  assertEquals(await new Response(inflated).text(), TEXT);
  assertEquals(
    formatLink({ hosts: ["::1"], port: 443 }, await parseDescription(TEXT))
      .split("#")[0],
    "https://[::1]/",
  );
});

Deno.test("a URI with the description in its query is read", async () => {
  const query = `/?desc=${encodeURIComponent(TEXT)}&data=%7B%7D`;
  for (const start of ["simplex:/file#", "https://simplex.chat/file#"]) {
    assert(isLink(start + query));
    assertEquals(formatDescription(await parseLink(start + query)), TEXT);
  }
});

Deno.test("what is no link of ours is refused, without being shown", async () => {
  const bad: readonly (readonly [string, string])[] = [
    ["http://router.example/#" + STORED, "http"],
    ["https://router.example/", "no description"],
    ["https://router.example/#", "no description"],
    ["https://router.example/#/?data=1", "no description"],
    ["ftp://router.example/#" + STORED, "no description"],
    ["https://router.example/#" + STORED.slice(0, -8), "damaged"],
    ["https://router.example/#!" + STORED, "damaged"],
    ["https://router.example/#" + "A".repeat(6_000_000), "too long"],
  ];
  for (const [link, reason] of bad) {
    const error = await assertRejects(() => parseLink(link), SftpxError);
    assertEquals(error.code, "usage");
    assert(error.message.includes(reason), error.message);
    assert(!error.message.includes(STORED.slice(0, 40)));
  }
  for (const other of ["10.0.0.1:80", "file.xftp", "sftpx://h/#k", "-"]) {
    assert(!isLink(other), other);
  }
});

Deno.test("a link that would inflate to gigabytes is stopped at 4 MiB", async () => {
  const bomb = deflateRawSync(new Uint8Array(200 * 1024 * 1024));
  const link = `https://r.example/#${
    new Uint8Array(bomb).toBase64({ alphabet: "base64url" })
  }`;
  const before = Deno.memoryUsage().rss;
  await assertRejects(() => parseLink(link), SftpxError, "4 MiB");
  assert(Deno.memoryUsage().rss - before < 100 * 1024 * 1024);
});
