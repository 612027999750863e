/**
 * The parts of the program, each loaded when it is wanted. Their names are
 * literals, so that a bundler and a compiler see them.
 *
 * Deno reads and parses whatever a literal names before anything runs, wanted
 * or not. So where the program runs from its sources it has `parts_later.ts` in
 * the place of this.
 *
 * @module
 */
import { SEND_PARTS } from "../actors/send_parts.ts";

/** Every part. */
export const PARTS = Object.freeze({
  ...SEND_PARTS,
  args: () => import("./args.ts"),
  codeWords: () => import("./code_words.ts"),
  doctor: () => import("./doctor.ts"),
  helper: () => import("./helper.ts"),
  helperDialer: () => import("../rendezvous/helper_dialer.ts"),
  init: () => import("./init.ts"),
  meet: () => import("./meet.ts"),
  offer: () => import("./offer.ts"),
  qft: () => import("./qft.ts"),
  receive: () => import("../actors/receive.ts"),
  recv: () => import("./recv.ts"),
  recvCode: () => import("./recv_code.ts"),
  rendezvous: () => import("../rendezvous/meet.ts"),
  router: () => import("./router.ts"),
  send: () => import("./send.ts"),
  sendCode: () => import("./send_code.ts"),
  sendFiles: () => import("../actors/send_files.ts"),
  tables: () => import("./tables.ts"),
  xftp: () => import("./xftp.ts"),
  xftpTables: () => import("./xftp_tables.ts"),
});

/** How to come by each part. */
export type Parts = typeof PARTS;
