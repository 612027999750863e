import { createWriter, type Writer } from "./cursor.ts";
import { assertEquals, assertThrows } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { forAll, intBetween, pick } from "../tests/testutil/random.ts";
import type { FileEntry } from "./entry.ts";
import type { Final } from "./ledger_row.ts";
import { type Outgoing, outgoing, type Work } from "./outgoing.ts";

const CHUNK = 1 << 16;

function file(chunks: number): FileEntry {
  return {
    kind: "file",
    path: "f",
    mode: 0o644,
    mtimeNs: 0n,
    size: chunks * CHUNK,
    chunkSize: CHUNK,
  };
}

/** A digest of a test: 32 times the same byte. */
function digestOf(value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(32).fill(value + 1);
}

function ledgerOf(
  finals: Map<number, Final> = new Map(),
): { ledger: Outgoing<string>; records: Writer } {
  const records = createWriter("ROOT");
  const ledger = outgoing<string>({
    digest: (bytes) => digestOf(bytes.length % 200),
    records,
    final: (index) => finals.get(index),
  });
  return { ledger, records };
}

/** The chunks that `work` names. */
function chunksOf(work: readonly Work[]): number[] {
  return work.flatMap(({ first, count }) =>
    Array.from({ length: count }, (_, n) => first + n)
  );
}

const WANT = { kind: "want" } as const;

Deno.test("outgoing: a chunk that was durable and turns out to be wrong must come again", () => {
  const { ledger } = ledgerOf();
  ledger.add(file(4), "");
  ledger.heard({ type: "verdict", index: 0, gen: 0, verdict: WANT });
  ledger.heard({ type: "durable", index: 0, gen: 0, first: 0, count: 4 });
  const work = ledger.heard({
    type: "corrupt",
    index: 0,
    gen: 0,
    first: 1,
    count: 2,
  });
  assertEquals(chunksOf(work), [1, 2]);
  assertEquals(ledger.totals.durable, 2 * CHUNK);
});

Deno.test("outgoing: a receiver can ask for no chunk and no entry that was not announced", () => {
  const { ledger } = ledgerOf();
  ledger.add(file(2), "");
  const bad = [
    { type: "verdict", index: 1, gen: 0, verdict: WANT },
    {
      type: "verdict",
      index: 0,
      gen: 0,
      verdict: { kind: "compare", chunks: 3 },
    },
    { type: "corrupt", index: 0, gen: 0, first: 1, count: 2 },
    { type: "corrupt", index: 0, gen: 0, first: 2 ** 52, count: 1 },
    { type: "durable", index: 0, gen: 0, first: 0, count: 2 ** 52 },
    {
      type: "candidates",
      index: 0,
      gen: 0,
      first: 2,
      digests: new Uint8Array(32),
    },
    { type: "retired", next: 2 },
    { type: "retired", next: 1 }, // nobody said what became of it
  ] as const;
  for (const frame of bad) {
    const error = assertThrows(() => ledger.heard(frame), SftpxError);
    assertEquals(error.code, "protocol");
  }
});

Deno.test("outgoing: what is said of an older version of a file changes nothing", () => {
  const { ledger } = ledgerOf();
  ledger.add(file(2), "");
  ledger.change(0, file(3));
  assertEquals(
    ledger.heard({ type: "verdict", index: 0, gen: 0, verdict: WANT }),
    [],
  );
  assertEquals(ledger.chunkRead(0, 0, 0, digestOf(1)), "stale");
  assertEquals(
    chunksOf(
      ledger.heard({ type: "verdict", index: 0, gen: 1, verdict: WANT }),
    ),
    [0, 1, 2],
  );
});

Deno.test("outgoing: a chunk that reads otherwise the second time shows that the file changed", () => {
  const { ledger } = ledgerOf();
  ledger.add(file(2), "");
  assertEquals(ledger.chunkRead(0, 0, 1, digestOf(1)), "data");
  assertEquals(ledger.chunkRead(0, 0, 1, digestOf(1)), "data");
  assertEquals(ledger.chunkRead(0, 0, 1, digestOf(2)), "changed");
});

/** One file as a naive model sees it. */
interface Model {
  gen: number;
  chunks: number;
  compares: number;
  wanted: boolean;
  durable: Set<number>;
  candidates: Map<number, number>;
}

