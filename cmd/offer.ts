/**
 * `send --stun` and `recv --stun`: two people carry an offer to each other, and
 * no helper is needed.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { parseAddress } from "../protocol/address.ts";
import type { MetReceiver } from "../rendezvous/meet.ts";
import {
  type MeetByOfferOptions,
  receiveByOffer,
  sendByOffer,
} from "../rendezvous/meet_offer.ts";
import { parseOffer } from "../rendezvous/offer.ts";
import { STUN_PORT } from "./doctor_network.ts";
import { hinted } from "./hint.ts";
import { policyOf } from "./meet.ts";
import { showQr } from "./qr.ts";
import { DEFAULT_RESUME_DIR, identityIn, takeFrom } from "./recv_code.ts";
import type { Values } from "./settings.ts";
import type { Surroundings } from "./main.ts";
import type { RECV, SEND } from "./tables.ts";

/** How long a person may take to paste, ms. */
const COME_MS = 600_000;
/** More than any offer, with what may stand around it. */
const MAX_PASTED = 65_536;

/** Meets whoever pastes our offer, and whose offer is pasted here. */
export async function meetByOffer(
  stun: string,
  flags: Values<typeof SEND>,
  surroundings: Surroundings,
): Promise<MetReceiver> {
  const resumeDir = flags.resumeDir ?? DEFAULT_RESUME_DIR;
  return await sendByOffer(
    await optionsOf(stun, flags, resumeDir, surroundings),
  );
}

/** As `recv CODE`, with offers. */
export async function recvByOffer(
  stun: string,
  flags: Values<typeof RECV>,
  surroundings: Surroundings,
): Promise<number> {
  const resumeDir = flags.resumeDir ?? DEFAULT_RESUME_DIR;
  const met = await receiveByOffer(
    await optionsOf(stun, flags, resumeDir, surroundings),
  );
  return await takeFrom(met, flags, surroundings, COME_MS);
}

async function optionsOf(
  stun: string,
  flags: Parameters<typeof policyOf>[0],
  resumeDir: string,
  surroundings: Surroundings,
): Promise<MeetByOfferOptions> {
  const { io, output, signal, log } = surroundings;
  return {
    stun: parseAddress(stun, STUN_PORT),
    identity: await identityIn(resumeDir),
    policy: policyOf(flags),
    signal,
    ...log && { log },
    async exchange(offer) {
      output.note("give this to the other side, by any chat:");
      output.data(offer, { type: "offer", offer });
      showQr(io, offer);
      output.note("and paste theirs here:");
      return await pasted(io.stdin, signal);
    },
    onWords(words) {
      output.note(
        `both sides must see the same words, or somebody is between them: ${words}`,
      );
    },
  };
}

/**
 * Reads until there is an offer in what was pasted.
 *
 * @throws {SftpxError} "usage" when there is none.
 */
export async function pasted(
  stdin: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): Promise<string> {
  const reader = stdin.getReader();
  const abort = (): void => {
    reader.cancel().catch(() => {}); // the read ends
  };
  signal.addEventListener("abort", abort, { once: true });
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      text += done ? "" : decoder.decode(value, { stream: true });
      try {
        // A line that goes on may come in parts.
        if (done || text.endsWith("\n")) {
          parseOffer(text);
          return text;
        }
      } catch (error) {
        if (done || text.length > MAX_PASTED) throw withHint(error);
      }
    }
  } finally {
    signal.removeEventListener("abort", abort);
    reader.releaseLock();
  }
}

function withHint(error: unknown): unknown {
  return error instanceof SftpxError
    ? hinted(error, "it begins with sftpx-offer: and is one line")
    : error;
}
