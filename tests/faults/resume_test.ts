import { assert, assertEquals } from "@std/assert";
import { type Random, seeded } from "../testutil/random.ts";
import { makeTree, type TreeSpec } from "../testutil/tree.ts";
import {
  type Ends,
  kill,
  MIB,
  openEnds,
  reached,
  told,
  type Totals,
} from "./kit.ts";

/** What is half-way when the two ends are killed. */
const HALF = {
  "a/first": 1000,
  "b.bin": 12 * MIB,
  "c": 300_000,
} satisfies TreeSpec;
const HALF_BYTES = 1000 + 12 * MIB + 300_000;

/** Brings a transfer to its half, and kills both ends. */
async function half(ends: Ends): Promise<void> {
  const receiver = await ends.recv();
  const sender = ends.send({ args: ["--limit-rate", "3M"] });
  await reached(sender, 5 * MIB);
  await Promise.all([kill(sender), kill(receiver)]);
}

/** Runs both ends to a good end. */
async function rest(
  ends: Ends,
  args: { send?: readonly string[]; recv?: readonly string[] } = {},
): Promise<{ totals: Totals; warnings: string[] }> {
  await using receiver = await ends.recv({ args: args.recv ?? [] });
  await using sender = ends.send({ args: args.send ?? [] });
  const totals = await ends.finish(sender, receiver);
  const warnings = told(receiver).filter(({ type }) => type === "warning");
  return { totals, warnings: warnings.map(({ message }) => String(message)) };
}

async function copy(from: string, to: string): Promise<void> {
  await Deno.remove(to, { recursive: true }).catch(() => {});
  const { code } = await new Deno.Command("cp", { args: ["-a", from, to] })
    .output();
  assertEquals(code, 0);
}

async function change(
  path: string,
  edit: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array,
): Promise<void> {
  await Deno.writeFile(path, edit(await Deno.readFile(path)));
}

function flip(random: Random, count = 1) {
  return (bytes: Uint8Array<ArrayBuffer>): Uint8Array => {
    for (let n = 0; n < count; n++) {
      const at = Math.floor(random() * bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 + Math.floor(random() * 255));
    }
    return bytes;
  };
}

type Tampering = (at: {
  readonly ends: Ends;
  readonly journal: string;
  readonly part: string;
  readonly random: Random;
}) => Promise<unknown>;

const TAMPERINGS: Readonly<Record<string, Tampering>> = {
  "journal cut somewhere": ({ journal, random }) =>
    change(journal, (b) => b.subarray(0, Math.floor(random() * b.length))),
  "journal empty": ({ journal }) => Deno.writeFile(journal, new Uint8Array()),
  "journal with a byte that is another": ({ journal, random }) =>
    change(journal, flip(random)),
  "journal of another version": ({ journal }) =>
    change(journal, (b) => {
      b[11] = 2;
      return b;
    }),
  "journal that is somebody's text": ({ journal }) =>
    Deno.writeTextFile(journal, "remember the milk\n".repeat(100)),
  "journal with something behind it": ({ journal }) =>
    Deno.writeFile(journal, new Uint8Array(1000).fill(3), { append: true }),
  "journal gone": ({ journal }) => Deno.remove(journal),
  "journal that others may read": ({ journal }) => Deno.chmod(journal, 0o666),
  "part with a byte that is another": ({ part, random }) =>
    change(part, flip(random)),
  "part with many bytes that are others": ({ part, random }) =>
    change(part, flip(random, 500)),
  "part that is shorter": ({ part, random }) =>
    change(part, (b) => b.subarray(0, Math.floor(random() * b.length))),
  "part that is longer": ({ part }) =>
    Deno.writeFile(part, new Uint8Array(20 * MIB).fill(9), { append: true }),
  "part gone": ({ part }) => Deno.remove(part),
  "all parts gone": ({ ends }) =>
    Deno.remove(`${ends.uploads}/.sftpx-partial`, { recursive: true }),
  "part that is a link to another file": async ({ ends, part }) => {
    await Deno.rename(part, `${ends.dir}/victim`);
    await Deno.symlink(`${ends.dir}/victim`, part);
  },
  "part that has a second name": ({ ends, part }) =>
    Deno.link(part, `${ends.dir}/victim`),
  "part where there are only zeros": ({ part }) =>
    change(part, (b) => b.fill(0)),
  "file in place that is another of the same size": ({ ends, random }) =>
    change(`${ends.uploads}/src/a/first`, flip(random)),
  "file in place gone": ({ ends }) =>
    Deno.remove(`${ends.uploads}/src/a/first`),
};

