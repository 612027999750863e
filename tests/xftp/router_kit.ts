/**
 * A router in this process, and what a client says to it, by hand.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { systemClock } from "../../core/clock.ts";
import { nullLog } from "../../core/log.ts";
import { systemRandomBytes } from "../../crypto/random.ts";
import { createIdentity, loadIdentity } from "../../xftp/router/identity.ts";
import {
  type RouterOptions,
  type RunningRouter,
  startRouter,
} from "../../xftp/router/service.ts";
import {
  type KeyPair,
  makeKeyPair,
  type PrivateKey,
  readPublicKey,
  sharedSecret,
  sign,
} from "../../xftp/keys.ts";
import { secretbox } from "../../xftp/secretbox.ts";
import { concatBytes } from "../../core/bytes.ts";
import type { RawH2 } from "./raw_h2.ts";

/** A router and where its things are. */
export interface KitRouter extends RunningRouter, AsyncDisposable {
  readonly dir: string;
  readonly keyHash: Uint8Array<ArrayBuffer>;
  readonly options: RouterOptions;
}

/** Starts a router in a folder of its own, or in one that there was. */
export async function kitRouter(
  more: Partial<RouterOptions> = {},
  dir: string | undefined = undefined,
): Promise<KitRouter> {
  const isNew = dir === undefined;
  const at = dir ?? await Deno.makeTempDir({ prefix: "sftpx-router-" });
  const now = new Date();
  if (isNew) await createIdentity(`${at}/identity`, { hosts: [], now });
  const identity = await loadIdentity(`${at}/identity`, now);
  const options: RouterOptions = {
    identity,
    hostname: "127.0.0.1",
    port: 0,
    filesDir: `${at}/files`,
    storeLog: `${at}/store.log`,
    site: { page: "<!doctype html><title>a router</title>" },
    version: "0.0.0",
    clock: systemClock,
    random: systemRandomBytes,
    log: nullLog,
    ...more,
  };
  const running = await startRouter(options);
  return {
    ...running,
    dir: at,
    keyHash: identity.keyHash,
    options,
    async [Symbol.asyncDispose]() {
      await running.stop();
      if (isNew) await Deno.remove(at, { recursive: true });
    },
  };
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const short = (bytes: Uint8Array): Uint8Array =>
  concatBytes(Uint8Array.of(bytes.length), bytes);

/** A block, by hand. */
export function block(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(16_384).fill(35);
  whole[0] = message.length >> 8;
  whole[1] = message.length & 255;
  whole.set(message, 2);
  return whole;
}

/** What a block holds. */
export function unblock(bytes: Uint8Array): Uint8Array {
  const length = (bytes[0] ?? 0) * 256 + (bytes[1] ?? 0);
  return bytes.subarray(2, 2 + length);
}

/** A session that has come through its handshake. */
export interface KitSession {
  readonly sessionId: Uint8Array;
  readonly routerKey: Uint8Array;
}

/** The web hello and the handshake, by hand; `version` is what the client takes. */
export async function greet(
  h2: RawH2,
  keyHash: Uint8Array,
  version = 3,
): Promise<KitSession> {
  const challenge = crypto.getRandomValues(new Uint8Array(32));
  const hello = await h2.ask(
    block(concatBytes(text("1"), short(challenge))),
    { "xftp-web-hello": "1" },
  );
  const message = unblock(hello.body);
  const idLength = message[4] ?? 0;
  const sessionId = message.slice(5, 5 + idLength);
  const answer = await h2.ask(
    block(concatBytes(Uint8Array.of(0, version), short(keyHash))),
    { "xftp-handshake": "1" },
  );
  if (answer.body.length !== 0) {
    throw new Error(
      `refused: ${new TextDecoder().decode(unblock(answer.body))}`,
    );
  }
  return { sessionId, routerKey: dhKeyOf(message) };
}

/** The X25519 key in a hello: its SPKI has a form that is found anywhere. */
function dhKeyOf(message: Uint8Array): Uint8Array {
  const head = "302a300506032b656e032100";
  const at = message.toHex().indexOf(head) / 2;
  return message.slice(at, at + 44);
}

/** A transmission in a block, signed by `key` if there is one, by hand. */
export function transmission(
  sessionId: Uint8Array,
  entity: Uint8Array,
  command: Uint8Array,
  key?: PrivateKey,
  corrId = new Uint8Array(0),
): Uint8Array<ArrayBuffer> {
  const authorized = concatBytes(
    short(sessionId),
    short(corrId),
    short(entity),
    command,
  );
  const auth = key === undefined ? new Uint8Array(0) : sign(key, authorized);
  return frame(auth, authorized);
}

/** A transmission with an authentication of one's own. */
export function frame(
  auth: Uint8Array,
  authorized: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const whole = concatBytes(short(auth), authorized);
  return block(
    concatBytes(
      Uint8Array.of(1, whole.length >> 8, whole.length & 255),
      whole,
    ),
  );
}

/** What a router said: the ids that it echoes and its words. */
export interface Heard {
  readonly sessionId: Uint8Array;
  readonly corrId: Uint8Array;
  readonly entity: Uint8Array;
  readonly command: Uint8Array;
  /** The command as text, one byte a character. */
  readonly words: string;
}

/** Takes an answer apart, by hand. */
export function heard(body: Uint8Array): Heard {
  const message = unblock(body);
  let at = 3;
  const next = (): Uint8Array => {
    const length = message[at] ?? 0;
    at += 1 + length;
    return message.slice(at - length, at);
  };
  next(); // authentication: empty
  const [sessionId, corrId, entity] = [next(), next(), next()];
  const command = message.slice(at);
  return {
    sessionId,
    corrId,
    entity,
    command,
    words: String.fromCharCode(...command),
  };
}

/** The command FNEW, by hand. */
export function fnew(
  sender: Uint8Array,
  data: Uint8Array,
  recipients: readonly Uint8Array[],
  options: { size?: number; digest?: Uint8Array; password?: string } = {},
): Uint8Array<ArrayBuffer> {
  const size = options.size ?? data.length;
  const digest = options.digest ??
    createHash("sha256").update(data).digest();
  return concatBytes(
    text("FNEW "),
    short(sender),
    Uint8Array.of(size >>> 24, size >>> 16, size >>> 8, size),
    short(new Uint8Array(digest)),
    Uint8Array.of(recipients.length),
    ...recipients.map(short),
    options.password === undefined
      ? text("0")
      : concatBytes(text("1"), short(text(options.password))),
  );
}

/** A client that has said hello and may give commands. */
export interface KitClient {
  readonly h2: RawH2;
  readonly session: KitSession;
  /** Gives a command, with a body if there is one. */
  ask(
    command: string | Uint8Array,
    options?: {
      entity?: Uint8Array;
      key?: PrivateKey;
      body?: Uint8Array;
      corrId?: Uint8Array<ArrayBuffer>;
    },
  ): Promise<Heard & { readonly rest: Uint8Array<ArrayBuffer> }>;
}

/** Makes a client of a connection. */
export function kitClient(h2: RawH2, session: KitSession): KitClient {
  return {
    h2,
    session,
    async ask(command, options = {}) {
      const { entity = new Uint8Array(0), key, body, corrId } = options;
      const said = transmission(
        session.sessionId,
        entity,
        typeof command === "string" ? text(command) : command,
        key,
        corrId,
      );
      const answer = await h2.ask(
        body === undefined ? said : concatBytes(said, body),
      );
      return { ...heard(answer.body), rest: answer.body.slice(16_384) };
    },
  };
}

/** A chunk that a client has made. */
export interface KitChunk {
  readonly sender: KeyPair;
  readonly recipient: KeyPair;
  readonly senderId: Uint8Array<ArrayBuffer>;
  readonly recipientId: Uint8Array<ArrayBuffer>;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Makes a chunk of 64 KiB, or of `size`; it is not uploaded. */
export async function makeChunk(
  client: KitClient,
  size = 65_536,
): Promise<KitChunk> {
  const [sender, recipient] = [makeKeyPair("ed25519"), makeKeyPair("ed25519")];
  const data = systemRandomBytes(size);
  const answer = await client.ask(
    fnew(sender.publicKey.der, data, [recipient.publicKey.der]),
    { key: sender.privateKey },
  );
  if (!answer.words.startsWith("SIDS ")) throw new Error(answer.words);
  return {
    sender,
    recipient,
    senderId: answer.command.slice(6, 22),
    recipientId: answer.command.slice(24, 40),
    data,
  };
}

/** Uploads a chunk; what the router says of it. */
export async function put(
  client: KitClient,
  chunk: KitChunk,
  data: Uint8Array = chunk.data,
): Promise<string> {
  const { words } = await client.ask("FPUT", {
    entity: chunk.senderId,
    key: chunk.sender.privateKey,
    body: data,
  });
  return words;
}

/** Fetches a chunk as one of its recipients; what it is, or what the router says. */
export async function get(
  client: KitClient,
  chunk: Pick<KitChunk, "recipient" | "recipientId">,
): Promise<Uint8Array<ArrayBuffer> | string> {
  const ours = makeKeyPair("x25519");
  const got = await client.ask(
    concatBytes(text("FGET "), short(ours.publicKey.der)),
    { entity: chunk.recipientId, key: chunk.recipient.privateKey },
  );
  if (!got.words.startsWith("FILE ")) return got.words;
  const theirs = readPublicKey(got.command.slice(6, 50));
  const secret = sharedSecret(ours.privateKey, theirs);
  const box = secretbox(secret, got.command.slice(50, 74));
  const size = got.rest.length - 16;
  const data = box.decrypt(got.rest.subarray(0, size));
  if (box.finish().toHex() !== got.rest.subarray(size).toHex()) {
    return "the tag is wrong";
  }
  return data;
}

/** Gives a command as the sender of a chunk. */
export async function asSender(
  client: KitClient,
  chunk: KitChunk,
  command: string | Uint8Array,
): Promise<string> {
  const { senderId: entity, sender: { privateKey: key } } = chunk;
  return (await client.ask(command, { entity, key })).words;
}

/** Gives a command as the recipient of a chunk. */
export async function asRecipient(
  client: KitClient,
  chunk: KitChunk,
  command: string | Uint8Array,
): Promise<string> {
  const { recipientId: entity, recipient: { privateKey: key } } = chunk;
  return (await client.ask(command, { entity, key })).words;
}

/** The command FADD, by hand. */
export function fadd(
  keys: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  return concatBytes(
    text("FADD "),
    Uint8Array.of(keys.length),
    ...keys.map(short),
  );
}

/** The names of the files in a folder, in order. */
export async function namesIn(dir: string): Promise<string[]> {
  const found = await Array.fromAsync(Deno.readDir(dir));
  return found.map(({ name }) => name).sort();
}
