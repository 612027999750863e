/**
 * A client's session with a router: one connection, the hellos, and then one
 * command after another.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { equalBytes } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";
import { formatAddress } from "../transport/address.ts";
import type { RouterAddress } from "./address.ts";
import {
  authorizedBytes,
  decodeTransmission,
  encodeTransmission,
} from "./block.ts";
import { blockOf, confused, endOf, forgotten } from "./client_answer.ts";
import type { DialledRouter } from "./client_dial.ts";
import { whileMoving, within } from "./client_deadline.ts";
import { greet, greetAsBrowser } from "./client_greet.ts";
import { type H2Client, h2Client } from "./client_h2.ts";
import {
  decodeAnswer,
  encodeCommand,
  type XftpAnswer,
  type XftpCommand,
} from "./commands.ts";
import { faultToError } from "./faults.ts";
import { encodeClientHandshake, HANDSHAKE_HEADER } from "./handshake.ts";
import { type PrivateKey, sign } from "./keys.ts";

/** What is asked of a router. */
export interface Question {
  readonly command: XftpCommand;
  /** What it is about. */
  readonly entityId?: Uint8Array;
  /** Who asks. */
  readonly key?: PrivateKey;
  /** What follows the command. */
  readonly body?: Uint8Array;
  /** What errors are to say that we were doing: `store a chunk`. */
  readonly doing: string;
  /** Bytes that follow the answer, if it is the one that was hoped for. */
  readonly answerBytes?: number;
}

/** What a router has answered. */
export interface Answered {
  readonly answer: XftpAnswer;
  /** What followed. */
  readonly body: Uint8Array<ArrayBuffer>;
}

/** A session. It is over with its first error that is not an answer. */
export interface RouterSession {
  /** @throws {SftpxError} also for an answer that is an error. */
  ask(question: Question, signal: AbortSignal): Promise<Answered>;
  close(): void;
}

/** What a session needs. */
export interface SessionDeps {
  readonly clock: Clock;
  readonly dial: (signal: AbortSignal) => Promise<DialledRouter>;
}

/** How long a router may take to be reached, with the hellos. */
export const CONNECT_MS = 45_000;

/** How long nothing may move, in either direction. */
const STILL_MS = 30_000;

/** However it trickles, a router must not take longer: 1 KiB a second. */
const SLOWEST_MS_PER_KIB = 1000;

/** Dials and says hello. */
export async function openSession(
  router: RouterAddress,
  { clock, dial }: SessionDeps,
  signal: AbortSignal,
): Promise<RouterSession> {
  const remote = formatAddress({
    hostname: router.hosts[0],
    port: router.port,
  });
  return await within(
    clock,
    CONNECT_MS,
    signal,
    () =>
      new SftpxError(
        "unreachable",
        `Cannot reach router "${remote}": no answer`,
      ),
    async (signal) => {
      const dialled = await dial(signal);
      const http = h2Client(dialled.conn, remote, remote);
      const abort = (): void => http.close();
      signal.addEventListener("abort", abort, { once: true });
      try {
        const { sessionId, version } = dialled.way === "own"
          ? await greet(http, dialled, router, remote, clock)
          : await greetAsBrowser(http, router, remote, clock);
        const handshake = encodeClientHandshake({
          version,
          keyHash: router.keyHash,
        });
        const end = await http.post({ [HANDSHAKE_HEADER]: "1" }, [handshake]);
        await endOf(end, remote);
        return session({ http, sessionId, remote, clock });
      } catch (error) {
        http.close();
        throw error;
      } finally {
        signal.removeEventListener("abort", abort);
      }
    },
  );
}

function session({ http, sessionId, remote, clock }: {
  readonly http: H2Client;
  readonly sessionId: Uint8Array;
  readonly remote: string;
  readonly clock: Clock;
}): RouterSession {
  const exchange = async (question: Question): Promise<Answered> => {
    const { command, key, body, doing, answerBytes } = question;
    const entityId = question.entityId ?? new Uint8Array();
    const said = {
      sessionId,
      corrId: new Uint8Array(),
      entityId,
      command: encodeCommand(command),
    };
    const auth = key === undefined
      ? new Uint8Array()
      : sign(key, authorizedBytes(said));
    const block = encodeTransmission({ auth, ...said });
    const heard = await http.post(
      {},
      body === undefined ? [block] : [block, body],
    );
    const received = decodeTransmission(await blockOf(heard, remote));
    const answer = decodeAnswer(received.command);
    if (answer.type === "ERR") {
      await endOf(heard, remote);
      if (answer.fault.code === "SESSION") throw forgotten(remote);
      throw faultToError(answer.fault, doing);
    }
    if (
      !equalBytes(received.sessionId, sessionId) ||
      !equalBytes(received.entityId, entityId)
    ) {
      throw confused(remote, "its answer is to another question");
    }
    const rest = new Uint8Array(
      answer.type === "FILE" ? answerBytes ?? 0 : 0,
    );
    if (await heard.read(rest) !== rest.length) {
      throw new SftpxError(
        "connection-lost",
        `Cannot ${doing}: router "${remote}" sent less than there is`,
      );
    }
    await endOf(heard, remote);
    return { answer, body: rest };
  };
  return {
    async ask(question, signal) {
      const bytes = (question.body?.length ?? 0) + (question.answerBytes ?? 0);
      try {
        return await whileMoving(
          clock,
          {
            moved: () => http.moved,
            stillMs: STILL_MS,
            allMs: 2 * STILL_MS + bytes / 1024 * SLOWEST_MS_PER_KIB,
          },
          signal,
          () =>
            new SftpxError(
              "connection-lost",
              `Cannot ${question.doing}: router "${remote}" does not answer`,
            ),
          () => exchange(question),
        );
      } catch (error) {
        if (signal.aborted) http.close();
        throw error;
      }
    },
    close: () => http.close(),
  };
}
