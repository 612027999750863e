import { assert, assertEquals, assertRejects } from "@std/assert";
import { createDesk, type Desk, type DeskDeps } from "../../actors/desk.ts";
import { type Fact, mergeFacts } from "../../actors/facts.ts";
import type { CheckedChunk } from "../../actors/lane_receive.ts";
import { createOutbox } from "../../core/coalesce.ts";
import { SftpxError } from "../../core/errors.ts";
import type { Entry, FileEntry } from "../../protocol/entry.ts";
import { openJournal } from "../../store/journal.ts";
import { openRoot } from "../../store/root.ts";
import { createVault } from "../../store/vault.ts";
import { settle } from "../testutil/fake_clock.ts";
import { namesIn } from "../testutil/root.ts";
import { tempDir } from "../testutil/temp.ts";
import { CHUNK, hashing } from "./pair.ts";

const { digest, pool } = await hashing();
const RUN = 1;

/** `object`, whose methods say in `steps` that they are done. */
function recorded<T extends object>(
  name: string,
  object: T,
  steps: string[],
): T {
  return new Proxy(object, {
    get(target, key) {
      const value = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        const result = value.apply(target, args);
        const done = (kept: unknown): unknown => {
          steps.push(`${name}.${String(key)}`);
          const isPart = key === "open" || key === "create";
          return isPart && kept instanceof Object
            ? recorded("part", kept, steps)
            : kept;
        };
        return result instanceof Promise ? result.then(done) : done(result);
      };
    },
  });
}

interface Bench {
  readonly desk: Desk;
  /** What was done, in order. */
  readonly steps: string[];
  /** What was said of an entry so far. */
  fact(index: number): Fact | undefined;
  readonly failures: unknown[];
  readonly dir: string;
  /** Brings a whole file. */
  bring(index: number, gen: number, entry: FileEntry): Promise<void>;
}

async function withDesk(
  body: (bench: Bench) => Promise<void>,
  options: Partial<DeskDeps> & {
    reserve?: (bytes: number) => Promise<void>;
  } = {},
): Promise<void> {
  await using dir = await tempDir();
  const steps: string[] = [];
  const realRoot = await openRoot(dir.join("up"));
  const root = recorded("root", realRoot, steps);
  const opened = await openJournal({
    file: dir.join("session.bitmap"),
    session: new Uint8Array(32),
    root: root.dir,
    digest: digest.digest,
    fresh: false,
  });
  const journal = recorded("journal", opened.journal, steps);
  const realPartial = await realRoot.partial("ab".repeat(32));
  const partial = recorded("partial", realPartial, steps);
  const said = new Map<number, Fact>();
  const outbox = createOutbox<number, Fact>(mergeFacts);
  const facts = {
    ...outbox,
    add(index: number, fact: Fact): boolean {
      if (fact.durable !== undefined) steps.push(`say durable ${index}`);
      if (fact.final !== undefined) steps.push(`say final ${index}`);
      said.set(index, mergeFacts(said.get(index), fact));
      return true;
    },
  };
  const failures: unknown[] = [];
  const vault = createVault({
    // Wrapped outside of it, as it gives its place to the folder of parts.
    root: {
      ...realRoot,
      async commit(_, slot, path, how) {
        const done = await realRoot.commit(realPartial, slot, path, how);
        steps.push("root.commit");
        return done;
      },
      nest(_, path) {
        const dir = realRoot.nest(realPartial, path);
        return dir && recorded("nest", dir, steps);
      },
    },
    partial,
    journal,
    digest: pool.digest,
    onConflict: options.onConflict ?? "rename",
    checksum: false,
    reserve: options.reserve ?? (() => Promise.resolve()),
    reserveNow: () => options.reserve === undefined,
    release() {},
  });
  const desk = createDesk({
    run: RUN,
    root,
    partial,
    journal,
    vault,
    digest,
    facts,
    onConflict: "rename",
    links: "inside",
    allowHidden: false,
    changed() {},
    fail: (error) => failures.push(error),
    ...options,
  });
  const bring = async (
    index: number,
    gen: number,
    entry: FileEntry,
  ): Promise<void> => {
    const count = Math.ceil(entry.size / entry.chunkSize);
    const digests: Uint8Array[] = [];
    for (let chunk = 0; chunk < count; chunk++) {
      const checked = await write(desk, index, gen, entry, chunk);
      digests.push(checked.digest);
    }
    const [only] = digests;
    const all = new Uint8Array(digests.flatMap((one) => [...one]));
    const whole = count === 1 && only ? only : digest.digest(all);
    desk.whole({ index, gen, digest: whole, b3sum: undefined, bytes: 0 });
  };
  try {
    await body({
      desk,
      steps,
      fact: (index) => said.get(index),
      failures,
      dir: root.dir,
      bring,
    });
  } finally {
    await desk.close();
    partial.close();
    await journal.close();
    realRoot.close();
  }
}

