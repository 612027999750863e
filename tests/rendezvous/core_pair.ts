/**
 * A helper, a sender and a receiver on loopback, in one process.
 *
 * @module
 */
import { receive } from "../../actors/receive.ts";
import { send } from "../../actors/send.ts";
import type {
  Receiver,
  SendOptions,
  SendResult,
} from "../../actors/options.ts";
import type { TransferEvent } from "../../core/events.ts";
import { secret } from "../../core/secret.ts";
import { makeCertificate } from "../../crypto/certificate.ts";
import {
  type HelperAddress,
  parseHelper,
} from "../../rendezvous/helper_dialer.ts";
import {
  type MeetInside,
  type MetReceiver,
  offerByCodeInside,
  takeByCodeInside,
} from "../../rendezvous/meet.ts";
import {
  type RunningHelper,
  serveHelper,
  type ServeHelperOptions,
} from "../../rendezvous/serve_helper.ts";
import { type TempDir, tempDir } from "../testutil/temp.ts";

/** Nothing leaves this machine. */
export const HERE: MeetInside = { addresses: () => ["127.0.0.1"] };

const made = await makeCertificate({ now: new Date() });

/** A certificate that tests share. */
export const CERTIFICATE = {
  cert: made.cert,
  key: secret(new TextEncoder().encode(made.key)),
};

/** SHA-256 of it. */
export const FINGERPRINT = made.fingerprint;

/** Starts a helper. */
export function helperHere(
  options: Partial<ServeHelperOptions> = {},
): RunningHelper {
  return serveHelper({
    bind: "127.0.0.1:0",
    certificate: CERTIFICATE,
    stun: false,
    ...options,
  });
}

/** Where a helper is, with its certificate known. */
export function at({ address, fingerprint }: RunningHelper): HelperAddress {
  return { ...parseHelper(address), fingerprint };
}

/** Two that have met. */
export interface Pair extends AsyncDisposable {
  readonly dir: TempDir;
  readonly to: MetReceiver;
  readonly receiver: Receiver;
  readonly sent: readonly TransferEvent[];
  readonly received: readonly TransferEvent[];
  /** Sends `path` of the folder. */
  send(path: string, options?: Partial<SendOptions>): Promise<SendResult>;
}

/** Brings two together by a code. */
export async function pairByCode(
  helper: RunningHelper,
  inside: MeetInside = HERE,
  by: { readonly port: number } = at(helper),
): Promise<Pair> {
  const where = { helper: { ...at(helper), port: by.port } };
  const dir = await tempDir();
  const code = Promise.withResolvers<string>();
  const [to, from] = await Promise.all([
    offerByCodeInside({ ...where, onCode: code.resolve }, inside),
    code.promise.then((code) =>
      takeByCodeInside(
        { ...where, code, identity: new Uint8Array(32).fill(9) },
        inside,
      )
    ),
  ]);
  const sent: TransferEvent[] = [];
  const received: TransferEvent[] = [];
  const receiver = await receive({
    certificate: from.certificate,
    token: from.token,
    listener: from.listener,
    once: true,
    uploadDir: dir.join("uploads"),
    resumeDir: dir.join("receiver"),
    onEvent: (event) => received.push(event),
  });
  return {
    dir,
    to,
    receiver,
    sent,
    received,
    send: (path, options) =>
      send({
        paths: [dir.join(path)],
        to,
        resumeDir: dir.join("sender"),
        ...options,
        onEvent(event) {
          sent.push(event);
          options?.onEvent?.(event);
        },
      }),
    async [Symbol.asyncDispose]() {
      await receiver.close();
      to.close();
      from.close();
      await dir[Symbol.asyncDispose]();
    },
  };
}
