/**
 * What two peers say to each other through the helper once they know each other:
 * who will be at the other end, and where. Each message is sealed, with a key of
 * this meeting and direction.
 *
 * | message    | bytes                                            |
 * | ---------- | ------------------------------------------------ |
 * | HERE       | 1, fingerprint[32] of the sender's certificate   |
 * | CANDIDATES | 2, count u8, as many candidates                  |
 * | DONE       | 3                                                |
 *
 * HERE comes first, and once. A peer's addresses are used as they come; after 32
 * the rest are passed over.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import { createReader, createWriter } from "../protocol/cursor.ts";
import {
  isUsable,
  keyOf,
  readCandidate,
  writeCandidate,
} from "./candidates.ts";
import { type Channel, within } from "./channel.ts";
import { endError } from "./client.ts";
import { type MeetingKeys, wordKeys } from "./keys.ts";
import type { Message } from "./messages.ts";
import { createOpen, createSeal } from "./seal.ts";
import type { Candidate, RelayGrant, Role } from "./types.ts";

/** A meeting under way. */
export interface Meeting {
  /** SHA-256 of the certificate that the peer has now. */
  readonly fingerprint: Uint8Array;
  /** The peer's addresses, each once, as they come; ends when the peer is done or gone. */
  candidates(): AsyncIterable<Candidate>;
  /** Tells the peer of an address of ours; more than fit are not told. */
  tell(candidate: Candidate): Promise<void>;
  /** Asks the helper to pass packets on; `undefined` when it does not. */
  relay(): Promise<RelayGrant | undefined>;
  /** Ends the meeting. Never rejects. */
  close(): Promise<void>;
}

/** What a meeting needs. */
export interface MeetingOptions {
  readonly role: Role;
  readonly keys: MeetingKeys;
  readonly nonces: Readonly<Record<Role, Uint8Array>>;
  /** SHA-256 of our certificate. */
  readonly fingerprint: Uint8Array;
  readonly clock: Clock;
}

/** Addresses that one peer may tell of: more would make us a cannon. */
export const MAX_CANDIDATES = 32;
/** How long the peer may take over its first word, ms. */
const WORD_MS = 15_000;
/** Says who is there. */
export const HERE = 1;
/** Says where. */
export const CANDIDATES = 2;
const DONE = 3;

/**
 * Begins a meeting over `channel`.
 *
 * @throws {SftpxError} `unauthorized` when the other end has not the keys.
 */
export async function openMeeting(
  channel: Channel,
  options: MeetingOptions,
  signal: AbortSignal,
): Promise<Meeting> {
  const { role, keys, nonces, fingerprint, clock } = options;
  const sealed = wordKeys(keys, nonces);
  const seal = createSeal(sealed[role]);
  const open = createOpen(sealed[role === "sender" ? "receiver" : "sender"]);
  const say = (bytes: Uint8Array): Promise<void> =>
    channel.write({ type: "data", bytes: seal(bytes) });
  await say(
    createWriter("HERE").u8(HERE).bytes(fingerprint, 32).finish(),
  );
  const first = await within(
    channel.read(),
    WORD_MS,
    "Cannot meet the other side: it says nothing",
    clock,
    signal,
  );
  if (first?.type !== "data") throw endOf(first);
  const here = createReader(open(first.bytes), "HERE");
  if (here.u8() !== HERE) here.fail("it is none");
  const met = here.bytes(32).slice();
  here.end();

  const granted = Promise.withResolvers<RelayGrant | undefined>();
  let told = 0;
  return {
    fingerprint: met,
    async *candidates() {
      const seen = new Set<string>();
      try {
        for (;;) {
          const message = await channel.read();
          if (message?.type === "grant") {
            granted.resolve(grantOf(message));
            continue;
          }
          if (message?.type !== "data") return;
          const body = createReader(open(message.bytes), "words");
          const type = body.u8();
          if (type === DONE) return;
          if (type !== CANDIDATES) body.fail(`there is no type ${type}`);
          for (let left = body.u8(); left > 0; left--) {
            const candidate = readCandidate(body);
            const key = keyOf(candidate);
            if (seen.has(key) || !isUsable(candidate)) continue;
            if (seen.size >= MAX_CANDIDATES) continue;
            seen.add(key);
            yield candidate;
          }
          body.end();
        }
      } finally {
        granted.resolve(undefined);
      }
    },
    async tell(candidate) {
      if (told++ >= MAX_CANDIDATES) return;
      const body = createWriter("CANDIDATES").u8(CANDIDATES).u8(1);
      await say(writeCandidate(body, candidate).finish());
    },
    async relay() {
      await channel.write({ type: "relay" });
      return await granted.promise;
    },
    async close() {
      await say(Uint8Array.of(DONE)).catch(() => {}); // it may be gone
      await channel.close();
    },
  };
}

function endOf(message: Message | undefined): SftpxError {
  return message === undefined
    ? endError("gone")
    : message.type === "end"
    ? endError(message.reason)
    : new SftpxError("protocol", `Cannot accept ${message.type} at a meeting`);
}

function grantOf(
  { udpPort, tcpPort, cookie }: Message & { type: "grant" },
): RelayGrant | undefined {
  if (udpPort === 0 && tcpPort === 0) return undefined;
  return {
    udpPort: udpPort || undefined,
    tcpPort: tcpPort || undefined,
    cookie,
  };
}
