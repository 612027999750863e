/**
 * A router as its clients see it: chunks come and go, and what goes wrong on
 * the way is tried again.
 *
 * Retries are nested: what was asked is asked up to three times, each time over
 * a new connection if the one before broke, and each connection is dialled up
 * to three times. All of it is asked one after another.
 *
 * @module
 */
import { equalBytes } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import { isRetryable, SftpxError } from "../core/errors.ts";
import { createSemaphore } from "../core/semaphore.ts";
import type { RouterAddress } from "./address.ts";
import { type DialDeps, routerDialler } from "./client_dial.ts";
import {
  openSession,
  type Question,
  type RouterSession,
} from "./client_session.ts";
import type { Answered } from "./client_session.ts";
import {
  makeKeyPair,
  type PrivateKey,
  type PublicKey,
  sharedSecret,
} from "./keys.ts";
import { isTag, secretbox, TAG_LENGTH } from "./secretbox.ts";

/** A chunk as those who may act on it know it. */
export interface Entity {
  readonly id: Uint8Array;
  readonly key: PrivateKey;
}

/** A new chunk. */
export interface NewChunk {
  readonly senderKey: { readonly publicKey: PublicKey } & {
    readonly privateKey: PrivateKey;
  };
  readonly recipientKeys: readonly PublicKey[];
  readonly size: number;
  /** SHA-256. */
  readonly digest: Uint8Array;
}

