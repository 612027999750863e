import { assert, assertEquals, assertRejects } from "@std/assert";
import { createHash } from "node:crypto";
import { type Clock, systemClock } from "../../core/clock.ts";
import { concatBytes } from "../../core/bytes.ts";
import { type ErrorCode, SftpxError } from "../../core/errors.ts";
import { isPrivate } from "../../xftp/client_redirect.ts";
import { type Description, formatDescription } from "../../xftp/description.ts";
import { parseLink } from "../../xftp/link.ts";
import { TAR_END, type TarEntry, tarFill, tarHeader } from "../../xftp/tar.ts";
import { addressOf, type KitUser, kitUser, only } from "./client_kit.ts";
import { type Lies, lyingRouter } from "./lying_router.ts";
import { kitRouter } from "./router_kit.ts";

const HASTY: Clock = {
  ...systemClock,
  delay: (ms, signal) => systemClock.delay(ms < 10_000 ? 1 : ms, signal),
};

Deno.test("a name that leads elsewhere brings nothing onto the disk", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const path = await user.file("x", 10);
  const names: readonly (readonly [string, ErrorCode])[] = [
    ["../evil", "protocol"],
    ["/etc/evil", "protocol"],
    ["a/b", "protocol"],
    ["..", "protocol"],
    ["", "protocol"],
    ["a\0b", "protocol"],
    ["a\\b", "protocol"],
    ["C:evil", "protocol"],
    [".sftpx-partial", "protocol"],
    [".profile", "unauthorized"],
  ];
  for (const [name, code] of names) {
    const { recipients } = await user.store([path], [addressOf(router)], {
      name,
    });
    const error = await assertRejects(
      () => user.fetch(only(recipients)),
      SftpxError,
    );
    assertEquals(error.code, code, name);
    assertEquals(await visible(user), []);
    // Whoever fetches it can say what it is to be called.
    const { places } = await user.fetch(only(recipients), { name: "safe" });
    assertEquals(places, ["safe"]);
    await Deno.remove(user.dir.join("uploads", "safe"));
  }
  assertEquals(
    (await names_(user.dir.path)).toSorted(),
    ["resume", "uploads", "x"],
  );
});

Deno.test("a name with escape codes is told escaped, and is what it is on the disk", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const name = "a\x1b[2J\u202eb";
  const { recipients } = await user.store(
    [await user.file("x", 10)],
    [addressOf(router)],
    { name },
  );
  assertEquals((await user.fetch(only(recipients))).places, [name]);
});

/** What is done about an archive: it is refused, or but some of it is left out. */
type Verdict = ErrorCode | "left out";

const EVIL: readonly (readonly [string, Verdict, readonly TarEntry[]])[] = [
  ["a name above the folder", "protocol", [file("../evil")]],
  ["an absolute name", "protocol", [file("/tmp/evil")]],
  ["a name with .. inside", "protocol", [file("a/../../evil")]],
  ["a link that leads out", "left out", [link("a", "../../etc")]],
  ["an absolute link", "left out", [link("a", "/etc/passwd")]],
  ["a file in a link's place", "left out", [link("a", "b"), file("a/evil")]],
  ["the same name twice", "protocol", [file("a"), file("a")]],
  ["a hidden name at the top", "left out", [file(".ssh/keys")]],
  ["a file in the folder of parts", "protocol", [file(".sftpx-partial/x")]],
  ["a file where a folder is needed", "left out", [file("a"), file("a/b")]],
];

for (const [what, verdict, entries] of EVIL) {
  Deno.test(`an archive with ${what} stays in the folder`, async () => {
    await using router = await kitRouter();
    await using user = await kitUser();
    const archive = user.dir.join("evil.sftpx.tar");
    await Deno.writeFile(
      archive,
      concatBytes(
        ...entries.flatMap((entry) => [
          tarHeader(entry),
          new Uint8Array(entry.size).fill(1),
          tarFill(entry.size),
        ]),
        TAR_END,
      ),
    );
    const { recipients } = await user.store([archive], [addressOf(router)]);
    if (verdict === "left out") {
      const { failures } = await user.fetch(only(recipients));
      assertEquals(only(failures).path, entries.at(-1)?.path);
    } else {
      const error = await assertRejects(
        () => user.fetch(only(recipients)),
        SftpxError,
      );
      assertEquals(error.code, verdict, error.message);
    }
    assertEquals(
      (await names_(user.dir.path)).toSorted(),
      ["evil.sftpx.tar", "resume", "uploads"],
    );
    assert(!(await visible(user)).includes("evil"));
  });
}

