import { assert, assertEquals, assertRejects } from "@std/assert";
import { concatBytes } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";
import {
  forAll,
  intBetween,
  pick,
  randomBytes,
} from "../tests/testutil/random.ts";
import {
  TAR_BLOCK,
  TAR_END,
  TAR_FIELDS,
  tarChecksum,
  type TarEntry,
  tarFill,
  tarHeader,
} from "./tar.ts";
import { tarReader } from "./tar_read.ts";

/** Something in an archive, with its content. */
interface Item extends TarEntry {
  readonly content?: Uint8Array;
}

const NOTHING = { size: 0, content: new Uint8Array() };

const FILE: Item = {
  kind: "file",
  path: "dir/a.txt",
  size: 5,
  mode: 0o640,
  mtimeSeconds: 1_700_000_000,
  content: new TextEncoder().encode("hello"),
};

Deno.test("an archive is read as it was written, in pieces of any size", async () => {
  const cases: { items: Item[]; step: number }[] = [];
  forAll(
    (random) => ({
      items: Array.from({ length: intBetween(random, 0, 8) }, (): Item => {
        const kind = pick(random, ["file", "dir", "link"] as const);
        const name = "näme ".repeat(intBetween(random, 0, 60)) + "x";
        const content = randomBytes(random, intBetween(random, 0, 3000));
        return {
          kind,
          path: random() < 0.5 ? "d/plain" : name,
          size: kind === "file" ? content.length : 0,
          mode: intBetween(random, 0, 0o777),
          mtimeSeconds: intBetween(random, 0, 2 ** 31),
          ...kind === "link" && { target: name },
          ...kind === "file" && { content },
        };
      }),
      step: intBetween(random, 1, 2000),
    }),
    (value) => void cases.push(value),
    { runs: 40 },
  );
  for (const { items, step } of cases) {
    assertEquals(await readAll(archiveOf(items), step), items);
  }
});