/** A router. */
export interface RouterClient {
  readonly address: RouterAddress;
  /** Connects, if that was not done yet; tried once. */
  reach(signal: AbortSignal): Promise<void>;
  /** Makes room for a chunk. */
  create(chunk: NewChunk, signal: AbortSignal): Promise<{
    readonly senderId: Uint8Array;
    readonly recipientIds: readonly Uint8Array[];
  }>;
  /** Stores the bytes of a chunk; once more does no harm. */
  put(sender: Entity, bytes: Uint8Array, signal: AbortSignal): Promise<void>;
  /**
   * Fetches a chunk, and proves it.
   *
   * @throws {SftpxError} `integrity`, when it is not what it was said to be.
   */
  get(
    recipient: Entity,
    size: number,
    digest: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer>>;
  /** Says that a recipient has a chunk. */
  acknowledge(recipient: Entity, signal: AbortSignal): Promise<void>;
  /** Removes a chunk. */
  remove(sender: Entity, signal: AbortSignal): Promise<void>;
  close(): void;
}

/** What a router's client needs. */
export interface RouterClientDeps extends DialDeps {
  readonly clock: Clock;
  /** Attempts of each thing, 1 or more. */
  readonly attempts: number;
  /** Told that the router is reached. */
  readonly onConnect?: () => void;
  /** Told of an attempt that failed and will be repeated. */
  readonly onRetry?: (error: SftpxError) => void;
}

/** Attempts when nothing else is said, as other programs of XFTP have it. */
export const DEFAULT_ATTEMPTS = 3;

/** Between attempts: so long, then twice that, and so on. */
const PAUSE_MS = 500;

/** Makes the client of one router; it connects when it is first asked. */
export function routerClient(
  address: RouterAddress,
  deps: RouterClientDeps,
): RouterClient {
  const { clock, attempts } = deps;
  if (!Number.isSafeInteger(attempts) || attempts < 1) {
    throw new RangeError(
      `Cannot make a router's client as attempts must be >= 1: current value is ${attempts}`,
    );
  }
  const dial = routerDialler(address, deps);
  const turn = createSemaphore(1);
  let session: RouterSession | undefined;
  let isOpen = true;

  const repeated = async <T>(
    signal: AbortSignal,
    work: () => Promise<T>,
  ): Promise<T> => {
    for (let attempt = 1;; attempt++) {
      try {
        return await work();
      } catch (error) {
        signal.throwIfAborted();
        const isOver = attempt >= attempts || !isRetryable(error) || !isOpen;
        if (isOver) throw error;
        if (error instanceof SftpxError) deps.onRetry?.(error);
        await clock.delay(PAUSE_MS * 2 ** (attempt - 1), signal);
      }
    }
  };

  const open = (signal: AbortSignal): Promise<RouterSession> =>
    openSession(address, { clock, dial }, signal);

  const ask = async (
    question: Question,
    signal: AbortSignal,
  ): Promise<Answered> => {
    using _turn = await turn.acquire(signal);
    return await repeated(signal, async () => {
      if (session === undefined) {
        session = await repeated(signal, () => open(signal));
        deps.onConnect?.();
      }
      try {
        return await session.ask(question, signal);
      } catch (error) {
        // What is no answer, and what may have left one unread, ends it.
        const isAnswer = error instanceof SftpxError &&
          /^(unauthorized|peer-busy|integrity)$/.test(error.code);
        if (!isAnswer) {
          session?.close();
          session = undefined;
        }
        throw error;
      }
    });
  };

  const told = async (question: Question, signal: AbortSignal) => {
    const { answer } = await ask(question, signal);
    if (answer.type !== "OK") throw unexpected(question, answer.type);
  };

  return {
    address,
    async reach(signal) {
      using _turn = await turn.acquire(signal);
      if (session !== undefined) return;
      session = await open(signal);
      deps.onConnect?.();
    },
    async create({ senderKey, recipientKeys, size, digest }, signal) {
      const question: Question = {
        doing: "make room for a chunk",
        command: {
          type: "FNEW",
          senderKey: senderKey.publicKey,
          size,
          digest,
          recipientKeys,
          ...address.password !== undefined && {
            password: new TextEncoder().encode(address.password),
          },
        },
        key: senderKey.privateKey,
      };
      const { answer } = await ask(question, signal);
      if (answer.type !== "SIDS") throw unexpected(question, answer.type);
      if (answer.recipientIds.length !== recipientKeys.length) {
        throw unexpected(question, "too few or too many ids");
      }
      return {
        senderId: answer.senderId.slice(),
        recipientIds: answer.recipientIds.map((id) => id.slice()),
      };
    },
    put: ({ id, key }, bytes, signal) =>
      told({
        doing: "store a chunk",
        command: { type: "FPUT" },
        entityId: id,
        key,
        body: bytes,
      }, signal),
    async get({ id, key }, size, digest, signal) {
      const ours = makeKeyPair("x25519");
      const question: Question = {
        doing: "fetch a chunk",
        command: { type: "FGET", key: ours.publicKey },
        entityId: id,
        key,
        answerBytes: size + TAG_LENGTH,
      };
      const { answer, body } = await ask(question, signal);
      if (answer.type !== "FILE") throw unexpected(question, answer.type);
      const secret = sharedSecret(ours.privateKey, answer.key);
      const box = secretbox(secret, answer.nonce);
      const bytes = body.subarray(0, size);
      box.decrypt(bytes, bytes);
      if (!isTag(box.finish(), body.subarray(size))) {
        throw damaged("it was changed on the way");
      }
      // On another thread: this one has connections to serve.
      const found = await crypto.subtle.digest("SHA-256", bytes);
      if (!equalBytes(new Uint8Array(found), digest)) {
        throw damaged("it is not what the description says");
      }
      return bytes;
    },
    acknowledge: ({ id, key }, signal) =>
      told({
        doing: "acknowledge a chunk",
        command: { type: "FACK" },
        entityId: id,
        key,
      }, signal),
    remove: ({ id, key }, signal) =>
      told({
        doing: "remove a chunk",
        command: { type: "FDEL" },
        entityId: id,
        key,
      }, signal),
    close() {
      isOpen = false;
      session?.close();
      session = undefined;
    },
  };
}

function unexpected(question: Question, what: string): SftpxError {
  return new SftpxError(
    "protocol",
    `Cannot ${question.doing}: the router answers with ${what}`,
  );
}

function damaged(reason: string): SftpxError {
  return new SftpxError("integrity", `Cannot fetch a chunk: ${reason}`);
}