Deno.test("an archive with more than is wanted is stopped", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  await Deno.mkdir(user.dir.join("d"));
  for (const name of ["a", "b", "c"]) await user.file(`d/${name}`, 10);
  const { recipients } = await user.store([user.dir.join("d")], [
    addressOf(router),
  ]);
  const many = await assertRejects(
    () => user.fetch(only(recipients), { maxFiles: 3 }),
    SftpxError,
    "more than 3 entries",
  );
  assertEquals(many.code, "unauthorized");
  await assertRejects(
    () => user.fetch(only(recipients), { maxSize: 1000 }),
    SftpxError,
    "--max-size",
  );
  const full = await assertRejects(
    () => user.fetch(only(recipients), { keepFree: 2 ** 60 }),
    SftpxError,
    "are free",
  );
  assertEquals(full.code, "local-io");
});

const flip = (bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> => {
  const other = bytes.slice();
  other[1000] = (other[1000] ?? 0) ^ 1;
  return other;
};

const LIES: readonly (readonly [string, ErrorCode, Lies])[] = [
  ["gives another chunk", "integrity", { chunk: flip }],
  ["changes a chunk on its way", "integrity", { body: flip }],
  ["cuts a chunk off", "connection-lost", {
    body: (bytes) => bytes.slice(0, -1),
  }],
  ["gives more than there is", "protocol", {
    body: (bytes) => concatBytes(bytes, new Uint8Array(1)),
  }],
  ["gives nothing", "connection-lost", { body: () => new Uint8Array(0) }],
  ["answers OK instead", "protocol", {
    answer: () => ({ type: "OK" }),
    body: () => new Uint8Array(0),
  }],
  ["answers of another chunk", "protocol", {
    entity: (id) => id.map((byte) => byte ^ 1),
  }],
  ["answers with noise", "protocol", {
    block: (block) => block.map((_, at) => at * 7 & 255),
  }],
  ["answers with half a block", "connection-lost", {
    block: (block) => block.slice(0, 8192),
  }],
  ["has no such chunk", "unauthorized", {
    answer: () => ({ type: "ERR", fault: { code: "AUTH" } }),
    body: () => new Uint8Array(0),
  }],
  ["has blocked it", "unauthorized", {
    answer: () => ({
      type: "ERR",
      fault: { code: "BLOCKED", blocking: { reason: "spam" } },
    }),
    body: () => new Uint8Array(0),
  }],
  ["forgets every session", "connection-lost", {
    answer: () => ({ type: "ERR", fault: { code: "SESSION" } }),
    body: () => new Uint8Array(0),
  }],
];

for (const [what, code, lies] of LIES) {
  Deno.test(`a router that ${what} is found out`, async () => {
    await using router = await lyingRouter();
    await using user = await kitUser();
    const path = await user.file("x", 100_000);
    const { recipients } = await user.store([path], [router.address]);
    router.lies = lies;
    const error = await assertRejects(
      () => user.fetch(only(recipients), { clock: HASTY }),
      SftpxError,
    );
    assertEquals(error.code, code, error.message);
    assertEquals(await visible(user), []);
    assert(!router.heard.includes("FACK"));
    router.lies = {};
    await user.fetch(only(recipients));
    await user.sameAs(path, "x");
    assert(router.heard.includes("FACK"));
  });
}

Deno.test("a router that says too few ids, or other errors, is found out at sending", async () => {
  await using router = await lyingRouter();
  await using user = await kitUser();
  const path = await user.file("x", 10);
  const lies: readonly (readonly [ErrorCode, Lies["answer"] & object])[] = [
    [
      "protocol",
      (answer) =>
        answer.type === "SIDS"
          ? { ...answer, recipientIds: answer.recipientIds.slice(1) }
          : answer,
    ],
    ["peer-busy", () => ({ type: "ERR", fault: { code: "QUOTA" } })],
    ["protocol", () => ({ type: "PONG" })],
    [
      "integrity",
      (answer) =>
        answer.type === "OK"
          ? { type: "ERR", fault: { code: "DIGEST" } }
          : answer,
    ],
  ];
  for (const [code, answer] of lies) {
    router.lies = { answer };
    const error = await assertRejects(
      () =>
        user.store([path], [router.address], {
          clock: HASTY,
          recipients: 2,
          fresh: true,
        }),
      SftpxError,
    );
    assertEquals(error.code, code, error.message);
  }
});

Deno.test("a description whose whole is another than its chunks is refused, and its parts go", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const { recipients } = await user.store([await user.file("x", 90_000)], [
    addressOf(router),
  ]);
  const good = only(recipients);
  const bad: Description[] = [
    { ...good, digest: new Uint8Array(64) },
    { ...good, key: new Uint8Array(32) },
    { ...good, nonce: new Uint8Array(24) },
    { ...good, chunks: good.chunks.toReversed() },
  ];
  for (const description of bad) {
    const error = await assertRejects(
      () => user.fetch(description),
      SftpxError,
    );
    assertEquals(error.code, "integrity");
    assertEquals(await visible(user), []);
  }
  await user.fetch(good);
});