Deno.test("outgoing: work, durable bytes and uses of chunks are those of a naive model", () => {
  forAll((random) => random, (random) => {
    const { ledger } = ledgerOf();
    const models: Model[] = [];
    const fresh = (gen: number): Model => ({
      gen,
      chunks: intBetween(random, 1, 6),
      compares: 0,
      wanted: false,
      durable: new Set(),
      candidates: new Map(),
    });
    for (let step = 0; step < 60; step++) {
      const index = intBetween(random, 0, Math.max(0, models.length - 1));
      const model = models[index];
      const what = pick(random, [
        "add",
        "change",
        "verdict",
        "candidates",
        "durable",
        "corrupt",
        "read",
        "reconnect",
      ]);
      if (model === undefined || what === "add") {
        const made = fresh(0);
        models.push(made);
        ledger.add(file(made.chunks), "");
        continue;
      }
      const { gen, chunks } = model;
      const first = intBetween(random, 0, chunks - 1);
      const count = intBetween(random, 1, chunks - first);
      const range = Array.from({ length: count }, (_, n) => first + n);
      const missing = (list: number[]): number[] =>
        list.filter((chunk) => !model.durable.has(chunk));
      switch (what) {
        case "change": {
          const made = models[index] = fresh(gen + 1);
          ledger.change(index, file(made.chunks));
          break;
        }
        case "verdict": {
          if (model.wanted) break;
          model.wanted = true;
          model.compares = intBetween(random, 0, chunks);
          const verdict = model.compares === 0
            ? WANT
            : { kind: "compare", chunks: model.compares } as const;
          const work = ledger.heard({ type: "verdict", index, gen, verdict });
          const all = Array.from({ length: chunks }, (_, n) => n);
          assertEquals(chunksOf(work), missing(all.slice(model.compares)));
          break;
        }
        case "candidates": {
          if (first + count > model.compares) break;
          const digests = new Uint8Array(count * 32);
          range.forEach((chunk, n) => {
            const value = intBetween(random, 0, 2);
            if (value > 0) digests.set(digestOf(value), n * 32);
            if (value > 0) model.candidates.set(chunk, value);
            else model.candidates.delete(chunk);
          });
          const work = ledger.heard({
            type: "candidates",
            index,
            gen,
            first,
            digests,
          });
          assertEquals(chunksOf(work), missing(range));
          break;
        }
        case "durable":
          if (!model.wanted) break;
          ledger.heard({ type: "durable", index, gen, first, count });
          for (const chunk of range) model.durable.add(chunk);
          break;
        case "corrupt": {
          if (!model.wanted) break;
          for (const chunk of range) {
            model.durable.delete(chunk);
            model.candidates.delete(chunk);
          }
          const work = ledger.heard({
            type: "corrupt",
            index,
            gen,
            first,
            count,
          });
          assertEquals(chunksOf(work), range);
          break;
        }
        case "read": {
          const use = ledger.chunkRead(index, gen, first, digestOf(1));
          const isSame = model.candidates.get(first) === 1;
          assertEquals(use, isSame ? "same" : "data");
          break;
        }
        case "reconnect": {
          const wanted = ledger.reconnected();
          for (const one of models) one.candidates.clear();
          const expected = models.filter((one) => one.wanted).length;
          assertEquals(wanted.size, expected);
          break;
        }
      }
      const durable = models.reduce((sum, one) => sum + one.durable.size, 0);
      assertEquals(ledger.totals.durable, durable * CHUNK);
    }
  });
});

Deno.test("outgoing: entries fold into the root in order, each with its digest", () => {
  const finals = new Map<number, Final>();
  const { ledger, records } = ledgerOf(finals);
  for (const index of [0, 1]) {
    ledger.add(file(1), "");
    ledger.chunkRead(index, 0, 0, digestOf(index));
    ledger.wasRead(index, 0);
    const { entry } = ledger.get(index) ?? { entry: file(1) };
    finals.set(index, {
      index,
      entry,
      gen: 0,
      outcome: "here",
      digest: undefined,
    });
  }
  ledger.heard({ type: "retired", next: 2 });
  const folded = records.take();
  assertEquals(
    [folded.at(folded.length / 2 - 1), folded.at(-1)],
    [1, 2],
  );
  assertEquals(ledger.takeFinal().map(({ index }) => index), [0, 1]);
  assertEquals(ledger.base, 2);
});