async function write(
  desk: Desk,
  index: number,
  gen: number,
  entry: FileEntry,
  chunk: number,
): Promise<CheckedChunk> {
  const length = Math.min(entry.chunkSize, entry.size - chunk * CHUNK);
  const bytes = new Uint8Array(length).fill(chunk + 1);
  await desk.target(index)?.write(chunk, bytes);
  const checked: CheckedChunk = {
    run: RUN,
    index,
    gen,
    chunk,
    digest: digest.digest(bytes),
    bytes: length,
    verdict: "written",
  };
  desk.verified([checked]);
  return checked;
}

function file(path: string, size: number, mtimeNs = 0n): FileEntry {
  return { kind: "file", path, mode: 0o644, mtimeNs, size, chunkSize: CHUNK };
}

function dir(kind: "dir" | "dir-end", path: string): Entry {
  return { kind, path, mode: 0o755, mtimeNs: 1_000_000_000n };
}

/** Lets decisions about entries be made. */
async function decided(check: () => boolean): Promise<void> {
  for (let n = 0; n < 200 && !check(); n++) await settle();
  assert(check(), "no decision");
}

/** That `steps` hold these, in this order. */
function assertOrder(steps: readonly string[], ...expected: string[]): void {
  let at = 0;
  for (const step of steps) if (step === expected[at]) at++;
  assertEquals(at, expected.length, `${steps.join(", ")}: ${expected[at]}`);
}

Deno.test("desk: nothing is called durable before its data is synced and the journal is written", async () => {
  await withDesk(async ({ desk, steps, fact }) => {
    const entry = file("big", CHUNK * 3);
    await desk.announced([{ index: 0, gen: 0, entry }]);
    await decided(() => fact(0)?.verdict !== undefined);
    await write(desk, 0, 0, entry, 1);
    assertEquals(fact(0)?.durable, undefined);
    steps.length = 0;
    await desk.checkpoint();
    assertOrder(
      steps,
      "part.sync",
      "partial.sync",
      "journal.have",
      "journal.flush",
      "say durable 0",
    );
    assertEquals(fact(0)?.final, undefined);
  });
});

Deno.test("desk: nothing is called final before it is synced, has its name, and folders and journal are on disk", async () => {
  await withDesk(async ({ desk, steps, fact, bring }) => {
    const entry = file("big", CHUNK * 3);
    await desk.announced([{ index: 0, gen: 0, entry }]);
    await decided(() => fact(0)?.verdict !== undefined);
    await bring(0, 0, entry);
    steps.length = 0;
    await desk.checkpoint();
    assertOrder(
      steps,
      "part.sync",
      "root.commit",
      "journal.done",
      "root.syncDirs",
      "journal.flush",
      "say final 0",
    );
    assertEquals(fact(0)?.final?.finalPath, "big");
  });
});

Deno.test({
  name:
    "desk: small files of a new folder get their names with it, once all are synced",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await withDesk(async ({ desk, steps, fact, dir: up }) => {
      const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
      const entries = [
        dir("dir", "d"),
        ...names.map((name) => file(`d/${name}`, 10)),
        dir("dir-end", "d"),
      ];
      await desk.announced(
        entries.map((entry, index) => ({ index, gen: 0, entry })),
      );
      await decided(() => fact(8)?.verdict !== undefined);
      const bytes = new Uint8Array(10).fill(1);
      const sum = digest.digest(bytes);
      for (const [n] of names.entries()) {
        const index = n + 1;
        assert(desk.target(index)?.writeNow?.(0, bytes));
        desk.whole({ index, gen: 0, digest: sum, b3sum: undefined, bytes: 10 });
      }
      assertEquals(namesIn(`${up}/d`), []);
      steps.length = 0;
      await desk.checkpoint();
      assertOrder(
        steps,
        "root.syncFileSystem",
        "nest.adopt",
        "root.syncDirs",
        "journal.flush",
        "say final 1",
        "say final 8",
      );
      assertEquals(steps.filter((step) => step === "root.commit"), []);
      assertEquals(namesIn(`${up}/d`), names);
    });
  },
});

Deno.test("desk: a folder ends only after all that is in it, and all that came before", async () => {
  await withDesk(async ({ desk, fact, bring }) => {
    const entry = file("d/f", 10);
    await desk.announced([
      { index: 0, gen: 0, entry: dir("dir", "d") },
      { index: 1, gen: 0, entry },
      { index: 2, gen: 0, entry: dir("dir-end", "d") },
    ]);
    await decided(() => fact(1)?.verdict !== undefined);
    await desk.checkpoint();
    assertEquals(fact(2)?.final, undefined);
    await bring(1, 0, entry);
    await desk.checkpoint();
    assert(fact(1)?.final !== undefined && fact(2)?.final !== undefined);
  });
});

