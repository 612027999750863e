/**
 * A client's session with a router: one connection, the hellos, and then one
 * command after another.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { equalBytes } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";
import { systemRandomBytes } from "../crypto/random.ts";
import { formatAddress } from "../transport/address.ts";
import type { RouterAddress } from "./address.ts";
import {
  authorizedBytes,
  BLOCK_BYTES,
  decodeTransmission,
  encodeTransmission,
  unpadBlock,
} from "./block.ts";
import type { DialledRouter } from "./client_dial.ts";
import { whileMoving, within } from "./client_deadline.ts";
import { type H2Answer, type H2Client, h2Client } from "./client_h2.ts";
import {
  decodeAnswer,
  encodeCommand,
  type XftpAnswer,
  type XftpCommand,
} from "./commands.ts";
import { decodeFault, faultToError } from "./faults.ts";
import {
  CHALLENGE_BYTES,
  commonVersion,
  decodeRouterHello,
  encodeClientHandshake,
  encodeWebHello,
  HANDSHAKE_HEADER,
  OUR_VERSIONS,
  readSignedKey,
  WEB_HELLO_HEADER,
} from "./handshake.ts";
import { type PrivateKey, sign, verify } from "./keys.ts";
import {
  checkRouterChain,
  checkRouterHello,
  type ProvenRouter,
} from "./router_proof.ts";

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

/** What a session goes by. */
type Greeted = Pick<ProvenRouter, "sessionId" | "version">;

/** TLS has proved who it is; this is what binds its words to that. */
async function greet(
  http: H2Client,
  { leaf, identity }: Extract<DialledRouter, { way: "own" }>,
  router: RouterAddress,
  remote: string,
  clock: Clock,
): Promise<Greeted> {
  const hello = decodeRouterHello(
    await blockOf(await http.post({}, []), remote),
  );
  const [first, second] = hello.certificates;
  if (
    first === undefined || second === undefined || !equalBytes(first, leaf) ||
    !equalBytes(second, identity)
  ) {
    throw stranger(remote, "it says that it is another than TLS says");
  }
  const leafKey = checkRouterChain(hello.certificates, {
    keyHash: router.keyHash,
    now: new Date(clock.wallMs()),
  });
  const { signed, signature } = readSignedKey(hello.signedKey);
  if (!verify(leafKey, signed, signature)) {
    throw stranger(remote, "it has not signed its key");
  }
  const version = commonVersion(OUR_VERSIONS, hello.versions);
  if (version === undefined) {
    throw new SftpxError(
      "protocol",
      `Cannot speak with router "${remote}": it has versions ${hello.versions.min} to ${hello.versions.max}, we have ${OUR_VERSIONS.min} to ${OUR_VERSIONS.max}`,
    );
  }
  return { sessionId: hello.sessionId, version };
}

/** TLS has proved its name only: it signs what we have just made up. */
async function greetAsBrowser(
  http: H2Client,
  router: RouterAddress,
  remote: string,
  clock: Clock,
): Promise<Greeted> {
  const challenge = systemRandomBytes(CHALLENGE_BYTES);
  const asked = await http.post(
    { [WEB_HELLO_HEADER]: "1" },
    [encodeWebHello(challenge)],
  );
  return checkRouterHello(decodeRouterHello(await blockOf(asked, remote)), {
    keyHash: router.keyHash,
    challenge,
    now: new Date(clock.wallMs()),
  });
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

/** The block at the front of an answer. */
async function blockOf(
  answer: H2Answer,
  remote: string,
): Promise<Uint8Array<ArrayBuffer>> {
  if (answer.status !== 200) {
    throw confused(remote, `its status is ${answer.status ?? "unknown"}`);
  }
  const block = new Uint8Array(BLOCK_BYTES);
  const length = await answer.read(block);
  if (length !== BLOCK_BYTES) {
    throw confused(remote, `its answer has ${length} bytes`);
  }
  // An error of the hello is a bare word.
  const message = unpadBlock(block);
  if (message.length > 0 && message.length <= LONGEST_WORD) {
    const fault = decodeFault(message);
    await endOf(answer, remote);
    if (fault.code === "SESSION" || fault.code === "HANDSHAKE") {
      throw forgotten(remote);
    }
    throw faultToError(fault, `speak with router "${remote}"`);
  }
  return block;
}

/** Makes sure that nothing follows. */
async function endOf(answer: H2Answer, remote: string): Promise<void> {
  if (answer.status !== 200) {
    throw confused(remote, `its status is ${answer.status ?? "unknown"}`);
  }
  if (await answer.read(new Uint8Array(1)) !== 0) {
    throw confused(remote, "its answer is longer than it must be");
  }
}

/** A hello or transmission is longer than the words of errors are. */
const LONGEST_WORD = 30;

function stranger(remote: string, reason: string): SftpxError {
  return new SftpxError(
    "unauthorized",
    `Cannot trust router "${remote}": ${reason}`,
  );
}

function confused(remote: string, reason: string): SftpxError {
  return new SftpxError(
    "protocol",
    `Cannot understand router "${remote}": ${reason}`,
  );
}

/** A new connection, with new hellos, is what helps. */
function forgotten(remote: string): SftpxError {
  return new SftpxError(
    "connection-lost",
    `Cannot go on with router "${remote}": it does not know our session`,
  );
}