Deno.test("a redirect leads one step, and to what was meant", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const address = addressOf(router);
  const stored = await user.store([await user.file("x", 5_000_000)], [address]);
  const inner = only(stored.recipients);
  const outer = await parseLink(only(stored.links));
  assert(outer.redirect);
  const { size, digest } = outer.redirect;
  const wrong: readonly (readonly [Description, ErrorCode, string])[] = [
    [{ ...outer, redirect: { size: size + 1, digest } }, "integrity", "meant"],
    [
      { ...outer, redirect: { size, digest: new Uint8Array(64) } },
      "integrity",
      "meant",
    ],
    [{ ...outer, digest: new Uint8Array(64) }, "integrity", "digest"],
    [{ ...inner, redirect: { size, digest } }, "integrity", "meant"],
  ];
  for (const [description, code, reason] of wrong) {
    const error = await assertRejects(
      () => user.fetch(description),
      SftpxError,
    );
    assertEquals(error.code, code);
    assert(error.message.includes(reason), error.message);
  }
  // A chain, a sender's description, and something else.
  const said: readonly (readonly [string, string])[] = [
    [formatDescription(outer), "leads further"],
    [formatDescription(stored.sender), "not one of a recipient"],
    ["hello", "is no map"],
  ];
  for (const [text, reason] of said) {
    const path = user.dir.join("inner");
    await Deno.writeTextFile(path, text);
    const made = only((await user.store([path], [address])).recipients);
    const bytes = new TextEncoder().encode(text);
    const redirect = {
      size: bytes.length,
      digest: new Uint8Array(createHash("sha512").update(bytes).digest()),
    };
    const error = await assertRejects(
      () => user.fetch({ ...made, redirect }),
      SftpxError,
      reason,
    );
    assertEquals(error.code, "protocol");
  }
  assert(!(await names_(user.dir.path)).includes("uploads"));
});

Deno.test("a redirect from a router of the internet to one of this network is refused", async () => {
  await using router = await kitRouter();
  await using user = await kitUser();
  const near = addressOf(router);
  const stored = await user.store([await user.file("x", 5_000_000)], [near]);
  const outer = await parseLink(only(stored.links));
  const far = { ...near, hosts: ["router.example"] as [string] };
  const led = {
    ...outer,
    chunks: outer.chunks.map((chunk) => ({
      ...chunk,
      replicas: chunk.replicas.map((replica) => ({ ...replica, router: far })),
    })),
  };
  const lookup = () => Promise.resolve(["127.0.0.1"]);
  const error = await assertRejects(
    () => user.fetch(led, { lookup }),
    SftpxError,
    "to one of this network",
  );
  assertEquals(error.code, "unauthorized");
  await user.fetch(outer); // one that was near from the start may be
});

Deno.test("hosts of this network are known from those of the internet", () => {
  for (
    const host of [
      ...["127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.9.9", "192.168.1.1"],
      ...["169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "fe80::1"],
      ...["fd00::1", "::ffff:10.0.0.1", "localhost", "printer", "nas.local"],
    ]
  ) assert(isPrivate(host), host);
  for (
    const host of [
      ...["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1"],
      ...["xftp.example.org", "::ffff:8.8.8.8"],
    ]
  ) assert(!isPrivate(host), host);
});

function file(path: string): TarEntry {
  return { kind: "file", path, size: 5, mode: 0o644, mtimeSeconds: 0 };
}

function link(path: string, target: string): TarEntry {
  return { ...file(path), kind: "link", size: 0, target };
}

async function names_(dir: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(dir));
  return entries.map(({ name }) => name);
}

/** What is in the upload folder beside our own folder. */
async function visible(user: KitUser): Promise<string[]> {
  const names = await names_(user.dir.join("uploads"));
  return names.filter((name) => name !== ".sftpx-partial");
}
