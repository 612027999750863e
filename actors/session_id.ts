/**
 * The name of a session, by which both ends know it again after a kill.
 *
 * @module
 */
import { concatBytes } from "../core/bytes.ts";
import type { SourceRoot } from "../store/source.ts";

/** What a send is called, across runs: who sends, to whom, and from where; 32 bytes. */
export async function sessionId(
  sender: Uint8Array,
  receiver: Uint8Array,
  roots: readonly SourceRoot[],
): Promise<Uint8Array> {
  const text = new TextEncoder();
  const named = roots.map(({ name, local }) =>
    text.encode(`${name}\0${local}\0`)
  );
  const all = concatBytes(
    text.encode("sftpx/1 session\0"),
    sender,
    receiver,
    ...named,
  );
  return new Uint8Array(await crypto.subtle.digest("SHA-256", all));
}
