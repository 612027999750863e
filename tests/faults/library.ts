/**
 * A receiver in the test's own process, with times that a test can wait for.
 *
 * @module
 */
import type {
  PeerDialers,
  ReceiveOptions,
  Receiver,
  SendOptions,
  SendResult,
} from "../../actors/options.ts";
import { type ReceiveInside, receiveInside } from "../../actors/receive.ts";
import { sendInside } from "../../actors/send.ts";
import type { SendInside } from "../../actors/send_files.ts";
import type { TransferEvent } from "../../core/events.ts";
import { secret } from "../../core/secret.ts";
import { makeCertificate } from "../../crypto/certificate.ts";
import { tempDir } from "../testutil/temp.ts";

/** The token of all receivers here. */
export const TOKEN = secret(new Uint8Array(32).fill(5));

/** A receiver, a folder for all, and what was said. */
export interface Library extends AsyncDisposable {
  readonly dir: string;
  readonly receiver: Receiver;
  /** What the receiver told so far. */
  readonly events: readonly TransferEvent[];
  /** Resolves once an event fits, among those that were and that come. */
  told(fits: (event: TransferEvent) => boolean): Promise<TransferEvent>;
  /** Sends a path of `dir`, to the receiver or to `address`. */
  send(
    path: string,
    options?: Partial<SendOptions> & {
      readonly address?: string;
      readonly dialers?: PeerDialers;
      readonly inside?: SendInside;
    },
  ): Promise<SendResult>;
}

/** The certificate of all receivers here. */
export const CERTIFICATE = await makeCertificate({ now: new Date() });
const { cert, key } = CERTIFICATE;

/** Starts a receiver. */
export async function library(
  options: Partial<ReceiveOptions> = {},
  inside: ReceiveInside = {},
): Promise<Library> {
  const dir = await tempDir();
  const events: TransferEvent[] = [];
  const waiting = new Set<() => void>();
  const receiver = await receiveInside({
    bind: "127.0.0.1:0",
    certificate: { cert, key: secret(new TextEncoder().encode(key)) },
    token: TOKEN,
    uploadDir: dir.join("uploads"),
    resumeDir: dir.join("resume-recv"),
    onEvent(event) {
      events.push(event);
      waiting.forEach((look) => look());
    },
    ...options,
  }, inside);
  let sends = 0;
  return {
    dir: dir.path,
    receiver,
    events,
    told(fits) {
      const { promise, resolve } = Promise.withResolvers<TransferEvent>();
      const look = (): void => {
        const event = events.find(fits);
        if (event === undefined) return;
        waiting.delete(look);
        resolve(event);
      };
      waiting.add(look);
      look();
      return promise;
    },
    send(
      path,
      { address = receiver.address, dialers, inside = {}, ...more } = {},
    ) {
      const { fingerprint } = receiver;
      return sendInside({
        paths: [dir.join(path)],
        to: {
          ...{ address, fingerprint, token: TOKEN },
          ...(dialers && { dialers }),
        },
        resumeDir: dir.join(`resume-send-${++sends}`),
        ...more,
      }, inside);
    },
    async [Symbol.asyncDispose]() {
      await receiver.close();
      await dir[Symbol.asyncDispose]();
    },
  };
}
