/**
 * What the tests of the transport's contract have in common.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import type { Conn, ReceiveStream } from "../../transport/transport.ts";
import { seeded } from "../testutil/random.ts";

/** Two ends of a connection, and what a test does to them. */
export interface Pair {
  readonly near: Conn;
  readonly far: Conn;
  /** Loses the connection, without a word to either end. */
  lose(): Promise<void>;
  /** Frees everything, so that nothing is left running. */
  stop(): Promise<void>;
}

/** Makes a pair; only those that are `losable` are lost. */
export type MakePair = (
  options: { readonly losable: boolean },
) => Promise<Pair>;

/** Registers a test of one behaviour. */
export type TestPair = (
  behaviour: string,
  run: (pair: Pair) => Promise<void>,
  losable?: boolean,
) => void;

/** Registers tests that each have a pair of their own and leave nothing running. */
export function testPairs(name: string, makePair: MakePair): TestPair {
  return (behaviour, run, losable = false) =>
    Deno.test({
      name: `${name}: ${behaviour}`,
      sanitizeOps: true,
      sanitizeResources: true,
      async fn() {
        const pair = await makePair({ losable });
        try {
          await run(pair);
        } finally {
          await pair.stop();
        }
      },
    });
}

/** Makes sure that `run` rejects as on a connection that is gone. */
export async function assertLost(
  run: () => Promise<unknown>,
  what: string,
): Promise<void> {
  const error = await assertRejects(run, SftpxError);
  assertEquals(error.code, "connection-lost", `${what}: ${error.message}`);
  assert(/^Cannot .+: .+[^.]$/.test(error.message), error.message);
}

/** The next stream that the peer opened. */
export async function accepted(conn: Conn): Promise<ReceiveStream> {
  const stream = await conn.acceptUni();
  assert(stream !== undefined);
  return stream;
}

/** Sends `bytes` on a stream of their own. */
export async function sendAll(conn: Conn, bytes: Uint8Array): Promise<void> {
  const send = await conn.openUni();
  await send.write(bytes);
  await send.end();
}

/** Reads a stream to its end. */
export async function receiveAll(receive: ReceiveStream): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const part = await receive.readFully(buffer(64 * 1024));
    if (part.length > 0) parts.push(part);
    if (part.length < 64 * 1024) break;
  }
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}

/** A view to read into. */
export function buffer(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(size);
}

/** Bytes that look like no others. */
export function noise(size: number, seed: number): Uint8Array {
  const random = seeded(seed);
  return Uint8Array.from({ length: size }, () => random() * 256);
}

/** The bytes of `text`. */
export function text(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The text of `bytes`. */
export function said(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** `assertEquals` of large arrays is slow, and says too much. */
export function assertSame(actual: Uint8Array, expected: Uint8Array): void {
  assertEquals(actual.length, expected.length);
  const at = actual.findIndex((byte, i) => byte !== expected[i]);
  assertEquals(at, -1, `byte ${at} is not the one that was sent`);
}

/** Lets everything run that can, `count` times: a network's turn takes some. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
