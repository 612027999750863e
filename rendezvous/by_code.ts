/**
 * Meeting by a code: at a slot of the helper, once, and from then on under keys
 * that only the two have.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { codeOf, isRetryable } from "../core/errors.ts";
import { type Secret, secret } from "../core/secret.ts";
import type { RandomBytes } from "../crypto/random.ts";
import { agree, type Agreement } from "./agree.ts";
import type { HelperClient, Waiting } from "./client.ts";
import { type Code, DEFAULT_WORDS, makePhrase } from "./code.ts";
import { type MeetingKeys, NONCE_LENGTH } from "./keys.ts";
import type { Role } from "./types.ts";

/** What both sides need to meet by a code. */
export interface CodeMeetingOptions {
  readonly helper: HelperClient;
  /** SHA-256 of our certificate. */
  readonly fingerprint: Uint8Array;
  /** Who we are across runs, 32 bytes: only the peer learns of it. */
  readonly identity: Uint8Array;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

/** What a sender can choose. */
export interface OfferOptions extends CodeMeetingOptions {
  /** One's own phrase, and slot. @default {a free slot, and words of the list} */
  readonly own?: {
    readonly slot: number | undefined;
    readonly phrase: string;
  };
  /** Words of the phrase. @default {2} */
  readonly words?: number;
  /** Told of the code when it can be given away. */
  readonly onCode: (code: Code) => void;
}

/** What the two have of each other. */
export interface Met {
  readonly keys: MeetingKeys;
  /** SHA-256 of the peer's certificate. */
  readonly fingerprint: Uint8Array;
  /** Who the peer is across runs. */
  readonly identity: Uint8Array;
  /** The receiver's access token, for this transfer. */
  readonly token: Secret;
}

/** A helper that is lost while nobody has come is asked again after this long, ms. */
const AGAIN_MS = 1000;
/** And given up after so many times in a row. */
const MAX_TRIES = 60;

/**
 * Offers a code, and waits for the one who has it.
 *
 * @throws {SftpxError} `unauthorized` when somebody came with other words: the
 * code is burnt.
 */
export async function offerCode(
  options: OfferOptions,
  signal: AbortSignal,
): Promise<Met> {
  const { helper, own, random, words = DEFAULT_WORDS } = options;
  const phrase = own?.phrase ?? makePhrase(words, random);
  let slot = own?.slot;
  let isTold = false;
  const sit = async (nonce: Uint8Array): Promise<[Waiting, Code]> => {
    const waiting = slot === undefined
      ? await helper.allocate(nonce, signal)
      : await helper.claim("sender", slot, nonce, signal);
    slot ??= waiting.slot;
    const code = { slot, phrase };
    if (!isTold) options.onCode(code);
    isTold = true;
    return [waiting, code];
  };
  return await meetAs("sender", options, sit, signal);
}

/**
 * Goes to the one who offers a code, or waits for it.
 *
 * @throws {SftpxError} `unauthorized` when the words are not the same: the code
 * is burnt.
 */
export async function takeCode(
  code: Code,
  options: CodeMeetingOptions & { readonly onWaiting?: () => void },
  signal: AbortSignal,
): Promise<Met> {
  const { helper, onWaiting = () => {} } = options;
  const sit = async (nonce: Uint8Array): Promise<[Waiting, Code]> => {
    const waiting = await helper.claim("receiver", code.slot, nonce, signal);
    onWaiting();
    return [waiting, code];
  };
  return await meetAs("receiver", options, sit, signal);
}

async function meetAs(
  role: Role,
  options: CodeMeetingOptions,
  sit: (nonce: Uint8Array) => Promise<[Waiting, Code]>,
  signal: AbortSignal,
): Promise<Met> {
  const { clock, random } = options;
  let hasSat = false;
  for (let tries = 1;; tries++) {
    signal.throwIfAborted();
    try {
      const nonce = random(NONCE_LENGTH);
      const [waiting, code] = await sit(nonce);
      hasSat = true;
      tries = 1;
      const other = await waiting.met();
      const nonces = role === "sender"
        ? { sender: nonce, receiver: other }
        : { sender: other, receiver: nonce };
      try {
        const agreed = await agree(waiting.channel, {
          ...options,
          role,
          code,
          nonces,
        }, signal);
        if (agreed !== undefined) return metOf(agreed);
        // It left before it could guess: the next one may be the right one.
      } finally {
        await waiting.channel.close();
      }
    } catch (error) {
      signal.throwIfAborted();
      // While we wait the line may be lost, and come back; the helper may take us
      // for another until it sees that.
      const isLost = codeOf(error) === "connection-lost" ||
        hasSat && (isRetryable(error) || codeOf(error) === "duplicate");
      if (!isLost || tries >= MAX_TRIES) throw error;
      await clock.delay(AGAIN_MS, signal);
    }
  }
}

function metOf({ keys, fingerprint, identity }: Agreement): Met {
  return {
    keys: keys.meeting,
    fingerprint,
    identity,
    token: secret(keys.token),
  };
}