Deno.test("desk: what one entry is refused for does not end the others", async () => {
  await withDesk(async ({ desk, fact, failures, bring }) => {
    const good = file("good", 10);
    await desk.announced([
      { index: 0, gen: 0, entry: file("../up", 10) },
      { index: 1, gen: 0, entry: file(".hidden", 10) },
      { index: 2, gen: 0, entry: good },
      { index: 3, gen: 0, entry: file("good", 20) },
      {
        index: 4,
        gen: 0,
        entry: {
          kind: "link",
          path: "out",
          mode: 0o777,
          mtimeNs: 0n,
          target: "/etc/passwd",
        },
      },
    ]);
    await decided(() => [0, 1, 2, 3, 4].every((i) => fact(i) !== undefined));
    for (const index of [0, 1, 3, 4]) {
      assertEquals(fact(index)?.verdict?.kind, "refused", `${index}`);
      assertEquals(fact(index)?.final?.finalPath, undefined);
    }
    await bring(2, 0, good);
    await desk.checkpoint();
    assertEquals(fact(2)?.final?.finalPath, "good");
    assertEquals(failures, []);
  });
});

Deno.test("desk: a disk that is full is everybody's failure", async () => {
  const full = new SftpxError(
    "local-io",
    "Cannot receive",
    Object.assign(new Error("full"), { code: "ENOSPC" }),
  );
  await withDesk(async ({ desk, fact, failures }) => {
    await desk.announced([{ index: 0, gen: 0, entry: file("f", 10) }]);
    await decided(() => failures.length > 0);
    assertEquals(failures, [full]);
    assertEquals(fact(0), undefined);
  }, { reserve: () => Promise.reject(full) });
});

Deno.test("desk: a file that is given up or announced anew during a checkpoint does not end it", async () => {
  await withDesk(async ({ desk, fact, failures }) => {
    const entry = file("big", CHUNK * 3);
    await desk.announced([
      { index: 0, gen: 0, entry },
      { index: 1, gen: 0, entry: file("other", CHUNK * 3) },
    ]);
    await decided(() => fact(0) !== undefined && fact(1) !== undefined);
    await write(desk, 0, 0, entry, 0);
    await write(desk, 1, 0, file("other", CHUNK * 3), 0);
    const saving = desk.checkpoint();
    desk.gone(1, 0);
    await desk.announced([{ index: 0, gen: 1, entry: file("big", CHUNK, 9n) }]);
    await saving;
    await desk.checkpoint();
    assertEquals(fact(1)?.durable, undefined);
    await decided(() => fact(0)?.gen === 1);
    assertEquals(failures, []);
  });
});

Deno.test("desk: a file that must come again during a checkpoint is not called durable by it", async () => {
  await withDesk(async ({ desk, fact }) => {
    const entry = file("big", CHUNK * 2);
    await desk.announced([{ index: 0, gen: 0, entry }]);
    await decided(() => fact(0) !== undefined);
    await write(desk, 0, 0, entry, 0);
    const saving = desk.checkpoint();
    desk.rewind(0, 0);
    await saving;
    assertEquals(fact(0)?.durable, undefined);
    desk.repeat();
    assertEquals(fact(0)?.durable, undefined);
  });
});

Deno.test("desk: what is final and was not yet heard of is not lost when all is said once more", async () => {
  const facts = createOutbox<number, Fact>(mergeFacts);
  await withDesk(async ({ desk }) => {
    await desk.announced([{ index: 0, gen: 0, entry: file(".hidden", 10) }]);
    await decided(() => facts.size > 0);
    desk.repeat();
    const fact = facts.drain().get(0);
    assertEquals(fact?.verdict?.kind, "refused");
    assert(fact?.final !== undefined);
  }, { facts });
});

Deno.test("desk: the end of a folder changes nothing but folders", async () => {
  await withDesk(async ({ desk, fact, dir }) => {
    await Deno.writeTextFile(`${dir}/theirs`, "x", { mode: 0o644 });
    await desk.announced([{
      index: 0,
      gen: 0,
      entry: { kind: "dir-end", path: "theirs", mode: 0, mtimeNs: 0n },
    }]);
    await decided(() => desk.isDirty);
    await desk.checkpoint();
    assert(fact(0)?.final !== undefined);
    const { mode, mtime } = await Deno.stat(`${dir}/theirs`);
    assertEquals((mode ?? 0) & 0o777, 0o644);
    assert((mtime?.getTime() ?? 0) > 0);
  });
});

Deno.test("desk: with the policy to fail, a name that is taken ends the session", async () => {
  await withDesk(async ({ desk, failures, dir }) => {
    await Deno.writeTextFile(`${dir}/f`, "other");
    await desk.announced([{ index: 0, gen: 0, entry: file("f", 10) }]);
    await decided(() => failures.length > 0);
    assert(failures[0] instanceof SftpxError);
  }, { onConflict: "fail" });
});

Deno.test("desk: once it is closed it takes nothing more", async () => {
  await withDesk(async ({ desk }) => {
    await desk.close();
    await assertRejects(() =>
      desk.announced([{ index: 0, gen: 0, entry: file("f", 10) }])
    );
  });
});
