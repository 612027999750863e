/**
 * The router: given a session and what its client says, it answers. It knows
 * nothing of connections, so that any transport can be put in front of it.
 *
 * @module
 */
import { equalBytes } from "../../core/bytes.ts";
import { codeOf, SftpxError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import {
  BLOCK_BYTES,
  decodeTransmission,
  encodeTransmission,
  type ReceivedTransmission,
} from "../block.ts";
import { encodeAnswer } from "../commands.ts";
import type { Bytes } from "../encoding.ts";
import { FaultError, type XftpFault } from "../faults.ts";
import { LEGACY_VERSION } from "../handshake.ts";
import type { Body } from "./body.ts";
import { type Answered, createExecute, type ExecuteDeps } from "./execute.ts";
import type { RouterSession } from "./session.ts";
import { type RouterIdentity, type Said, shake } from "./shake.ts";

/** What a router is made of. */
export interface RouterDeps extends ExecuteDeps {
  readonly identity: RouterIdentity;
  readonly log: Log;
}

/** What a client says: a block, and what follows it. */
export interface RouterRequest extends Said {
  /** What follows the block. */
  readonly body: Body;
}

/** What it is answered: a block or nothing, and perhaps what follows it. */
export interface RouterResponse {
  /** 16384 bytes, or none. */
  readonly block: Bytes;
  /** A chunk. */
  readonly body?: ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** Answers what a client says. It throws only when there is a bug. */
export type RouterCore = (
  session: RouterSession,
  request: RouterRequest,
) => Promise<RouterResponse>;

/** Creates a router. */
export function createRouter(deps: RouterDeps): RouterCore {
  const { log } = deps;
  const execute = createExecute(deps);

  /** What went wrong, as the client is to hear it. */
  const faultOf = (error: unknown, version: number): XftpFault => {
    if (error instanceof FaultError) {
      // Version 3 brought it.
      return error.fault.code === "BLOCKED" && version < 3
        ? { code: "AUTH" }
        : error.fault;
    }
    const code = codeOf(error);
    const reason = error instanceof Error ? error.message : "";
    log.event("router.failed", { code, reason });
    return { code: code === "local-io" ? "FILE_IO" : "INTERNAL" };
  };

  return async (session, request) => {
    const shaken = shake(session, request, deps.identity);
    if (shaken !== undefined) {
      await request.body.cancel();
      return { block: shaken };
    }
    const { handshake } = session;
    const version = handshake.state === "accepted"
      ? handshake.version
      : LEGACY_VERSION;
    let transmission: ReceivedTransmission | undefined;
    let answered: Answered;
    try {
      transmission = readTransmission(request.head);
      checkSession(session, transmission);
      answered = await execute(session, transmission, request.body);
    } catch (error) {
      const fault = faultOf(error, version);
      if (fault.code === "SESSION" && transmission !== undefined) {
        transmission = { ...transmission, entityId: new Uint8Array(0) };
      }
      answered = { answer: { type: "ERR", fault } };
      await request.body.cancel();
    }
    const isCreated = answered.answer.type === "SIDS";
    const block = encodeTransmission({
      auth: new Uint8Array(0),
      sessionId: session.legacyId ?? session.id,
      corrId: transmission?.corrId ?? new Uint8Array(0),
      entityId: isCreated || transmission === undefined
        ? new Uint8Array(0)
        : transmission.entityId,
      command: encodeAnswer(answered.answer),
    });
    return answered.body === undefined
      ? { block }
      : { block, body: answered.body };
  };
}

function readTransmission(head: Uint8Array): ReceivedTransmission {
  if (head.length !== BLOCK_BYTES) throw new FaultError({ code: "BLOCK" });
  try {
    return decodeTransmission(head);
  } catch (error) {
    if (!(error instanceof SftpxError)) throw error;
    throw new FaultError({ code: "BLOCK" }, error);
  }
}

/** A client of version 1 says with its first transmission what it is bound to. */
function checkSession(
  session: RouterSession,
  { sessionId }: ReceivedTransmission,
): void {
  if (session.legacy) session.legacyId ??= new Uint8Array(sessionId);
  const expected = session.legacy ? session.legacyId : session.id;
  if (expected === undefined || !equalBytes(sessionId, expected)) {
    throw new FaultError({ code: "SESSION" });
  }
}
