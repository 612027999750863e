/**
 * What a connection may take with it when it is lost, and what is said again.
 */
import { assert, assertEquals } from "@std/assert";
import { sendRun } from "../../actors/send_run.ts";
import { loadDigest } from "../../crypto/digest.ts";
import { decodeManifest } from "../../protocol/manifest.ts";
import { createFrameReader } from "../../protocol/frame.ts";
import { senderRules } from "../../protocol/session.ts";
import type { StatusFrame } from "../../protocol/status.ts";
import { namedRoots } from "../../store/source.ts";
import { walk } from "../../store/walk.ts";
import { tempDir } from "../testutil/temp.ts";
import { makeTree } from "../testutil/tree.ts";
import { assertUnbroken, openLine } from "./line.ts";

const CHUNK = 1 << 16;

Deno.test("a file that was read whole is announced so, though the lane that read it was lost before it could tell", async () => {
  await using dir = await tempDir();
  await makeTree(dir.path, { "file": 4 * CHUNK });
  const digest = await loadDigest();
  const rules = senderRules();
  const run = sendRun({
    number: 1,
    digest,
    chunkSize: () => CHUNK,
    failed: ({ reason }) => assert(false, reason),
    rules,
    b3sum: false,
  });
  const life = new Uint8Array(16);
  const connect = (attempt: number, continued: boolean, next: number): void => {
    const [session, nonce, proof] = [16 * 2, 16, 32].map((size) =>
      new Uint8Array(size)
    ) as [Uint8Array, Uint8Array, Uint8Array];
    rules.connect();
    const hello = { version: 1, extra: false, session, life, nonce, proof };
    rules.saidControl({ type: "hello", ...hello, attempt, connection: 0 });
    rules.heardControl({
      type: "welcome",
      ...{ version: 1, continued, life, next, window: 10, maxLanes: 1 },
    });
    const flags = { checksum: false, b3sum: false, fresh: false };
    const offer = { type: "offer", ...flags, label: "" } as const;
    rules.saidControl({ ...offer, totalBytes: undefined });
    rules.heardControl({ type: "accept" });
  };
  connect(1, false, 0);
  run.setWindow(10);
  const found = await Array.fromAsync(
    walk(await namedRoots([dir.join("file")])),
  );
  run.found(found, true);
  const want: StatusFrame = {
    type: "verdict",
    index: 0,
    gen: 0,
    verdict: { kind: "want" },
  };
  run.heard([want]);
  // A lane reads all of it and sends it, and the receiver has it all; then the line is cut.
  for (let chunk = 0; chunk < 4; chunk++) {
    run.ledger.chunkRead(0, 0, chunk, digest.digest(new Uint8Array([chunk])));
  }
  run.ledger.wasRead(0, 0);
  // Of several connections one may be lost, and the conversation go on.
  const frameTypes = (bytes: Uint8Array): unknown[] => {
    const reader = createFrameReader(1 << 16);
    reader.push(bytes);
    const said: unknown[] = [];
    for (let next = reader.next(); next !== undefined; next = reader.next()) {
      said.push(decodeManifest(next)?.type);
    }
    return said;
  };
  assertEquals(frameTypes(run.read()), ["digest"]);
  assertEquals(frameTypes(run.read()), [], "it is said once");
  connect(2, true, 1);
  const said = frameTypes(run.reconnect(1));
  assertEquals(said, ["digest", "end"], "nothing else would ever say it");
});

Deno.test("small files on a slow line may be in place before the lane has sent all that it was given", async () => {
  const tree = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [`f${i}`, 100 * 1024]),
  );
  const limit = ["--limit-rate", "2M"];
  await using line = await openLine({ tree, sendArgs: limit });
  const { sent } = await line.arrived();
  assertEquals(sent, 40 * 100 * 1024);
  assertUnbroken(line);
});
