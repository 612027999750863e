/**
 * Two offers in place of a helper: what the other side would say at a meeting is
 * known already, so it is said here.
 *
 * Each side dials what the other's offer says, again and again, as nobody knows
 * when the other person pastes ours; what goes out opens the way for what comes.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import { createWriter } from "../protocol/cursor.ts";
import { writeCandidate } from "./candidates.ts";
import type { Channel } from "./channel.ts";
import type { HelperClient } from "./client.ts";
import { type MeetingKeys, NONCE_LENGTH, wordKeys } from "./keys.ts";
import { CANDIDATES, HERE } from "./meeting.ts";
import type { Message } from "./messages.ts";
import type { Offer } from "./offer.ts";
import { createSeal } from "./seal.ts";
import type { Role } from "./types.ts";

/** What it needs. */
export interface OfferHelperOptions {
  /** The other side's. */
  readonly theirs: Offer;
  readonly keys: MeetingKeys;
  readonly clock: Clock;
}

/** The receiver sends into the other side's addresses as often, ms. */
const AGAIN_MS = 10_000;
/** The sender says nothing of its own: a nonce for what is made up here. */
const NOBODY = new Uint8Array(NONCE_LENGTH);

/** Makes a client of no helper but what was pasted. */
export function offerHelper(options: OfferHelperOptions): HelperClient {
  const { theirs, keys, clock } = options;
  const over = new AbortController();
  const no = (): Promise<never> =>
    Promise.reject(
      new SftpxError("internal", "Cannot meet by code: there are offers"),
    );
  return {
    allocate: no,
    claim: no,
    join: (_id, nonce) =>
      Promise.resolve({
        channel: asThey(
          theirs,
          keys,
          Promise.resolve({ sender: nonce, receiver: NOBODY }),
        ),
        slot: 0,
        observed: "",
        met: () => Promise.resolve(NOBODY),
      }),
    async host(_id, welcome, waiting, signal) {
      const either = AbortSignal.any([signal, over.signal]);
      waiting("");
      let last: Channel | undefined;
      for (;;) {
        const accepted = Promise.withResolvers<Nonces>();
        const channel = asThey(
          theirs,
          keys,
          accepted.promise,
          (message) => {
            if (message.type !== "accept") return;
            accepted.resolve({ sender: NOBODY, receiver: message.nonce });
          },
        );
        await last?.close();
        last = channel;
        welcome({ channel, nonce: NOBODY, observed: "" });
        try {
          await clock.delay(AGAIN_MS, either);
        } catch (error) {
          await channel.close();
          throw error;
        }
      }
    },
    remote: undefined,
    close() {
      over.abort();
      return Promise.resolve();
    },
  };
}

type Nonces = Readonly<Record<Role, Uint8Array>>;

/** Says what the other side's offer says, and then nothing until it is closed. */
function asThey(
  theirs: Offer,
  keys: MeetingKeys,
  nonces: Promise<Nonces>,
  hear: (message: Message) => void = () => {},
): Channel {
  const closed = Promise.withResolvers<undefined>();
  const words = (async (): Promise<Message[]> => {
    const seal = createSeal(wordKeys(keys, await nonces)[theirs.role]);
    const here = createWriter("HERE").u8(HERE).bytes(theirs.fingerprint, 32);
    const list = createWriter("CANDIDATES").u8(CANDIDATES)
      .u8(theirs.candidates.length);
    for (const candidate of theirs.candidates) writeCandidate(list, candidate);
    return [here, list].map((body) => ({
      type: "data",
      bytes: seal(body.finish()),
    }));
  })();
  words.catch(() => {});
  let said = 0;
  return {
    async read() {
      const all = await Promise.race([words, closed.promise]);
      return all?.[said++] ?? await closed.promise;
    },
    write(message) {
      hear(message);
      return Promise.resolve();
    },
    close() {
      closed.resolve(undefined);
      return Promise.resolve();
    },
  };
}
