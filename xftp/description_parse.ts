/**
 * Reads file descriptions. They come from strangers: the text is bounded before
 * it is parsed, every value is a text to the parser, aliases are refused, and
 * what is not known is an error only where it would change the meaning.
 *
 * @module
 */
import {
  badDescription,
  checkDescription,
  type DescribedChunk,
  describedRouter,
  type Description,
  MAX_CHUNKS,
  MAX_DESCRIPTION_BYTES,
  type Party,
  type Redirect,
  type Replica,
} from "./description.ts";
import { parseSizeWord } from "./description_words.ts";
import { type PrivateKey, readPrivateKey } from "./keys.ts";

/**
 * Reads a description and checks all that can be checked without its chunks.
 *
 * @throws {SftpxError} `protocol`.
 */
export async function parseDescription(
  text: string | Uint8Array,
): Promise<Description> {
  const top = mapIn(await readYaml(text), "it");
  const party = textIn(top, "party");
  if (party !== "recipient" && party !== "sender") {
    throw badDescription("its party is neither recipient nor sender");
  }
  const usual = sizeOf(textIn(top, "chunkSize"), "its chunk size");
  const redirect = top.redirect === undefined
    ? undefined
    : redirectOf(mapIn(top.redirect, "its redirect"));
  return checkDescription({
    party: party satisfies Party,
    size: sizeOf(textIn(top, "size"), "its size"),
    digest: bytesOf(textIn(top, "digest"), 64, "its digest"),
    key: bytesOf(textIn(top, "key"), 32, "its key"),
    nonce: bytesOf(textIn(top, "nonce"), 24, "its nonce"),
    chunks: chunksOf(listIn(top.replicas, "its replicas"), usual),
    ...redirect !== undefined && { redirect },
  });
}

/** Nobody stores a chunk more often. */
const MAX_REPLICAS = 16;

type Facts = Readonly<Record<string, unknown>>;

/** What was said of a chunk so far, on whichever router. */
interface Gathered {
  size: number | undefined;
  digest: Uint8Array | undefined;
  readonly replicas: Replica[];
}

async function readYaml(text: string | Uint8Array): Promise<unknown> {
  if (text.length > MAX_DESCRIPTION_BYTES) {
    throw badDescription("it is larger than 4 MiB");
  }
  const { parse } = await import("@std/yaml");
  try {
    const whole = typeof text === "string"
      ? text
      : new TextDecoder("utf-8", { fatal: true }).decode(text);
    return parse(whole, {
      schema: "failsafe", // every value is a text
      maxAliasCount: 0,
      prettyErrors: false, // which would show a part of a secret
    });
  } catch (error) {
    throw badDescription("it is not YAML", error);
  }
}

function chunksOf(
  groups: readonly unknown[],
  usual: number,
): DescribedChunk[] {
  const found = new Map<number, Gathered>();
  for (const group of groups) {
    const facts = mapIn(group, "a router's part");
    const router = describedRouter(textIn(facts, "server"));
    for (const line of listIn(facts.chunks, "a router's list of chunks")) {
      const { number, id, key, digest, size } = lineOf(line);
      const chunk = found.get(number) ??
        { size: undefined, digest: undefined, replicas: [] };
      found.set(number, chunk);
      // With a digest and without a size it has the usual one.
      const said = size ?? (digest && (chunk.size ?? usual));
      chunk.size = same(chunk.size, said, number, (a, b) => a === b);
      chunk.digest = same(
        chunk.digest,
        digest,
        number,
        (a, b) => a.toHex() === b.toHex(),
      );
      chunk.replicas.push({ router, id, key });
      if (chunk.replicas.length > MAX_REPLICAS) {
        throw badDescription(
          `chunk ${number} is in more than ${MAX_REPLICAS} places`,
        );
      }
    }
  }
  return Array.from({ length: found.size }, (_, index) => {
    const number = index + 1;
    const chunk = found.get(number);
    if (chunk === undefined) {
      throw badDescription(`its chunks are not numbered 1 to ${found.size}`);
    }
    if (chunk.digest === undefined) {
      throw badDescription(`chunk ${number} has no digest`);
    }
    const { digest, replicas, size = usual } = chunk;
    return { size, digest, replicas };
  });
}

/** `1:<id>:<key>[:<digest>[:<size>]]` */
function lineOf(line: unknown): {
  number: number;
  id: Uint8Array;
  key: PrivateKey;
  digest: Uint8Array | undefined;
  size: number | undefined;
} {
  if (typeof line !== "string" || line.length > 1024) {
    throw badDescription("a line of its chunks cannot be read");
  }
  const [first = "", id = "", key = "", digest, size, ...more] = line.split(
    ":",
  );
  const number = /^[1-9]\d{0,5}$/.test(first) ? Number(first) : undefined;
  if (number === undefined || number > MAX_CHUNKS || more.length > 0) {
    throw badDescription(
      `a line of its chunks cannot be read, or there are over ${MAX_CHUNKS}`,
    );
  }
  const name = `chunk ${number}`;
  return {
    number,
    id: bytesOf(id, undefined, `the id of ${name}`),
    key: keyOf(key, name),
    digest: digest === undefined
      ? undefined
      : bytesOf(digest, 32, `the digest of ${name}`),
    size: size === undefined ? undefined : sizeOf(size, `the size of ${name}`),
  };
}

function keyOf(text: string, name: string): PrivateKey {
  const der = bytesOf(text, undefined, `the key of ${name}`);
  try {
    return readPrivateKey(der);
  } catch (error) {
    throw badDescription(`the key of ${name} is none`, error);
  }
}

function same<T>(
  before: T | undefined,
  now: T | undefined,
  number: number,
  isSame: (a: T, b: T) => boolean,
): T | undefined {
  if (before !== undefined && now !== undefined && !isSame(before, now)) {
    throw badDescription(`it says two things of chunk ${number}`);
  }
  return before ?? now;
}

function redirectOf(facts: Facts): Redirect {
  return {
    size: sizeOf(textIn(facts, "size"), "its redirect's size"),
    digest: bytesOf(textIn(facts, "digest"), 64, "its redirect's digest"),
  };
}

function mapIn(value: unknown, what: string): Facts {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw badDescription(`${what} is no map`);
  }
  return value as Facts;
}

function listIn(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw badDescription(`${what} is no list`);
  return value;
}

function textIn(facts: Facts, key: string): string {
  const value = Object.hasOwn(facts, key) ? facts[key] : undefined;
  if (typeof value !== "string") {
    throw badDescription(`it does not say its ${key}`);
  }
  return value;
}

function sizeOf(text: string, what: string): number {
  const size = parseSizeWord(text);
  if (size === undefined) throw badDescription(`${what} is no size`);
  return size;
}

/** Base64url, with `=` or without. */
function bytesOf(
  text: string,
  length: number | undefined,
  what: string,
): Uint8Array<ArrayBuffer> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    if (!/^[\w-]*={0,2}$/.test(text)) throw new SyntaxError("not base64url");
    bytes = Uint8Array.fromBase64(text, {
      alphabet: "base64url",
      lastChunkHandling: text.endsWith("=") ? "strict" : "loose",
    });
  } catch (error) {
    throw badDescription(`${what} is no base64url`, error);
  }
  if (length !== undefined && bytes.length !== length) {
    throw badDescription(
      `${what} has ${bytes.length} bytes and must have ${length}`,
    );
  }
  return bytes;
}
