/**
 * Both ends of a new path prove that they are the peers that met.
 *
 * Who dialed has made sure of the certificate at the other end. It says so, with
 * a tag that only the peer can make, over that certificate's fingerprint: it
 * would not say it to another, so the other end knows who dialed. The answer
 * proves that the other end has the key, too.
 *
 * | message | bytes                                                          |
 * | ------- | -------------------------------------------------------------- |
 * | PROOF   | role of who dialed (0 sender, 1 receiver), nonce[16], tag[32]  |
 * | ANSWER  | tag[32]                                                        |
 *
 * ```text
 * tag = HMAC-SHA-256(path key, label ‖ role ‖ fingerprint[32] ‖ nonce[16])
 * ```
 *
 * They go over the first stream of the connection, which whoever dialed opens;
 * nothing else is read before.
 *
 * @module
 */
import { concatBytes } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import type { RandomBytes } from "../crypto/random.ts";
import type { BidiStream, Conn } from "../transport/transport.ts";
import { within } from "./channel.ts";
import { isSame, type MeetingKeys, NONCE_LENGTH, tagOf } from "./keys.ts";
import type { Role } from "./types.ts";

/** The protocol of a connection that begins so. */
export const PATH_ALPN = "sftpx-path/1";

/** What a proof needs. */
export interface PathProofOptions {
  /** Our role. */
  readonly role: Role;
  readonly keys: Pick<MeetingKeys, "path">;
  /** SHA-256 of the certificate of the end that was dialed. */
  readonly fingerprint: Uint8Array;
  readonly random: RandomBytes;
  readonly clock: Clock;
}

/** How long each word may take, ms. */
const WORD_MS = 10_000;
const TAG_LENGTH = 32;
const PROOF_LENGTH = 1 + NONCE_LENGTH + TAG_LENGTH;
const TOO_SLOW = "Cannot use path: the other end proves nothing";

/**
 * Proves a path that we dialed, with its certificate pinned.
 *
 * @throws {SftpxError} `unauthorized` when the other end has not the key.
 */
export async function proveDialed(
  conn: Conn,
  options: PathProofOptions,
  signal: AbortSignal,
): Promise<void> {
  const { role, keys, fingerprint, random } = options;
  const nonce = random(NONCE_LENGTH);
  const head = concatBytes(byteOf(role), fingerprint, nonce);
  const ask = async (): Promise<Uint8Array> => {
    const stream = await conn.openBidi();
    const tag = tagOf(keys.path, "proof", head);
    await stream.send.write(concatBytes(byteOf(role), nonce, tag));
    await stream.send.end();
    return await readExactly(stream, TAG_LENGTH);
  };
  const answer = await within(ask(), WORD_MS, TOO_SLOW, options.clock, signal);
  if (!isSame(answer, tagOf(keys.path, "answer", head))) throw wrong();
}

/**
 * Hears who dialed us.
 *
 * @throws {SftpxError} `unauthorized` when it is not the peer.
 */
export async function proveAccepted(
  conn: Conn,
  options: PathProofOptions,
  signal: AbortSignal,
): Promise<void> {
  const { role, keys, fingerprint } = options;
  const hear = async (): Promise<void> => {
    const stream = await conn.acceptBidi();
    if (stream === undefined) throw wrong();
    const proof = await readExactly(stream, PROOF_LENGTH);
    const dialer: Role = role === "sender" ? "receiver" : "sender";
    const said = proof.subarray(0, 1);
    const nonce = proof.subarray(1, 1 + NONCE_LENGTH);
    const head = concatBytes(byteOf(dialer), fingerprint, nonce);
    const isRight = isSame(
      proof.subarray(1 + NONCE_LENGTH),
      tagOf(keys.path, "proof", head),
    );
    if (!isRight || said[0] !== byteOf(dialer)[0]) throw wrong();
    await stream.send.write(tagOf(keys.path, "answer", head));
    await stream.send.end();
  };
  await within(hear(), WORD_MS, TOO_SLOW, options.clock, signal);
}

async function readExactly(
  { receive }: BidiStream,
  length: number,
): Promise<Uint8Array> {
  const got = await receive.readFully(new Uint8Array(length));
  if (got.length < length) {
    throw new SftpxError("connection-lost", "Cannot use path: it ended early");
  }
  const more = await receive.readSome(new Uint8Array(1));
  if (more.length > 0) throw wrong();
  return got;
}

function byteOf(role: Role): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(role === "sender" ? 0 : 1);
}

function wrong(): SftpxError {
  return new SftpxError(
    "unauthorized",
    "Cannot use path: the other end is not the peer",
  );
}
