/**
 * A session: one connection of a client, and how far its handshake has come.
 *
 * | state    | says                                              |
 * | -------- | ------------------------------------------------- |
 * | none     | nothing was said yet                              |
 * | sent     | we said hello, with a key made for this session   |
 * | accepted | the client has taken us, and a version            |
 *
 * A client that shakes no hands speaks version 1 from the first block on, and
 * says itself what its session is called.
 *
 * @module
 */
import { createSemaphore, type Semaphore } from "../../core/semaphore.ts";
import type { Bytes } from "../encoding.ts";
import type { KeyPair } from "../keys.ts";

/** How far the handshake has come. */
export type Handshake =
  | { readonly state: "none" }
  | { readonly state: "sent"; readonly key: KeyPair }
  | {
    readonly state: "accepted";
    readonly key: KeyPair;
    readonly version: number;
  };

/** One connection of a client. */
export interface RouterSession {
  /** What its transmissions are bound to. */
  readonly id: Bytes;
  /** Whether the client has named a host: programs in browsers always do. */
  readonly sni: boolean;
  /** How far it has come. */
  handshake: Handshake;
  /** What a client of version 1 calls it; the first transmission says it. */
  legacyId: Uint8Array | undefined;
  /** Whether it is of a client that shakes no hands. */
  readonly legacy: boolean;
  /** Chunks made in it that were not uploaded yet. */
  pending: number;
  /** Bounds the chunks that are on their way in it, both ways. */
  readonly transfers: Semaphore;
}

/** What a session is made of. */
export interface SessionOptions {
  /** 32 bytes. */
  readonly id: Bytes;
  /** See {@linkcode RouterSession.sni}. @default {false} */
  readonly sni?: boolean;
  /** See {@linkcode RouterSession.legacy}. @default {false} */
  readonly legacy?: boolean;
}

/** Chunks at once in a session: each holds a file open and some memory. */
export const TRANSFERS_A_SESSION = 16;

/** Creates a session in which nothing was said yet. */
export function createSession(options: SessionOptions): RouterSession {
  const { id, sni = false, legacy = false } = options;
  return {
    id,
    sni,
    legacy,
    legacyId: undefined,
    handshake: { state: "none" },
    pending: 0,
    transfers: createSemaphore(TRANSFERS_A_SESSION),
  };
}
