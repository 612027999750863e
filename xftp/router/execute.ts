/**
 * What commands do.
 *
 * @module
 */
import { equalBytes } from "../../core/bytes.ts";
import type { Clock } from "../../core/clock.ts";
import type { RandomBytes } from "../../crypto/random.ts";
import type { ReceivedTransmission } from "../block.ts";
import {
  CHUNK_SIZES,
  decodeCommand,
  DIGEST_BYTES,
  ENTITY_ID_BYTES,
  type XftpAnswer,
  type XftpCommand,
} from "../commands.ts";
import type { Bytes } from "../encoding.ts";
import { FaultError } from "../faults.ts";
import type { PublicKey } from "../keys.ts";
import { authKind, type Authorize, verifyAuth } from "./authorize.ts";
import type { VerifyTransmission } from "./authorize.ts";
import type { Body } from "./body.ts";
import { giveDownload } from "./download.ts";
import type { ChunkRecord, Recipient } from "./records.ts";
import type { RouterSession } from "./session.ts";
import type { Stats } from "./stats.ts";
import type { Store } from "./store.ts";
import { takeUpload } from "./upload.ts";

/** What an operator allows. */
export interface RouterPolicy {
  /** Whether chunks may be made. @default {true} */
  readonly newFiles?: boolean;
  /** What those who make chunks must know, if anything. */
  readonly password?: string;
}

/** What commands work on. */
export interface ExecuteDeps {
  readonly store: Store;
  readonly stats: Stats;
  readonly authorize: Authorize;
  readonly policy: RouterPolicy;
  readonly random: RandomBytes;
  readonly clock: Clock;
  /** Verifies signatures; a test can listen to it. @default {verifyAuth} */
  readonly verify?: VerifyTransmission;
}

/** What comes of a command. */
export interface Answered {
  readonly answer: XftpAnswer;
  /** A chunk. */
  readonly body?: ReadableStream<Uint8Array<ArrayBuffer>>;
}

/**
 * Does what a transmission asks for.
 *
 * Throws `FaultError` with what the client is to hear, or `SftpxError`.
 */
export type Execute = (
  session: RouterSession,
  transmission: ReceivedTransmission,
  body: Body,
) => Promise<Answered>;

/** Chunks of a session that were made and not uploaded. */
export const MAX_PENDING_A_SESSION = 2048;

/** Chunks in all that were made and not uploaded: each is some memory. */
export const MAX_PENDING = 200_000;

/** Recipients of a chunk. */
export const MAX_RECIPIENTS = 2048;

/** How often an id is drawn anew when it is in use. */
const ID_TRIES = 3;

const OK: Answered = { answer: { type: "OK" } };
const HOUR_S = 3600;

