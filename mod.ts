/**
 * SFTPX moves files between two machines, however bad the network between them:
 * over QUIC, verified, and resumed from wherever it broke off.
 *
 * {@linkcode receive} listens and takes what comes; {@linkcode send} resolves
 * once the receiver has verified every byte, synced it and renamed it into place.
 *
 * @example A folder, from here to there
 * ```ts
 * import { makeCertificate, receive, secret, send } from "./mod.ts";
 *
 * const dir = await Deno.makeTempDir();
 * await Deno.mkdir(`${dir}/photos`);
 * await Deno.writeTextFile(`${dir}/photos/cat.txt`, "meow");
 *
 * const { cert, key } = await makeCertificate({ now: new Date() });
 * const token = secret(crypto.getRandomValues(new Uint8Array(32)));
 * const receiver = await receive({
 *   bind: "127.0.0.1:0",
 *   certificate: { cert, key: secret(new TextEncoder().encode(key)) },
 *   token,
 *   uploadDir: `${dir}/uploads`,
 *   resumeDir: `${dir}/state`,
 *   once: true,
 * });
 *
 * const result = await send({
 *   paths: [`${dir}/photos`],
 *   to: { address: receiver.address, fingerprint: receiver.fingerprint, token },
 *   resumeDir: `${dir}/sender`,
 * });
 * await receiver.finished;
 *
 * console.log(result.totals.bytes, "bytes, verified as", result.root);
 * console.log(await Deno.readTextFile(`${dir}/uploads/photos/cat.txt`));
 * await Deno.remove(dir, { recursive: true });
 * ```
 *
 * @example Two peers that know no address of each other, and a code
 * ```ts
 * import {
 *   makeCertificate,
 *   offerByCode,
 *   parseHelper,
 *   receive,
 *   secret,
 *   send,
 *   serveHelper,
 *   takeByCode,
 * } from "./mod.ts";
 *
 * const dir = await Deno.makeTempDir();
 * await Deno.writeTextFile(`${dir}/cat.txt`, "meow");
 *
 * // Somewhere that both can reach; it learns neither code nor files.
 * const { cert, key } = await makeCertificate({ now: new Date() });
 * const helper = serveHelper({
 *   bind: "127.0.0.1:0",
 *   certificate: { cert, key: secret(new TextEncoder().encode(key)) },
 *   stun: false,
 * });
 * const where = { helper: parseHelper(helper.address) };
 *
 * // One side says the code, the other types it.
 * const code = Promise.withResolvers<string>();
 * const offered = offerByCode({ ...where, onCode: code.resolve });
 * const taken = takeByCode({
 *   ...where,
 *   code: await code.promise,
 *   identity: new Uint8Array(32), // kept, to go on after a crash
 * });
 *
 * const [to, from] = await Promise.all([offered, taken]);
 * const receiver = await receive({
 *   ...from,
 *   uploadDir: `${dir}/uploads`,
 *   resumeDir: `${dir}/state`,
 *   once: true,
 * });
 * await send({ paths: [`${dir}/cat.txt`], to, resumeDir: `${dir}/sender` });
 * await receiver.finished;
 *
 * console.log(await Deno.readTextFile(`${dir}/uploads/cat.txt`));
 * to.close();
 * from.close();
 * await helper.close();
 * await Deno.remove(dir, { recursive: true });
 * ```
 *
 * @example What goes wrong
 * ```ts
 * import { parseTicket, SftpxError } from "./mod.ts";
 *
 * try {
 *   parseTicket("sftpx://192.0.2.7:4443/#AmIsTyPeD");
 * } catch (error) {
 *   if (!(error instanceof SftpxError)) throw error;
 *   console.log(error.code, error.message); // "usage", and why
 * }
 * ```
 *
 * @module
 */
export { DEFAULT_SEND_OPTIONS, send } from "./actors/send.ts";
export { DEFAULT_RECEIVE_OPTIONS, receive } from "./actors/receive.ts";
export type {
  ConflictPolicy,
  LinkPolicy,
  Peer,
  PeerDialers,
  ReceiveOptions,
  Receiver,
  SendOptions,
  SendResult,
  StreamSource,
} from "./actors/options.ts";
export {
  type ErrorCode,
  type ErrorInfo,
  ERRORS,
  SftpxError,
} from "./core/errors.ts";
export type {
  EntryOutcome,
  EventSink,
  Limiter,
  Path,
  Totals,
  TransferEvent,
} from "./core/events.ts";
export type { Field, Log } from "./core/log.ts";
export { type Secret, secret } from "./core/secret.ts";
export {
  type Certificate,
  type CertificateOptions,
  DEFAULT_CERTIFICATE_OPTIONS,
  type MadeCertificate,
  makeCertificate,
  readCertificate,
} from "./crypto/certificate.ts";
export type { RandomBytes } from "./crypto/random.ts";
export type { HostAndPort } from "./protocol/address.ts";
export { formatTicket, parseTicket, type Ticket } from "./protocol/ticket.ts";
export { type HelperAddress, parseHelper } from "./rendezvous/helper_dialer.ts";
export {
  hostByTicket,
  type HostByTicketOptions,
  type MeetOptions,
  type MetReceiver,
  type MetSender,
  offerByCode,
  type OfferByCodeOptions,
  reachByTicket,
  type ReachByTicketOptions,
  takeByCode,
  type TakeByCodeOptions,
} from "./rendezvous/meet.ts";
export type { HelperState, HostListener } from "./rendezvous/receiver.ts";
export {
  type RunningHelper,
  serveHelper,
  type ServeHelperOptions,
} from "./rendezvous/serve_helper.ts";
export type { PathPolicy } from "./rendezvous/types.ts";
export type { CarrierMode } from "./transport/carrier.ts";
export type {
  BidiStream,
  Carrier,
  CloseInfo,
  Conn,
  Datagrams,
  Dialer,
  Listener,
  ReceiveStream,
  SendStream,
} from "./transport/transport.ts";
