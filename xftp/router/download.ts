/**
 * Gives a chunk: from the disk to the line, encrypted for this once, in pieces
 * that are read when the line takes them.
 *
 * @module
 */
import { SftpxError } from "../../core/errors.ts";
import type { RandomBytes } from "../../crypto/random.ts";
import type { XftpAnswer } from "../commands.ts";
import { FaultError } from "../faults.ts";
import { makeKeyPair, NONCE_BYTES, type PublicKey } from "../keys.ts";
import { sharedSecret } from "../keys.ts";
import { type SecretBox, secretbox } from "../secretbox.ts";
import type { ChunkReader } from "./chunk_files.ts";
import type { ChunkRecord } from "./records.ts";
import type { Store } from "./store.ts";

/** A chunk that is on its way. */
export interface Download {
  /** What tells the recipient how to open it. */
  readonly answer: XftpAnswer;
  /** The chunk, encrypted, and its tag. */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** A piece: small enough that many clients get their turns. */
const READ_BYTES = 65_536;

/**
 * Opens a chunk for one who may have it.
 *
 * @param key The recipient's, made for this once.
 * @param ended Called when it is all given, or not wanted any more.
 * @throws {FaultError} with what the recipient is to hear.
 */
export async function giveDownload(
  store: Store,
  chunk: ChunkRecord,
  key: PublicKey,
  random: RandomBytes,
  ended: (complete: boolean) => void,
): Promise<Download> {
  if (!chunk.uploaded) throw new FaultError({ code: "NO_FILE" });
  const pair = makeKeyPair("x25519");
  const nonce = random(NONCE_BYTES);
  let box: SecretBox;
  try {
    box = secretbox(sharedSecret(pair.privateKey, key), nonce);
  } catch (cause) {
    if (!(cause instanceof SftpxError)) throw cause;
    throw new FaultError({ code: "CRYPTO" }, cause);
  }
  const file = await store.files.open(chunk.id);
  // Its file is taken before its record, so this one is on its way out.
  if (file === undefined) throw new FaultError({ code: "AUTH" });
  if (file.size !== chunk.size) {
    await file.close();
    throw new FaultError({ code: "FILE_IO" });
  }
  return {
    answer: { type: "FILE", key: pair.publicKey, nonce },
    body: encrypted(file, box, ended),
  };
}

function encrypted(
  file: ChunkReader,
  box: SecretBox,
  ended: (complete: boolean) => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let left = file.size;
  const finish = async (complete: boolean): Promise<void> => {
    ended(complete);
    await file.close();
  };
  return new ReadableStream({
    async pull(controller) {
      try {
        const buffer = new Uint8Array(Math.min(READ_BYTES, left));
        const count = await file.read(buffer);
        if (count === 0) {
          throw new SftpxError("local-io", "Cannot read chunk: it is cut");
        }
        left -= count;
        const plain = buffer.subarray(0, count);
        controller.enqueue(box.encrypt(plain, plain));
        if (left > 0) return;
        controller.enqueue(box.finish());
        controller.close();
      } catch (error) {
        await finish(false);
        throw error;
      }
      await finish(true);
    },
    cancel: () => finish(false),
  }, { highWaterMark: 0 });
}
