import { assert, assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { forAll, intBetween, randomBytes } from "../tests/testutil/random.ts";
import { formatRouterAddress, parseRouterAddress } from "./address.ts";
import {
  checkDescription,
  type Description,
  formatDescription,
  MAX_DESCRIPTION_BYTES,
} from "./description.ts";
import { parseDescription } from "./description_parse.ts";
import { formatSizeWord, parseSizeWord } from "./description_words.ts";
import { makeKeyPair, readPrivateKey } from "./keys.ts";

const SPKI = "302e020100300506032b657004220420";
const B64 = (byte: number, length: number): string =>
  new Uint8Array(length).fill(byte).toBase64({ alphabet: "base64url" });
const KEY = (byte: number): string =>
  Uint8Array.fromHex(SPKI + byte.toString(16).padStart(2, "0").repeat(32))
    .toBase64({ alphabet: "base64url" });
const [A, B] = [1, 2].map((byte) =>
  `xftp://${B64(byte, 32)}@r${byte}.example:443`
);

/** Two routers, three chunks, one of them on both and one of another size. */
const VECTOR = `chunkSize: 256kb
digest: ${B64(3, 64)}
key: ${B64(4, 32)}
nonce: ${B64(5, 24)}
party: recipient
replicas:
- chunks:
  - 1:${B64(11, 16)}:${KEY(21)}:${B64(31, 32)}
  - 3:${B64(13, 16)}:${KEY(23)}:${B64(33, 32)}:64kb
  server: ${A}
- chunks:
  - 1:${B64(12, 16)}:${KEY(22)}
  - 2:${B64(14, 16)}:${KEY(24)}:${B64(32, 32)}
  server: ${B}
size: 576kb
`;

Deno.test("a description is read as it is meant, and written as it was", async () => {
  const description = await parseDescription(VECTOR);
  assertEquals(description.chunks.map(({ size }) => size), [
    262_144,
    262_144,
    65_536,
  ]);
  assertEquals(
    description.chunks.map(({ replicas }) =>
      replicas.map((
        { router, id, key },
      ) => [router.hosts[0], id[0], key.der[16]])
    ),
    [
      [["r1.example", 11, 21], ["r2.example", 12, 22]],
      [["r2.example", 14, 24]],
      [["r1.example", 13, 23]],
    ],
  );
  assertEquals(formatDescription(description), VECTOR);
});

Deno.test("what other programs write otherwise is read as well", async () => {
  const bare = VECTOR.replaceAll(/=+(?=[:\s])/g, ""); // without padding
  const quoted = VECTOR.replace(/^key: (.*)$/m, `"key": "$1" # the key`)
    .replaceAll(":443", "");
  for (const text of [bare, quoted, VECTOR.replaceAll("\n", "\r\n")]) {
    const description = await parseDescription(text);
    assertEquals(formatDescription(description), VECTOR);
  }
});

Deno.test("what is written says the same to a reader of lines", () => {
  forAll((random): Description => {
    const routers = Array.from(
      { length: intBetween(random, 1, 4) },
      (_, at) =>
        parseRouterAddress(
          formatRouterAddress({
            keyHash: randomBytes(random, 32),
            hosts: [`h${at}.example`],
            port: intBetween(random, 1, 65_535),
          }),
        ),
    );
    const sizes = [65_536, 262_144, 1_048_576, 4_194_304];
    const chunks = Array.from({ length: intBetween(random, 1, 9) }, () => ({
      size: sizes[intBetween(random, 0, 3)] ?? 0,
      digest: randomBytes(random, 32),
      replicas: [{
        router: routers[intBetween(random, 0, routers.length - 1)] ??
          routers[0] as typeof routers[0] & object,
        id: randomBytes(random, 16),
        key: readPrivateKey(
          Uint8Array.fromHex(SPKI + randomBytes(random, 32).toHex()),
        ),
      }],
    }));
    return {
      party: random() < 0.5 ? "sender" : "recipient",
      size: chunks.reduce((sum, { size }) => sum + size, 0),
      digest: randomBytes(random, 64),
      key: randomBytes(random, 32),
      nonce: randomBytes(random, 24),
      chunks,
      ...random() < 0.3 && {
        redirect: { size: 77, digest: randomBytes(random, 64) },
      },
    };
  }, (description) => {
    const text = formatDescription(checkDescription(description));
    assertEquals(naiveFacts(text), {
      party: description.party,
      key: description.key.toHex(),
      chunks: description.chunks.map(({ size, digest, replicas: [one] }) =>
        [
          formatRouterAddress((one as NonNullable<typeof one>).router),
          one?.id.toHex(),
          one?.key.der.toHex(),
          digest.toHex(),
          size,
        ].join(" ")
      ),
    });
    READ_BACK.push(async () => {
      const read = await parseDescription(text);
      assertEquals(formatDescription(read), text);
      assertEquals(read.redirect?.size, description.redirect?.size);
    });
  }, { runs: 40 });
});

const READ_BACK: (() => Promise<void>)[] = [];

Deno.test("what is written reads back", async () => {
  assert(READ_BACK.length > 0);
  for (const check of READ_BACK.splice(0)) await check();
});

const BAD: readonly (readonly [string, string, string | RegExp, string])[] = [
  ["no chunks", "no list", /- chunks:[^]*(?=size:)/, ""],
  [
    "an empty list of routers",
    "no chunks",
    /replicas:\n[^]*(?=size)/,
    "replicas: []\n",
  ],
  ["a chunk too few", "numbered", "  - 2:", "  - 4:"],
  ["number 0", "cannot be read", "  - 2:", "  - 0:"],
  ["number 1000000", "cannot be read", "  - 2:", "  - 1000000:"],
  ["number 999999", "cannot be read", "  - 2:", "  - 999999:"],
  ["a negative number", "cannot be read", "  - 2:", "  - -2:"],
  [
    "a size that does not add up",
    "its chunks have",
    "size: 576kb",
    "size: 575kb",
  ],
  ["a size that is none", "no size", "size: 576kb", "size: many"],
  ["a chunk of a size of its own", "no router stores", ":64kb", ":63kb"],
  ["a huge chunk", "no router stores", ":64kb", ":999999gb"],
  ["another party", "party", "recipient", "observer"],
  ["no party", "party", "party: recipient\n", ""],
  ["a short key", "32", /^key: .*$/m, `key: ${B64(4, 31)}`],
  ["a long nonce", "24", /^nonce: .*$/m, `nonce: ${B64(4, 25)}`],
  ["a digest of another kind", "64", /^digest: .*$/m, `digest: ${B64(4, 32)}`],
  ["a chunk's digest of another kind", "32", B64(31, 32), B64(31, 20)],
  ["a chunk without a digest", "no digest", `:${B64(32, 32)}`, ""],
  [
    "two digests for a chunk",
    "two things",
    `${KEY(22)}`,
    `${KEY(22)}:${B64(9, 32)}`,
  ],
  [
    "two sizes for a chunk",
    "two things",
    `${KEY(22)}`,
    `${KEY(22)}:${B64(31, 32)}:64kb`,
  ],
  ["a field too many", "cannot be read", ":64kb", ":64kb:more"],
  ["a key that is none", "key of chunk 1", KEY(21), B64(21, 48)],
  [
    "base64 of another alphabet",
    "base64url",
    B64(11, 16),
    "++++++++++++++++++++++==",
  ],
  [
    "a router that is none",
    "address of a router",
    A ?? "",
    "http://r1.example",
  ],
  ["a password", "password", "@r1.example", ":secret@r1.example"],
  [
    "an alias",
    "not YAML",
    "party: recipient",
    "party: &p recipient\nother: *p",
  ],
  ["a list as a whole", "no map", /^[^]*$/, "- 1\n- 2\n"],
  ["nothing", "no map", /^[^]*$/, ""],
  ["something else", "not YAML", /^[^]*$/, "{ [ }"],
  ["a map in a map in a map", "YAML", /^[^]*$/, "{a: ".repeat(20_000)],
  [
    "an inherited key",
    "party",
    "party: recipient",
    "__proto__:\n  party: recipient",
  ],
];

for (const [what, reason, from, to] of BAD) {
  Deno.test(`a description with ${what} is refused`, async () => {
    const text = VECTOR.replace(from, to);
    assert(text !== VECTOR);
    const error = await assertRejects(
      () => parseDescription(text),
      SftpxError,
      "Cannot use the file description",
    );
    assertEquals(error.code, "protocol");
    assert(error.message.includes(reason), error.message);
    for (const secret of [B64(4, 32), KEY(21)]) {
      assert(!error.message.includes(secret));
    }
  });
}

Deno.test("a chunk whose key is of another kind is refused", async () => {
  for (const kind of ["x25519", "ed448"] as const) {
    const { privateKey } = makeKeyPair(kind);
    const other = privateKey.der.toBase64({ alphabet: "base64url" });
    await assertRejects(
      () => parseDescription(VECTOR.replace(KEY(24), other)),
      SftpxError,
      "the key of chunk 2 is not Ed25519",
    );
  }
});

Deno.test("a redirect to what cannot be a description is refused", async () => {
  const redirect = (size: string, digest = B64(7, 64)): string =>
    VECTOR.replace(
      "replicas:",
      `redirect:\n  digest: ${digest}\n  size: ${size}\nreplicas:`,
    );
  const { redirect: read } = await parseDescription(redirect("3276"));
  assertEquals(read?.size, 3276);
  for (
    const text of [
      redirect("0"),
      redirect("5mb"),
      redirect("-1"),
      redirect("1", B64(7, 32)),
      VECTOR.replace("replicas:", "redirect: yes\nreplicas:"),
    ]
  ) await assertRejects(() => parseDescription(text), SftpxError, "redirect");
});

Deno.test("a million chunks are refused before they are read", async () => {
  const line = `  - 1:${B64(11, 16)}:${KEY(21)}:${B64(31, 32)}\n`;
  const text = VECTOR.replace(line, line.repeat(1_000_000));
  await assertRejects(() => parseDescription(text), SftpxError, "4 MiB");
  // As many as fit, all of one chunk.
  const many = VECTOR.replace(
    line,
    line.repeat(Math.floor((MAX_DESCRIPTION_BYTES - 4096) / line.length)),
  );
  await assertRejects(
    () => parseDescription(many),
    SftpxError,
    "in more than 16 places",
  );
});

Deno.test("sizes are read as they are written", () => {
  for (
    const [bytes, word] of [
      [65_536, "64kb"],
      [1_048_576, "1mb"],
      [18 * 1_048_576, "18mb"],
      [5 * 1024 ** 3, "5gb"],
      [1025, "1025"],
      [0, "0"],
    ] as const
  ) {
    assertEquals(formatSizeWord(bytes), word);
    assertEquals(parseSizeWord(word), bytes);
  }
  for (const bad of ["", "kb", "1.5mb", "1tb", "-1", "1 kb", "9".repeat(16)]) {
    assertEquals(parseSizeWord(bad), undefined, bad);
  }
});

/** Reads what is written line by line, knowing its form and nothing else. */
function naiveFacts(text: string) {
  const lines = text.split("\n");
  const hex = (word: string): string =>
    [...atob(word.replaceAll("-", "+").replaceAll("_", "/"))]
      .map((char) => char.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  const after = (key: string): string =>
    (lines.find((line) => line.startsWith(`${key}: `)) ?? "").slice(
      key.length + 2,
    );
  const bytes = (word: string): number =>
    Number.parseInt(word) *
    1024 ** (["b", "kb", "mb", "gb"].indexOf(word.replace(/\d+/, "") || "b"));
  const chunks: string[] = [];
  let pending: [number, string][] = [];
  for (const line of lines) {
    const [, number, id, key, digest, size] =
      /^ {2}- (\d+):([^:]*):([^:]*):([^:]*)(?::(.*))?$/.exec(line) ?? [];
    const server = /^ {2}server: (.*)$/.exec(line)?.[1];
    if (number !== undefined) {
      pending.push([
        Number(number),
        [
          hex(id ?? ""),
          hex(key ?? ""),
          hex(digest ?? ""),
          bytes(size ?? after("chunkSize")),
        ]
          .join(" "),
      ]);
    } else if (server !== undefined) {
      for (const [at, facts] of pending) chunks[at - 1] = `${server} ${facts}`;
      pending = [];
    }
  }
  return { party: after("party"), key: hex(after("key")), chunks };
}
