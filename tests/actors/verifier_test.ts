import { assertEquals } from "@std/assert";
import { type Fact, mergeFacts } from "../../actors/facts.ts";
import type { CheckedChunk } from "../../actors/lane_receive.ts";
import type { PersistenceMessage } from "../../actors/persistence.ts";
import { verifier, type VerifierMessage } from "../../actors/verifier.ts";
import { createOutbox } from "../../core/coalesce.ts";
import { codeOf } from "../../core/errors.ts";
import { nullLog } from "../../core/log.ts";
import { Supervisor } from "../../core/supervisor.ts";
import type { FileEntry } from "../../protocol/entry.ts";
import { FakeClock, settle } from "../testutil/fake_clock.ts";
import { recorder } from "../testutil/recorder.ts";
import { CHUNK, hashing } from "./pair.ts";

const { digest } = await hashing();

function file(chunks: number): FileEntry {
  return {
    kind: "file",
    path: "some file",
    mode: 0o644,
    mtimeNs: 0n,
    size: CHUNK * chunks,
    chunkSize: CHUNK,
  };
}

/** The digest that a test's chunk has. */
function digestOf(chunk: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(32).fill(chunk + 1);
}

function chunk(
  number: number,
  verdict: CheckedChunk["verdict"] = "written",
  gen = 0,
): CheckedChunk {
  return {
    run: 1,
    index: 0,
    gen,
    chunk: number,
    digest: digestOf(number),
    bytes: CHUNK,
    verdict,
  };
}

/** Runs a verifier that was told of one file. */
async function withVerifier(
  chunks: number,
  body: (it: {
    /** Tells it, and waits until it has done with that. */
    tell(...messages: VerifierMessage[]): Promise<void>;
    /** What persistence was told since. */
    heard(): string[];
    fact(): Fact | undefined;
    readonly run: Promise<unknown>;
  }) => Promise<void>,
  b3sum = false,
): Promise<void> {
  const persistence = recorder<PersistenceMessage>();
  const facts = createOutbox<number, Fact>(mergeFacts);
  const clock = new FakeClock();
  const stop = new AbortController();
  const supervisor = new Supervisor("test", {
    strategy: "rest-for-one",
    maxCrashes: 0,
    crashWindowMs: 10_000,
    backoffMs: 0,
    backoffCapMs: 0,
    patienceMs: 0,
    shutdownMs: 1000,
  }, { clock, log: nullLog, random: () => 1 });
  const address = supervisor.add<VerifierMessage>({
    name: "verifier",
    capacity: 64,
    restart: "permanent",
    create: () => verifier({ digest, facts, persistence }),
  });
  const run = supervisor.run(stop.signal).catch((error) => error);
  const tell = async (...messages: VerifierMessage[]): Promise<void> => {
    for (const message of messages) await address.send(message);
    for (let n = 0; n < 3; n++) await settle();
  };
  await tell(
    { type: "begin", run: 1, checksum: false, fresh: false, b3sum },
    {
      type: "announced",
      run: 1,
      entries: [{ index: 0, gen: 0, entry: file(chunks) }],
    },
  );
  persistence.drain();
  let known: Fact | undefined;
  await body({
    tell,
    heard: () => persistence.drain().map(({ type }) => type),
    fact() {
      known = facts.drain().get(0) ?? known;
      return known;
    },
    run,
  });
  stop.abort();
  await run;
  assertEquals(clock.pending, 0);
}

function claim(content: Uint8Array, gen = 0): VerifierMessage {
  return {
    type: "digest",
    run: 1,
    index: 0,
    gen,
    digest: content,
    b3sum: undefined,
  };
}

function checked(...chunks: CheckedChunk[]): VerifierMessage {
  return { type: "checked", run: 1, chunks };
}

const BOTH = digest.digest(new Uint8Array([...digestOf(0), ...digestOf(1)]));

Deno.test("verifier: a file of one chunk is whole with it", async () => {
  await withVerifier(1, async ({ tell, heard }) => {
    await tell(checked(chunk(0)));
    assertEquals(heard(), ["whole"]);
  });
});

Deno.test("verifier: a file of more is whole once all is here and the sender has said what it is, in either order", async () => {
  await withVerifier(2, async ({ tell, heard }) => {
    await tell(checked(chunk(0), chunk(1)));
    assertEquals(heard(), ["verified"]);
    await tell(claim(BOTH));
    assertEquals(heard(), ["whole"]);
  });
  await withVerifier(2, async ({ tell, heard }) => {
    await tell(claim(BOTH), checked(chunk(1)));
    assertEquals(heard(), ["verified"]);
    await tell(checked(chunk(0, "same")));
    assertEquals(heard(), ["verified", "whole"]);
  });
});

Deno.test("verifier: where every file comes with its own digest, one chunk waits for it too", async () => {
  await withVerifier(1, async ({ tell, heard }) => {
    await tell(checked(chunk(0)));
    assertEquals(heard(), ["verified"]);
    await tell(claim(digestOf(0)));
    assertEquals(heard(), ["whole"]);
  }, true);
});

Deno.test("verifier: a chunk that was wrong is asked for again, and nobody keeps it", async () => {
  await withVerifier(2, async ({ tell, heard, fact }) => {
    await tell(checked(chunk(0, "corrupt"), chunk(1)));
    assertEquals(heard(), ["verified"]);
    assertEquals([...fact()?.corrupt?.ranges() ?? []], [{ start: 0, end: 1 }]);
  });
});

Deno.test("verifier: a chunk that comes twice is told once", async () => {
  await withVerifier(2, async ({ tell, heard }) => {
    await tell(checked(chunk(0)), checked(chunk(0)));
    assertEquals(heard(), ["verified"]);
  });
});

Deno.test("verifier: chunks that do not make what the sender says must all come again", async () => {
  await withVerifier(2, async ({ tell, heard, fact }) => {
    await tell(claim(digestOf(9)), checked(chunk(0), chunk(1)));
    assertEquals(heard(), ["verified", "rewind"]);
    assertEquals([...fact()?.corrupt?.ranges() ?? []], [{ start: 0, end: 2 }]);
  });
});

Deno.test("verifier: a file that never comes right ends the transfer", async () => {
  await withVerifier(1, async ({ tell, run }) => {
    for (let n = 0; n < 8; n++) await tell(checked(chunk(0, "corrupt")));
    assertEquals(codeOf(await run), "integrity");
  });
});

Deno.test("verifier: what is said of an older version or an older run is dropped", async () => {
  await withVerifier(1, async ({ tell, heard }) => {
    await tell({
      type: "announced",
      run: 1,
      entries: [{ index: 0, gen: 1, entry: file(1) }],
    });
    heard();
    await tell(
      checked(chunk(0, "written", 0)),
      claim(digestOf(0), 0),
      { type: "checked", run: 0, chunks: [chunk(0, "written", 1)] },
    );
    assertEquals(heard(), []);
    await tell(checked(chunk(0, "written", 1)));
    assertEquals(heard(), ["whole"]);
  });
});

Deno.test("verifier: of what is gone or final nothing is kept", async () => {
  await withVerifier(2, async ({ tell, heard }) => {
    await tell({ type: "gone", run: 1, index: 0, gen: 0 });
    assertEquals(heard(), ["gone"]);
    await tell(checked(chunk(0), chunk(1)), claim(BOTH));
    assertEquals(heard(), []);
  });
  await withVerifier(2, async ({ tell, heard }) => {
    await tell({ type: "retired", run: 1, next: 1 });
    await tell(checked(chunk(0), chunk(1)), claim(BOTH));
    assertEquals(heard(), []);
  });
});
