/**
 * SFTPX moves files between two machines, however bad the network between them:
 * over QUIC, verified, and resumed from wherever it broke off.
 *
 * {@linkcode receive} listens and takes what comes; {@linkcode send} resolves
 * once the receiver has verified every byte, synced it and renamed it into place.
 *
 * @module
 */
export { DEFAULT_SEND_OPTIONS, send } from "./actors/send.ts";
export { DEFAULT_RECEIVE_OPTIONS, receive } from "./actors/receive.ts";
export type {
  ConflictPolicy,
  LinkPolicy,
  Peer,
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
  Totals,
  TransferEvent,
} from "./core/events.ts";
export { type Secret, secret } from "./core/secret.ts";