Deno.test("state that was tampered with is noticed, and the end is the same", async () => {
  await using ends = await openEnds(HALF, {
    recv: ["--on-conflict", "overwrite"],
  });
  await half(ends);
  const saved = (name: string): string => `${ends.dir}/saved-${name}`;
  const state = `${ends.dir}/resume-recv`;
  await copy(ends.uploads, saved("uploads"));
  await copy(state, saved("state"));
  for (const [seed, [what, tamper]] of Object.entries(TAMPERINGS).entries()) {
    await copy(saved("uploads"), ends.uploads);
    await copy(saved("state"), state);
    const journal = await ends.journal();
    const [part] = await ends.parts();
    assert(part !== undefined);
    await tamper({ ends, journal, part, random: seeded(seed) });
    const victim = `${ends.dir}/victim`;
    const before = await Deno.readFile(victim).catch(() => undefined);
    const { totals, warnings } = await rest(ends);
    await Deno.remove(`${journal}.bad`).catch(() => {});
    await ends.check();
    const after = await Deno.readFile(victim).catch(() => undefined);
    assertEquals(after, before, `${what}: the other file`);
    await Deno.remove(victim).catch(() => {});
    const isJournal = /^journal (cut|empty|with|of|that is)/.test(what);
    assertEquals(warnings.length, isJournal ? 1 : 0, `${what}: ${warnings}`);
    assert(totals.sent <= HALF_BYTES, `${what}: ${totals.sent} were sent`);
  }
});

/** What happens to the source while nobody sends, and what of it must go again at most. */
const CHANGES: readonly (readonly [
  name: string,
  change: (src: string) => Promise<unknown>,
  most: number,
])[] = [
  [
    "appended to",
    (src) => Deno.writeFile(`${src}/b.bin`, noise(MIB, 1), { append: true }),
    9 * MIB,
  ],
  ["cut", (src) => Deno.truncate(`${src}/b.bin`, 10 * MIB + 5), 7 * MIB],
  ["rewritten in one place", (src) => patch(`${src}/b.bin`, MIB), 9 * MIB],
  [
    "rewritten in one place, with the time it had",
    async (src) => {
      const { atime, mtime } = await Deno.stat(`${src}/b.bin`);
      await patch(`${src}/b.bin`, MIB);
      assert(atime !== null && mtime !== null);
      await Deno.utime(`${src}/b.bin`, atime, mtime);
    },
    9 * MIB,
  ],
  [
    "written anew",
    (src) => Deno.writeFile(`${src}/b.bin`, noise(12 * MIB, 7)),
    HALF_BYTES,
  ],
  ["gone", (src) => Deno.remove(`${src}/b.bin`), 300_000],
  [
    "a folder now",
    async (src) => {
      await Deno.remove(`${src}/b.bin`);
      await makeTree(`${src}/b.bin`, { x: 1000, y: 2 * MIB });
    },
    300_000 + 1000 + 2 * MIB,
  ],
  [
    "a link now",
    async (src) => {
      await Deno.remove(`${src}/b.bin`);
      await Deno.symlink("c", `${src}/b.bin`);
    },
    300_000,
  ],
  [
    "moved",
    (src) => Deno.rename(`${src}/b.bin`, `${src}/b2.bin`),
    HALF_BYTES,
  ],
  ["of another mode", (src) => Deno.chmod(`${src}/b.bin`, 0o600), 8 * MIB],
];

Deno.test("a file that was half sent and has changed since: no more than that is sent, and no mixture arrives", async () => {
  const run = async (
    [what, edit, most]: typeof CHANGES[number],
  ): Promise<void> => {
    await using ends = await openEnds(HALF);
    await half(ends);
    await edit(ends.src);
    const { totals } = await rest(ends);
    await ends.check();
    assert(totals.sent <= most, `${what}: ${totals.sent} bytes were sent`);
  };
  for (let at = 0; at < CHANGES.length; at += 5) {
    await Promise.all(CHANGES.slice(at, at + 5).map(run));
  }
});

/** Bytes that compress to nothing that was there before. */
function noise(size: number, seed: number): Uint8Array<ArrayBuffer> {
  const random = seeded(seed);
  const words = new Uint32Array(size / 4);
  for (let at = 0; at < words.length; at++) words[at] = random() * 2 ** 32;
  return new Uint8Array(words.buffer);
}

/** Writes some bytes at a place, and leaves the length alone. */
async function patch(path: string, at: number): Promise<void> {
  using file = await Deno.open(path, { write: true });
  await file.seek(at, Deno.SeekMode.Start);
  await file.write(new Uint8Array(1000).fill(at % 251));
}