/** Creates what does commands. */
export function createExecute(deps: ExecuteDeps): Execute {
  const { store, stats, policy, random, clock } = deps;
  const { records } = store;
  const verify = deps.verify ?? verifyAuth;

  /** Draws ids until `take` has one that was free. */
  const withIds = async <T>(take: () => Promise<T | undefined>): Promise<T> => {
    for (let tries = 0; tries < ID_TRIES; tries++) {
      const taken = await take();
      if (taken !== undefined) return taken;
    }
    throw new FaultError({ code: "INTERNAL" });
  };

  const addRecipients = (
    chunk: ChunkRecord,
    keys: readonly PublicKey[],
  ): Promise<Bytes[]> => {
    if (chunk.recipients.size + keys.length > MAX_RECIPIENTS) {
      throw new FaultError({ code: "QUOTA" });
    }
    return withIds(async () => {
      const recipients: Recipient[] = keys.map((key) => ({
        id: random(ENTITY_ID_BYTES),
        key,
      }));
      if (!await store.addRecipients(chunk, recipients)) return undefined;
      stats.count("recipients", recipients.length);
      return recipients.map(({ id }) => id);
    });
  };

  const mayCreate = (password: Uint8Array | undefined): boolean => {
    if (policy.newFiles === false) return false;
    if (policy.password === undefined) return true;
    const expected = new TextEncoder().encode(policy.password);
    return password !== undefined && equalBytes(password, expected);
  };

  const create = async (
    session: RouterSession,
    transmission: ReceivedTransmission,
    command: XftpCommand & { type: "FNEW" },
  ): Promise<Answered> => {
    const { senderKey, size, digest, recipientKeys, password } = command;
    const kind = authKind(transmission.auth);
    const isSigned = kind === senderKey.kind &&
      verify(session, senderKey, transmission);
    if (!isSigned || !mayCreate(password)) {
      throw new FaultError({ code: "AUTH" });
    }
    if (!CHUNK_SIZES.includes(size)) throw new FaultError({ code: "SIZE" });
    if (digest.length !== DIGEST_BYTES) {
      throw new FaultError({ code: "CMD", detail: "SYNTAX" });
    }
    if (
      session.pending >= MAX_PENDING_A_SESSION || records.pending >= MAX_PENDING
    ) throw new FaultError({ code: "QUOTA" });
    const nowS = Math.floor(clock.wallMs() / 1000);
    // Before it is made: many may be on their way at once.
    session.pending++;
    const made = withIds(async () => {
      const id = random(ENTITY_ID_BYTES);
      const isFree = await store.add({
        id,
        senderKey,
        size,
        digest: new Uint8Array(digest),
        createdS: nowS - nowS % HOUR_S,
      });
      return isFree ? id : undefined;
    });
    const id = await made.catch((error) => {
      session.pending--;
      throw error;
    });
    const chunk = records.ofSender(id);
    if (chunk === undefined) throw new FaultError({ code: "INTERNAL" });
    stats.count("created");
    const recipientIds = await addRecipients(chunk, recipientKeys);
    return { answer: { type: "SIDS", senderId: id, recipientIds } };
  };

  const upload = async (
    session: RouterSession,
    chunk: ChunkRecord,
    body: Body,
  ): Promise<Answered> => {
    using _permit = await session.transfers.acquire();
    if (await takeUpload(store, chunk, body, clock)) {
      stats.count("uploaded");
      session.pending = Math.max(0, session.pending - 1);
    }
    return OK;
  };

  const download = async (
    session: RouterSession,
    chunk: ChunkRecord,
    key: PublicKey,
  ): Promise<Answered> => {
    const permit = await session.transfers.acquire();
    try {
      return await giveDownload(store, chunk, key, random, (isComplete) => {
        permit.release();
        if (isComplete) stats.fetched(chunk.id);
      });
    } catch (error) {
      permit.release();
      throw error;
    }
  };

  return async (session, transmission, body) => {
    const command = decodeCommand(transmission.command);
    checkCredentials(command, transmission);
    const chunkOf = (party: "sender" | "recipient"): ChunkRecord =>
      deps.authorize(session, transmission, party);
    switch (command.type) {
      case "PING":
        return { answer: { type: "PONG" } };
      case "FNEW":
        return await create(session, transmission, command);
      case "FADD": {
        const chunk = chunkOf("sender");
        const recipientIds = await addRecipients(chunk, command.recipientKeys);
        return { answer: { type: "RIDS", recipientIds } };
      }
      case "FPUT":
        return await upload(session, chunkOf("sender"), body);
      case "FDEL":
        await store.remove(chunkOf("sender"));
        stats.count("deleted");
        return OK;
      case "FGET":
        return await download(session, chunkOf("recipient"), command.key);
      case "FACK":
        chunkOf("recipient");
        await store.acknowledge(new Uint8Array(transmission.entityId));
        stats.count("acks");
        return OK;
    }
  };
}

/** Each command has what it needs, and nothing beside. */
function checkCredentials(
  command: XftpCommand,
  { auth, entityId }: ReceivedTransmission,
): void {
  const isPing = command.type === "PING";
  const hasAuth = auth.length > 0;
  const hasEntity = entityId.length > 0;
  if (isPing ? hasAuth || hasEntity : command.type === "FNEW" && hasEntity) {
    throw new FaultError({ code: "CMD", detail: "HAS_AUTH" });
  }
  if (!isPing && (!hasAuth || command.type !== "FNEW" && !hasEntity)) {
    throw new FaultError({ code: "CMD", detail: "NO_AUTH" });
  }
}