Deno.test("other programs unpack what we write", async () => {
  const program = new Deno.Command("tar", {
    args: ["-tvf", "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    env: { TZ: "UTC", LC_ALL: "C.UTF-8" },
  });
  let child: Deno.ChildProcess;
  try {
    child = program.spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return; // it has no tar
    throw error;
  }
  const long = `dir/${"größe".repeat(40)}`;
  const writer = child.stdin.getWriter();
  await writer.write(archiveOf([
    { ...FILE, ...NOTHING, kind: "dir", path: "dir", mode: 0o755 },
    FILE,
    { ...FILE, path: long },
    { ...FILE, ...NOTHING, kind: "link", path: "dir/l", target: "a.txt" },
  ]));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  assertEquals([code, text.decode(stderr)], [0, ""]);
  const lines = text.decode(stdout).trimEnd().split("\n");
  assertEquals(lines.length, 4);
  assert(/^drwxr-xr-x .* dir\/$/.test(lines[0] ?? ""), lines[0]);
  assert(/^-rw-r----- .* 5 2023-11-14 .* dir\/a\.txt$/.test(lines[1] ?? ""));
  assert(lines[2]?.endsWith(long), lines[2]);
  assert(lines[3]?.endsWith("dir/l -> a.txt"), lines[3]);
});

Deno.test("a header is the 512 bytes that POSIX has for it", () => {
  const block = tarHeader(FILE);
  assertEquals(block.length, TAR_BLOCK);
  const at = (from: number, length: number): string =>
    new TextDecoder().decode(block.subarray(from, from + length))
      .replaceAll("\0", ".");
  assertEquals(at(0, 10), "dir/a.txt.");
  assertEquals(at(100, 8), "0000640.");
  assertEquals(at(124, 24), "00000000005.14524770400.");
  assertEquals(at(156, 1), "0");
  assertEquals(at(257, 8), "ustar.00");
  const sum = block.reduce((all, byte) => all + byte, 0) -
    block.subarray(148, 156).reduce((all, byte) => all + byte, 0) + 8 * 32;
  assertEquals(at(148, 8), `${sum.toString(8).padStart(6, "0")}. `);
});

const EVIL: readonly (readonly [string, string, () => Uint8Array])[] = [
  ["a hard link", "kind", () => changed(FILE, "type", "1")],
  ["a device", "kind", () => changed(FILE, "type", "3")],
  ["a sparse file of GNU", "kind", () => changed(FILE, "type", "S")],
  ["a long name of GNU", "kind", () => changed(FILE, "type", "L")],
  ["a global header", "kind", () => changed(FILE, "type", "g")],
  ["a folder with content", "content", () => changed(FILE, "type", "5")],
  ["a wrong checksum", "checksum", () => {
    const bytes = archiveOf([FILE]);
    bytes[0] = 0x65;
    return bytes;
  }],
  [
    "a size in another form",
    "UTF-8",
    () => changed(FILE, "size", "\x80\0\0\0\0\0\0\0\0\0\0\x05"),
  ],
  ["a negative size", "number", () => changed(FILE, "size", "-0000000005")],
  ["a name that is not UTF-8", "UTF-8", () => {
    const block = tarHeader(FILE);
    block[0] = 0xff;
    return concatBytes(summed(block), TAR_END);
  }],
  ["an end in a header", "ends", () => archiveOf([FILE]).slice(0, 300)],
  ["an end in content", "ends", () => archiveOf([FILE]).slice(0, 514)],
  ["no end", "ends", () => archiveOf([FILE]).slice(0, 1024)],
  [
    "something after its end",
    "after",
    () => concatBytes(TAR_END, Uint8Array.of(1)),
  ],
  ["an extended header that says a size", "says", () => pax("size=9")],
  ["an extended header that is cut", "extended", () => pax("path=x", -1)],
  [
    "an extended header of a length that lies",
    "extended",
    () => pax("path=x", 5),
  ],
  [
    "two extended headers",
    "too many",
    () => concatBytes(pax("path=x").slice(0, 1024), pax("path=y")),
  ],
  [
    "an extended header before its end",
    "ends",
    () => concatBytes(pax("path=x").slice(0, 1024), TAR_END),
  ],
  ["an extended header of gigabytes", "too many", () => {
    const block = tarHeader({ ...FILE, size: 2 ** 30 });
    block.set(new TextEncoder().encode("x"), TAR_FIELDS.type[0]);
    return summed(block);
  }],
];

for (const [what, reason, make] of EVIL) {
  Deno.test(`an archive with ${what} is refused`, async () => {
    const error = await assertRejects(() => readAll(make(), 512), SftpxError);
    assertEquals(error.code, "protocol");
    assert(error.message.includes(reason), error.message);
  });
}

Deno.test("noise is no archive", async () => {
  const cases: Uint8Array[] = [];
  forAll(
    (random) => randomBytes(random, intBetween(random, 1, 4000)),
    (bytes) => void cases.push(bytes),
    { runs: 50 },
  );
  for (const bytes of cases) {
    await assertRejects(() => readAll(bytes, 512), SftpxError);
  }
});

function archiveOf(items: readonly Item[]): Uint8Array<ArrayBuffer> {
  return concatBytes(
    ...items.flatMap(({ content = new Uint8Array(), ...entry }) => [
      tarHeader(entry),
      content,
      tarFill(content.length),
    ]),
    TAR_END,
  );
}

/** An archive of one entry with a field that is another. */
function changed(
  item: Item,
  field: keyof typeof TAR_FIELDS,
  value: string,
): Uint8Array {
  const block = tarHeader(item);
  block.set(
    Uint8Array.from(value, (char) => char.charCodeAt(0)),
    TAR_FIELDS[field][0],
  );
  const content = item.content ?? new Uint8Array();
  return concatBytes(summed(block), content, tarFill(content.length), TAR_END);
}

function pax(record: string, lie = 0): Uint8Array {
  const length = record.length + 4 + lie;
  const text = `${String(length).padStart(2, "0")} ${record}\n`;
  const block = changed(
    { ...FILE, size: text.length, content: new TextEncoder().encode(text) },
    "type",
    "x",
  );
  return concatBytes(block.subarray(0, 1024), archiveOf([FILE]));
}

function summed(block: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const sum = tarChecksum(block).toString(8).padStart(6, "0");
  block.set(new TextEncoder().encode(`${sum}\0 `), TAR_FIELDS.checksum[0]);
  return block;
}

async function readAll(bytes: Uint8Array, step: number): Promise<Item[]> {
  const items: Item[] = [];
  let content: Uint8Array[] = [];
  const reader = tarReader({
    entry(entry) {
      content = [];
      if (entry.kind !== "file") items.push(entry);
      else open = entry;
      return Promise.resolve();
    },
    content(piece) {
      content.push(piece.slice());
      return Promise.resolve();
    },
    end() {
      if (open !== undefined) {
        items.push({ ...open, content: concatBytes(...content) });
      }
      return Promise.resolve();
    },
  });
  let open: TarEntry | undefined;
  for (let at = 0; at < bytes.length; at += step) {
    await reader.update(bytes.subarray(at, at + step));
  }
  reader.finish();
  return items;
}
