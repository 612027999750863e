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
  digestLittle: () => later("../crypto/digest_little.ts"),
  hashing: () => later("../actors/hashing.ts"),
  ignore: () => later("../store/ignore.ts"),
  laneThreads: () => later("../workers/lane_threads.ts"),
  spool: () => later("../actors/spool.ts"),
  ways: () => later("../actors/send_ways.ts"),
  tlsDialer: () => later("../transport/tls_dialer.ts"),
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
  sendFiles: () => later("../actors/send_files.ts"),
  tables: () => later("./tables.ts"),
  xftp: () => later("./xftp.ts"),
  xftpTables: () => later("./xftp_tables.ts"),
});

/** Loads what starts the program, and with it all that a plain `send` runs. */
export async function loadStart(
  command: string | undefined,
): Promise<typeof import("./start.ts")> {
  if (command === "send") await later("./send_ahead.ts");
  return await later("./start.ts");
}

// deno-lint-ignore no-explicit-any -- `Parts` says what each is, and a test that it is
function later(specifier: string): Promise<any> {
  return import(import.meta.resolve(specifier));
}
