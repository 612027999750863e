import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import { loadDigest } from "../../crypto/digest.ts";
import { createHashPool } from "../../workers/hash_pool.ts";

const jit = await loadDigest("jit");
const native = await loadDigest("native");

/** A Worker whose program is `code`. */
function workerOf(code: string): Worker {
  const url = URL.createObjectURL(
    new Blob([code], { type: "text/javascript" }),
  );
  return new Worker(url, { type: "module" });
}

/** Says that it is ready, and what it took and how much waits behind it; gives it back once told to by `go`. */
const SLOW = `
  const held = [];
  const channel = new BroadcastChannel("slow");
  onmessage = ({ data }) => { held.push(data); channel.postMessage(held.length); };
  channel.onmessage = ({ data }) => {
    if (data !== "go") return;
    const { id, buffer } = held.shift();
    postMessage({ type: "hashed", id, buffer, digests: new Uint8Array(32).fill(id) }, [buffer]);
  };
  postMessage({ type: "ready" });
`;

/** Dies of the first job, or at once. */
const DIES = `
  onmessage = () => { throw new Error("boom"); };
  postMessage({ type: "ready" });
`;
const DIES_AT_ONCE = `throw new Error("stillborn");`;

function filled(length: number, value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).fill(value);
}

Deno.test("a pool moves bytes to a Worker and back, and hashes them right", async () => {
  const pool = createHashPool({ digest: jit, size: 1 });
  const room = filled(5000, 1);
  const view = room.subarray(100, 3100);
  const expected = native.digest(view);
  const answer = pool.digest(view);
  await Promise.resolve();
  const { digest, bytes } = await answer;
  assertEquals(room.buffer.byteLength, 0); // moved, not copied
  assertEquals(digest, expected);
  assertEquals([bytes.byteOffset, bytes.length], [100, 3000]);
  assertEquals(bytes.buffer.byteLength, 5000);
  assertEquals(bytes, filled(3000, 1));
  pool.close();
});

Deno.test("a pool gives each caller its own digest", async () => {
  const pool = createHashPool({ digest: jit, size: 2 });
  await Promise.all(Array.from({ length: 40 }, async (_, at) => {
    const { digest, bytes } = await pool.digest(filled(20_000, at));
    assertEquals(digest, native.digest(filled(20_000, at)));
    assertEquals(bytes[0], at);
  }));
  pool.close();
});

Deno.test("one Worker answers in the order of the calls", async () => {
  const pool = createHashPool({ digest: jit, size: 1 });
  const order: number[] = [];
  const sizes = Array.from({ length: 20 }, (_, at) => at % 2 ? 10 : 300_000);
  await Promise.all(sizes.map(async (size, at) => {
    await pool.digest(filled(size, at));
    order.push(at);
  }));
  assertEquals(order, [...sizes.keys()]);
  pool.close();
});

for (
  const [where, digest, size] of [
    ["in place", native, 4],
    ["in place", jit, 0],
    ["in a Worker", jit, 1],
  ] as const
) {
  Deno.test(`a pool hashes many parts in one call, ${where} with ${digest.name}`, async () => {
    const pool = createHashPool({ digest, size });
    const all = Uint8Array.from({ length: 9000 }, (_, at) => at % 251);
    const copy = all.slice();
    const view = all.subarray(10, 8000);
    const parts = [[0, 0], [0, 1], [1, 1025], [7000, 7990], [3, 5000]] as const;
    const { digests, bytes } = await pool.digestParts(view, parts);
    assertEquals(digests.length, parts.length * 32);
    for (const [at, [start, end]] of parts.entries()) {
      assertEquals(
        digests.subarray(at * 32, at * 32 + 32).toHex(),
        native.digest(copy.subarray(10 + start, 10 + end)).toHex(),
      );
    }
    assertEquals(bytes, copy.subarray(10, 8000));
    assertEquals((await pool.digestParts(bytes, [])).digests.length, 0);
    pool.close();
  });

  Deno.test(`a pool refuses bytes that are not there, ${where} with ${digest.name}`, async () => {
    const pool = createHashPool({ digest, size });
    const gone = filled(10, 1);
    structuredClone(gone, { transfer: [gone.buffer] });
    await assertRejects(() => pool.digest(gone), RangeError, "moved away");
    for (const part of [[0, 11], [-1, 2], [3, 2], [0, NaN]] as const) {
      await assertRejects(
        () => pool.digestParts(filled(10, 1), [part]),
        RangeError,
        "Cannot hash part",
      );
    }
    assertEquals(
      (await pool.digest(filled(10, 1))).digest,
      native.digest(filled(10, 1)),
    );
    pool.close();
    const error = await assertRejects(
      () => pool.digest(filled(1, 1)),
      SftpxError,
      "closed",
    );
    assertEquals(error.code, "cancelled");
  });
}

