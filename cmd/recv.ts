/**
 * `sftpx recv`: takes in files until it is stopped.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { Receiver } from "../actors/options.ts";
import { parseAddress } from "../protocol/address.ts";
import type { RECV } from "./tables.ts";
import { wasToldToStop } from "./exit.ts";
import { hinted } from "./hint.ts";
import { DEFAULT_CERTS, type Identity, makeIdentity } from "./identity.ts";
import { isUnspecified, reachableHost, ticketOf } from "./reach.ts";
import { DEFAULT_PORT, ownToken } from "./server.ts";
import { defined } from "./defined.ts";
import type { Values } from "./settings.ts";
import type { Surroundings } from "./sftpx.ts";

/** Listens, says the ticket, and serves. */
export async function recv(
  flags: Values<typeof RECV>,
  { io, output, library, signal, log }: Surroundings,
): Promise<number> {
  const own = await ownToken(io, flags.tokenFile);
  if (flags.open && own !== undefined) {
    throw new SftpxError(
      "usage",
      "Cannot receive: --open takes anyone, and there is a token",
    );
  }
  const { identity, made } = await makeIdentity(flags.certs ?? DEFAULT_CERTS, {
    ips: [],
    dns: [],
    force: false,
    now: io.date(),
  });
  if (made.length > 0) {
    output.note(`made ${made.join(", ")}`);
  }
  const token = flags.open ? undefined : own ?? identity.token;
  const { receive } = await library();
  const { certs: _, tokenFile: __, open: ___, ...options } = flags;
  const receiver = await receive({
    ...defined(options),
    certificate: { cert: identity.cert, key: identity.key },
    token: token ?? "open",
    signal,
    ...(log && { log }),
    onEvent: output.event,
  });
  const ticket = ticketOf(
    where(receiver, io, identity),
    receiver.fingerprint,
    token,
  );
  if (token === undefined) {
    output.note("open: anyone who reaches this port can send files here");
  }
  output.note(`a sender needs: sftpx send PATH... TICKET, where TICKET is`);
  output.data(ticket, { type: "ticket", ticket });
  try {
    await receiver.finished;
  } catch (error) {
    if (!wasToldToStop(signal)) {
      throw stopHint(error, signal);
    }
  } finally {
    await receiver.close();
  }
  if (signal.aborted && !wasToldToStop(signal)) {
    throw stopHint(signal.reason, signal);
  }
  return 0;
}

function where(
  receiver: Receiver,
  io: Surroundings["io"],
  identity: Identity,
): { hostname: string; port: number } {
  const { hostname, port } = parseAddress(receiver.address, DEFAULT_PORT);
  return isUnspecified(hostname)
    ? { hostname: reachableHost(io, identity), port }
    : { hostname, port };
}

function stopHint(error: unknown, signal: AbortSignal): unknown {
  return signal.aborted && error instanceof Error
    ? hinted(error, "what was on its way goes on when recv is started again")
    : error;
}
