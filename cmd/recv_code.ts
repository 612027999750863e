/**
 * `sftpx recv CODE`: takes one transfer from the sender who said the code.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { TransferEvent } from "../core/events.ts";
import { systemRandomBytes } from "../crypto/random.ts";
import { senderId } from "../actors/sender_id.ts";
import { type Code, isLocalSlot, parseCode } from "../rendezvous/code.ts";
import type { MetSender } from "../rendezvous/meet.ts";
import { fileIn } from "../store/own_path.ts";
import { askCode, hideArgument, readCodeLink } from "./code_words.ts";
import { hinted } from "./hint.ts";
import { meetOptions } from "./meet.ts";
import { receiveJudge } from "./receive_judge.ts";
import { defined } from "./defined.ts";
import type { Values } from "./settings.ts";
import type { Surroundings } from "./main.ts";
import type { RECV } from "./tables.ts";

/** How long a sender that was met may take to come, ms. */
const COME_MS = 60_000;
/** Where the state of transfers is when nothing else is said. */
export const DEFAULT_RESUME_DIR = "sftpx_resume";

/** Meets the sender, takes what it brings, and ends. */
export async function recvByCode(
  given: string,
  flags: Values<typeof RECV>,
  surroundings: Surroundings,
): Promise<number> {
  const { io, output, signal } = surroundings;
  if (given !== "") await hideArgument(given);
  const typed = given === "" ? askCode(io) : given;
  const link = readCodeLink(typed);
  const code = link?.code ?? typed;
  const { slot } = checkedCode(code);
  const { takeByCode } = await import("../rendezvous/meet.ts");
  const helper = link?.helper ?? flags.helper;
  const local = flags.local || helper === undefined && isLocalSlot(slot);
  const met = await takeByCode({
    ...meetOptions({ ...flags, helper, local }, surroundings),
    code,
    identity: await identityIn(flags.resumeDir ?? DEFAULT_RESUME_DIR),
    onWaiting: () => output.note("waiting for the sender"),
  }).catch((error) => {
    throw withHint(error, signal);
  });
  output.note("the code is right");
  return await takeFrom(met, flags, surroundings, COME_MS);
}

/** Takes what a sender that was met brings, and ends. It must come within `comeMs`. */
export async function takeFrom(
  met: MetSender,
  flags: Values<typeof RECV>,
  surroundings: Surroundings,
  comeMs: number,
): Promise<number> {
  const { output, library, signal, log } = surroundings;
  const own = new AbortController();
  let failure: SftpxError | undefined;
  let hasCome = false;
  const judge = receiveJudge();
  const onEvent = (event: TransferEvent): void => {
    if (event.type === "listening") return; // nobody else can come
    judge.hear(event);
    if (event.type === "connected") {
      hasCome = true;
      came.abort();
    }
    output.event(event);
    if (event.type === "failed") {
      failure ??= new SftpxError(event.code, event.message);
      own.abort();
    }
  };
  const came = new AbortController();
  const watch = async (): Promise<void> => {
    const { systemClock } = await import("../core/clock.ts");
    await systemClock.delay(comeMs, came.signal).catch(() => {});
    if (hasCome || came.signal.aborted) return;
    failure ??= hinted(
      new SftpxError(
        "unreachable",
        "Cannot reach the sender: no path leads here",
      ),
      "sftpx doctor says what this network lets through; a helper with --relay helps",
    );
    own.abort();
  };
  const {
    certs: _,
    tokenFile: __,
    open: ___,
    once: ____,
    bind: _____,
    carrier: ______,
    code: _______,
    helper: ________,
    local: _________,
    directOnly: __________,
    relayOnly: ___________,
    lanOnly: ____________,
    stun: _____________,
    ...options
  } = flags;
  try {
    const { receive } = await library();
    const receiver = await receive({
      ...defined(options),
      certificate: met.certificate,
      token: met.token,
      listener: met.listener,
      once: true,
      signal: AbortSignal.any([signal, own.signal]),
      ...log && { log },
      onEvent,
    });
    watch();
    try {
      await receiver.finished;
    } catch (error) {
      if (failure === undefined) throw error;
    } finally {
      await receiver.close().catch(() => {}); // it is told above
    }
  } finally {
    came.abort();
    await met.close();
  }
  if (signal.aborted) throw withHint(signal.reason, signal);
  if (failure !== undefined) throw withHint(failure, signal);
  judge.check();
  return 0;
}

/** Who we are across runs: 32 bytes made of an id of this state folder. */
export async function identityIn(resumeDir: string): Promise<Uint8Array> {
  const id = await senderId(
    fileIn(resumeDir, "receiver.id"),
    systemRandomBytes,
  );
  const text = new TextEncoder().encode(`sftpx receiver ${id.toHex()}`);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", text));
}

function withHint(error: unknown, signal: AbortSignal): unknown {
  if (!(error instanceof Error)) return error;
  return signal.aborted || error instanceof SftpxError &&
      /^(connection-lost|unauthorized|cancelled)$/.test(error.code)
    ? hinted(
      error,
      "a new code goes on where this one stopped: send the same files again",
    )
    : error;
}

/** Says before all else what cannot be a code. */
function checkedCode(code: string): Code {
  try {
    return parseCode(code);
  } catch (error) {
    const hint =
      "a code is as in 7-tiger-lemon, a link to stored files begins " +
      "with https:, and their description ends in .xftp";
    throw error instanceof Error ? hinted(error, hint) : error;
  }
}