Deno.test("a native digest needs no Worker", async () => {
  const spawn = (): Worker => {
    throw new Error("a Worker was started");
  };
  const pool = createHashPool({ digest: native, size: 4, spawn });
  const bytes = filled(100, 3);
  assertEquals((await pool.digest(bytes)).bytes, bytes);
  assertEquals(bytes.length, 100); // not moved either
  pool.close();
});

Deno.test("two jobs are with a Worker and the others wait for their turn", async () => {
  const channel = new BroadcastChannel("slow");
  const heard: unknown[] = [];
  let wake: () => void = () => {};
  channel.onmessage = ({ data }) => {
    heard.push(data);
    wake();
  };
  const heardMore = () => new Promise<void>((resolve) => wake = resolve);
  const pool = createHashPool({
    digest: jit,
    size: 1,
    spawn: () => workerOf(SLOW),
  });
  const buffers = Array.from({ length: 5 }, (_, at) => filled(64, at));
  const answers = buffers.map((bytes) => pool.digest(bytes));

  while (heard.length < 2) await heardMore();
  assertEquals(heard, [1, 2]);
  assertEquals(buffers.map((bytes) => bytes.length), [0, 0, 64, 64, 64]);

  channel.postMessage("go");
  assertEquals((await answers[0])?.bytes[0], 0);
  while (heard.length < 3) await heardMore();
  assertEquals(heard, [1, 2, 2]); // one back, one more
  assertEquals(buffers.map((bytes) => bytes.length), [0, 0, 0, 64, 64]);

  pool.close();
  for (const answer of answers.slice(1)) {
    await assertRejects(() => answer, SftpxError, "the pool is closed");
  }
  channel.close();
});

Deno.test("a Worker that dies rejects what it had, and another takes its place", async () => {
  const programs = [DIES];
  const pool = createHashPool({
    digest: jit,
    size: 1,
    spawn: () => {
      const program = programs.shift();
      return program === undefined
        ? new Worker(new URL("../../workers/hash_worker.ts", import.meta.url), {
          type: "module",
          name: "sftpx-hash:jit",
        })
        : workerOf(program);
    },
  });
  const answers = [1, 2, 3].map((value) => pool.digest(filled(10, value)));
  for (const answer of answers.slice(0, 2)) {
    const error = await assertRejects(
      () => answer,
      SftpxError,
      "a worker has died: ",
    );
    assertEquals(error.code, "internal");
    assert(error.message.includes("boom"));
  }
  // What only waited is not lost.
  assertEquals((await answers[2])?.digest, native.digest(filled(10, 3)));
  pool.close();
});

Deno.test("a pool has failed when a Worker's replacement dies too", async () => {
  let started = 0;
  const pool = createHashPool({
    digest: jit,
    size: 1,
    spawn: () => {
      started++;
      return workerOf(DIES_AT_ONCE);
    },
  });
  const answer = pool.digest(filled(10, 1));
  const failure = await assertRejects(
    () => pool.failed,
    SftpxError,
    "stillborn",
  );
  assertEquals(failure.code, "internal");
  await assertRejects(() => answer, SftpxError, "a worker has died");
  await assertRejects(
    () => pool.digest(filled(1, 1)),
    SftpxError,
    "a worker has died",
  );
  assertEquals(started, 2);
  pool.close();
});

Deno.test("a job that cannot be done fails alone", async () => {
  const program = `
    onmessage = ({ data }) => postMessage({ type: "failed", id: data.id, reason: "no" });
    postMessage({ type: "ready" });
  `;
  const pool = createHashPool({
    digest: jit,
    size: 1,
    spawn: () => workerOf(program),
  });
  await assertRejects(
    () => pool.digest(filled(1, 1)),
    SftpxError,
    "Cannot hash: no",
  );
  await assertRejects(
    () => pool.digest(filled(1, 1)),
    SftpxError,
    "Cannot hash: no",
  );
  pool.close();
});

Deno.test("a buffer that is given twice at once is hashed once and refused once", async () => {
  const pool = createHashPool({ digest: jit, size: 1 });
  const bytes = filled(100, 9);
  const [first, second] = await Promise.allSettled([
    pool.digest(bytes),
    pool.digest(bytes),
  ]);
  assertEquals([first.status, second.status], ["fulfilled", "rejected"]);
  pool.close();
});

Deno.test("createHashPool() refuses a size that is no size", () => {
  for (const size of [-1, 1.5, NaN, 257]) {
    assertThrows(
      () => createHashPool({ digest: jit, size }),
      RangeError,
      `current value is ${size}`,
    );
  }
});
