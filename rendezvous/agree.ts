/**
 * Two peers that met at a slot prove to each other that they know the same
 * words, and come to keys that nobody else has.
 *
 * | message  | bytes                                                         |
 * | -------- | ------------------------------------------------------------- |
 * | SHARE    | 1, share[32], fingerprint[32] of its certificate              |
 * | CONFIRM  | 2, tag[32], sealed(identity[32])                              |
 *
 * Both say SHARE at once, and CONFIRM when they have the other's. Version, role
 * and fingerprint are associated data of the exchange, the slot is its channel,
 * and what each side says once is its session: a message of another exchange, or
 * from the other role, gives another key.
 *
 * @module
 */
import { concatBytes } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import { beginCpace, type CpaceSide } from "../crypto/cpace.ts";
import type { RandomBytes } from "../crypto/random.ts";
import { createReader, createWriter } from "../protocol/cursor.ts";
import { type Channel, within } from "./channel.ts";
import { endError } from "./client.ts";
import type { Code } from "./code.ts";
import { type CodeKeys, codeKeys, isSame, tagOf } from "./keys.ts";
import { createOpen, createSeal, SEAL_LENGTH } from "./seal.ts";
import type { Role } from "./types.ts";

/** Who proves, what, and to be bound to what. */
export interface AgreeOptions {
  readonly role: Role;
  readonly code: Code;
  /** What each side said once. */
  readonly nonces: Readonly<Record<Role, Uint8Array>>;
  /** SHA-256 of our certificate. */
  readonly fingerprint: Uint8Array;
  /** Who we are across runs, 32 bytes; only the peer learns of it. */
  readonly identity: Uint8Array;
  readonly random: RandomBytes;
  readonly clock: Clock;
}

/** What two peers have agreed on. */
export interface Agreement {
  readonly keys: CodeKeys;
  /** SHA-256 of the peer's certificate: the only one that is to be met. */
  readonly fingerprint: Uint8Array;
  /** Who the peer is across runs, 32 bytes. */
  readonly identity: Uint8Array;
}

/** The version that both must speak. */
export const CODE_VERSION = 1;

/** How long the peer may take over each message, ms. */
const WORD_MS = 20_000;
/** And the helper over a code that is burnt. */
const BURN_MS = 2000;
const SHARE = 1;
const CONFIRM = 2;
const HASH_LENGTH = 32;

/**
 * Agrees with the peer at the other end of `channel`.
 *
 * @returns `undefined` when the peer left before it could guess.
 * @throws {SftpxError} `unauthorized` when the words differ: the code is burnt.
 */
export async function agree(
  channel: Channel,
  options: AgreeOptions,
  signal: AbortSignal,
): Promise<Agreement | undefined> {
  const { role, code, nonces, fingerprint, clock } = options;
  const sid = concatBytes(nonces.sender, nonces.receiver);
  const cpace = beginCpace({
    prs: new TextEncoder().encode(code.phrase),
    ci: channelOf(code.slot),
    sid,
  }, options.random);
  const mine: CpaceSide = { share: cpace.share, ad: adOf(role, fingerprint) };
  await channel.write({
    type: "data",
    bytes: createWriter("SHARE").u8(SHARE).bytes(cpace.share)
      .bytes(fingerprint, HASH_LENGTH).finish(),
  });
  const first = await hear(channel, clock, signal);
  if (first === undefined) return undefined;
  // From here on the peer may have made its guess: the code is burnt if we fail.
  try {
    const share = createReader(first, "SHARE");
    if (share.u8() !== SHARE) share.fail("it is none");
    const theirs: CpaceSide = {
      share: share.bytes(HASH_LENGTH),
      ad: new Uint8Array(),
    };
    const met = share.bytes(HASH_LENGTH).slice();
    share.end();
    const other = role === "sender" ? "receiver" : "sender";
    const peer = { ...theirs, ad: adOf(other, met) };
    const [initiator, responder] = role === "sender"
      ? [mine, peer]
      : [peer, mine];
    const isk = cpace.finish({ initiator, responder }, role === "sender");
    const keys = codeKeys(isk, sid);
    const said = [
      sid,
      initiator.share,
      initiator.ad,
      responder.share,
      responder.ad,
    ];
    const tag = (of: Role): Uint8Array =>
      tagOf(keys.confirm[of], "confirm", ...said);
    await channel.write({
      type: "data",
      bytes: createWriter("CONFIRM").u8(CONFIRM).bytes(tag(role))
        .bytes(createSeal(keys.first[role])(options.identity)).finish(),
    });
    const second = await hear(channel, clock, signal);
    if (second === undefined) throw leftAfterGuess();
    const confirm = createReader(second, "CONFIRM");
    if (confirm.u8() !== CONFIRM) confirm.fail("it is none");
    if (!isSame(confirm.bytes(HASH_LENGTH), tag(other))) {
      throw endError("burnt");
    }
    const identity = createOpen(keys.first[other])(
      confirm.bytes(HASH_LENGTH + SEAL_LENGTH),
    );
    confirm.end();
    return { keys, fingerprint: met, identity };
  } catch (error) {
    await burn(channel, clock, signal);
    throw error;
  }
}

/**
 * Burns the code, and stays until the helper says that it is: what was said is
 * lost with a connection that is left before it is there, the other side would
 * wait for us, and the code be good for another guess.
 */
async function burn(
  channel: Channel,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const told = async (): Promise<void> => {
    await channel.write({ type: "burn" });
    for (;;) {
      const message = await channel.read();
      if (message === undefined || message.type === "end") return;
    }
  };
  // Whatever happens to it, the code is not used any more.
  await within(told(), BURN_MS, "Cannot burn the code", clock, signal)
    .catch(() => {});
}

/** The next thing the peer says; `undefined` when it has left. */
async function hear(
  channel: Channel,
  clock: Clock,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const message = await within(
    channel.read(),
    WORD_MS,
    "Cannot meet the other side: it says nothing",
    clock,
    signal,
  );
  if (message?.type === "data") return message.bytes;
  if (message === undefined) return undefined;
  if (message.type !== "end") {
    throw new SftpxError("protocol", `Cannot accept ${message.type}`);
  }
  if (message.reason === "gone") return undefined;
  throw endError(message.reason);
}

/** What the exchange is for: nothing that is said for another purpose fits. */
function channelOf(slot: number): Uint8Array {
  return createWriter("channel")
    .bytes(new TextEncoder().encode("sftpx rendezvous/1 code"))
    .u32(slot).finish();
}

function adOf(role: Role, fingerprint: Uint8Array): Uint8Array {
  return createWriter("associated data").u8(CODE_VERSION)
    .u8(role === "sender" ? 0 : 1).bytes(fingerprint, HASH_LENGTH).finish();
}

function leftAfterGuess(): SftpxError {
  return new SftpxError(
    "unauthorized",
    "Cannot meet the other side: it left in the middle of the proof, so the code is burnt",
  );
}
