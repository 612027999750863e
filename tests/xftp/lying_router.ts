/**
 * A router that keeps what it is given, in memory, and lies where it is told to.
 *
 * @module
 */
import { systemClock } from "../../core/clock.ts";
import { nullLog } from "../../core/log.ts";
import { systemRandomBytes } from "../../crypto/random.ts";
import type { RouterAddress } from "../../xftp/address.ts";
import { decodeTransmission, encodeTransmission } from "../../xftp/block.ts";
import {
  decodeCommand,
  encodeAnswer,
  type XftpAnswer,
} from "../../xftp/commands.ts";
import { makeKeyPair, sharedSecret } from "../../xftp/keys.ts";
import { openFront } from "../../xftp/router/front.ts";
import { createIdentity, loadIdentity } from "../../xftp/router/identity.ts";
import { shake } from "../../xftp/router/shake.ts";
import { openSite } from "../../xftp/router/site.ts";
import { secretbox } from "../../xftp/secretbox.ts";
import { concatBytes } from "../../core/bytes.ts";

/** Ways to lie; what is not given is true. */
export interface Lies {
  /** Changes an answer. */
  answer?: (answer: XftpAnswer) => XftpAnswer;
  /** Changes a chunk before it is encrypted for its way. */
  chunk?: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
  /** Changes what follows an answer. */
  body?: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
  /** Changes what an answer is about. */
  entity?: (id: Uint8Array) => Uint8Array;
  /** Changes the block of an answer. */
  block?: (block: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
}

/** A router that lies. */
export interface LyingRouter extends AsyncDisposable {
  readonly address: RouterAddress;
  /** What it is to lie about from now on. */
  lies: Lies;
  /** Commands that it has heard. */
  readonly heard: string[];
}

/** Starts one. */
export async function lyingRouter(): Promise<LyingRouter> {
  const dir = await Deno.makeTempDir({ prefix: "sftpx-liar-" });
  const now = new Date();
  await createIdentity(`${dir}/identity`, { hosts: [], now });
  const identity = await loadIdentity(`${dir}/identity`, now);
  const chunks = new Map<string, { size: number; bytes?: Uint8Array }>();
  const heard: string[] = [];
  const front = await openFront({
    hostname: "127.0.0.1",
    port: 0,
    own: identity.tls,
    clock: systemClock,
    random: systemRandomBytes,
    log: nullLog,
    http: {
      site: await openSite(""),
      async router(session, request) {
        const word = shake(session, request, identity);
        if (word !== undefined) return { block: word };
        const asked = decodeTransmission(request.head);
        const command = decodeCommand(asked.command);
        heard.push(command.type);
        const id = asked.entityId.toHex();
        const chunk = chunks.get(id);
        let answer: XftpAnswer = { type: "OK" };
        let body: Uint8Array<ArrayBuffer> | undefined;
        if (command.type === "FNEW") {
          const senderId = systemRandomBytes(16);
          const recipientIds = command.recipientKeys
            .map(() => systemRandomBytes(16));
          const made = { size: command.size };
          for (const one of [senderId, ...recipientIds]) {
            chunks.set(one.toHex(), made);
          }
          answer = { type: "SIDS", senderId, recipientIds };
        } else if (command.type === "FPUT" && chunk !== undefined) {
          const pieces: Uint8Array[] = [];
          for (;;) {
            const piece = await request.body.next();
            if (piece === undefined) break;
            pieces.push(piece.slice());
          }
          chunk.bytes = concatBytes(...pieces);
        } else if (command.type === "FGET" && chunk?.bytes !== undefined) {
          const pair = makeKeyPair("x25519");
          const nonce = systemRandomBytes(24);
          const box = secretbox(
            sharedSecret(pair.privateKey, command.key),
            nonce,
          );
          const bytes = concatBytes(chunk.bytes);
          const plain = router.lies.chunk?.(bytes) ?? bytes;
          const whole = concatBytes(box.encrypt(plain), box.finish());
          body = router.lies.body?.(whole) ?? whole;
          answer = { type: "FILE", key: pair.publicKey, nonce };
        }
        const entityId = answer.type === "SIDS"
          ? new Uint8Array(0)
          : asked.entityId;
        const block = encodeTransmission({
          auth: new Uint8Array(0),
          sessionId: session.id,
          corrId: asked.corrId,
          entityId: router.lies.entity?.(entityId) ?? entityId,
          command: encodeAnswer(router.lies.answer?.(answer) ?? answer),
        });
        return {
          block: router.lies.block?.(block) ?? block,
          ...body && { body: ReadableStream.from([body]) },
        };
      },
    },
  });
  const router: LyingRouter = {
    address: {
      keyHash: identity.keyHash,
      hosts: ["127.0.0.1"],
      port: front.port,
    },
    lies: {},
    heard,
    async [Symbol.asyncDispose]() {
      await front.close(1000);
      await Deno.remove(dir, { recursive: true });
    },
  };
  return router;
}
