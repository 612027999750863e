/**
 * `sftpx init`: makes what a receiver is known by.
 *
 * @module
 */
import { formatFingerprint } from "../crypto/fingerprint.ts";
import type { INIT } from "./tables.ts";
import { DEFAULT_CERTS, makeIdentity } from "./identity.ts";
import { DEFAULT_PORT } from "./server.ts";
import type { Values } from "./settings.ts";
import type { Surroundings } from "./main.ts";
import { reachableHost, ticketOf } from "./reach.ts";

/** Makes certificate, key and token, and says the ticket. */
export async function init(
  flags: Values<typeof INIT>,
  { io, output }: Surroundings,
): Promise<number> {
  const certs = flags.certs ?? DEFAULT_CERTS;
  const { identity, made } = await makeIdentity(certs, {
    ips: flags.ip ?? [],
    dns: flags.dns ?? [],
    days: flags.days,
    force: flags.force ?? false,
    now: io.date(),
  });
  output.note(
    made.length === 0
      ? `nothing new: ${certs} holds certificate, key and token (--force replaces them)`
      : `made ${made.join(", ")}`,
  );
  const fingerprint = formatFingerprint(identity.fingerprint);
  const ticket = ticketOf(
    { hostname: reachableHost(io, identity), port: DEFAULT_PORT },
    identity.fingerprint,
    identity.token,
  );
  output.note(`fingerprint ${fingerprint}`);
  output.note("the ticket, which lets whoever has it send to this machine:");
  output.data(ticket, { type: "init", made, fingerprint, ticket });
  return 0;
}
