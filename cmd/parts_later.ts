/**
 * The parts of the program where it runs from its sources: what `parts.ts` has,
 * under names that Deno does not see before they are wanted. Of 400 modules a
 * plain transfer needs a third.
 *
 * @module
 */
import type { Parts } from "./parts.ts";

/** Every part, from its source. */
export const PARTS_LATER: Parts = Object.freeze({
  args: () => later("./args.ts"),
  codeWords: () => later("./code_words.ts"),
  doctor: () => later("./doctor.ts"),
  helper: () => later("./helper.ts"),
  helperDialer: () => later("../rendezvous/helper_dialer.ts"),
  init: () => later("./init.ts"),
  meet: () => later("./meet.ts"),
  offer: () => later("./offer.ts"),
  qft: () => later("./qft.ts"),
  receive: () => later("../actors/receive.ts"),
  recv: () => later("./recv.ts"),
  recvCode: () => later("./recv_code.ts"),
  rendezvous: () => later("../rendezvous/meet.ts"),
  router: () => later("./router.ts"),
  send: () => later("./send.ts"),
  sendCode: () => later("./send_code.ts"),
  sendFiles: () => later("../actors/send.ts"),
  tables: () => later("./tables.ts"),
  xftp: () => later("./xftp.ts"),
  xftpTables: () => later("./xftp_tables.ts"),
});

// deno-lint-ignore no-explicit-any -- `Parts` says what each is, and a test that it is
function later(specifier: string): Promise<any> {
  return import(import.meta.resolve(specifier));
}
