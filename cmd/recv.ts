/**
 * `sftpx recv`: takes in files until it is stopped.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import type { Receiver } from "../actors/options.ts";
import { parseAddress, parseBind } from "../protocol/address.ts";
import { formatTicket } from "../protocol/ticket.ts";
import type { Listener } from "../transport/transport.ts";
import type { RECV } from "./tables.ts";
import { wasToldToStop } from "./exit.ts";
import { hinted } from "./hint.ts";
import { DEFAULT_CERTS, type Identity, makeIdentity } from "./identity.ts";
import { receiveJudge } from "./receive_judge.ts";
import { isUnspecified, reachableHost, ticketOf } from "./reach.ts";
import { DEFAULT_PORT, ownToken } from "./server.ts";
import { defined } from "./defined.ts";
import type { Values } from "./settings.ts";
import type { Surroundings } from "./main.ts";

/** Listens, says the ticket, and serves; or takes one transfer by a code. */
export async function recv(
  from: string | undefined,
  flags: Values<typeof RECV>,
  surroundings: Surroundings,
): Promise<number> {
  const code = from ?? flags.code;
  if (code !== undefined) {
    const { recvByCode } = await surroundings.parts.recvCode();
    return await recvByCode(code, flags, surroundings);
  }
  if (flags.stun !== undefined) {
    const { recvByOffer } = await surroundings.parts.offer();
    return await recvByOffer(flags.stun, flags, surroundings);
  }
  const { io, output, library, signal, log } = surroundings;
  const own = await ownToken(io, flags.tokenFile);
  if (flags.open && own !== undefined) {
    throw new SftpxError(
      "usage",
      "Cannot receive: --open takes anyone, and there is a token",
    );
  }
  if (flags.bind !== undefined) {
    parseBind(flags.bind, DEFAULT_PORT); // before anything is made
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
  const {
    certs: _,
    tokenFile: __,
    open: ___,
    code: ____,
    helper,
    local: _____,
    directOnly: ______,
    relayOnly: _______,
    lanOnly: ________,
    stun: _________,
    ...options
  } = flags;
  const alsoAt = helper === undefined
    ? undefined
    : await atHelper(flags, identity, token, surroundings);
  const judge = receiveJudge();
  const receiver = await receive({
    ...defined(options),
    ...alsoAt && { alsoAt },
    certificate: { cert: identity.cert, key: identity.key },
    token: token ?? "open",
    signal,
    ...(log && { log }),
    onEvent(event) {
      judge.hear(event);
      output.event(event);
    },
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
  if (helper !== undefined && token !== undefined) {
    await sayHelperTicket(helper, receiver.fingerprint, token, surroundings);
  }
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
  if (flags.once) judge.check();
  return 0;
}

/** Is at a helper, too, for those who cannot reach us by our address. */
async function atHelper(
  flags: Values<typeof RECV>,
  identity: Identity,
  token: Secret | undefined,
  surroundings: Surroundings,
): Promise<Listener> {
  if (token === undefined) {
    throw new SftpxError(
      "usage",
      "Cannot receive: --open takes anyone, and a helper introduces only those who have a ticket",
    );
  }
  const { output, parts } = surroundings;
  const { meetOptions } = await parts.meet();
  const { hostByTicket } = await parts.rendezvous();
  let wasThere: boolean | undefined;
  return await hostByTicket({
    ...meetOptions(flags, surroundings),
    certificate: { cert: identity.cert, key: identity.key },
    fingerprint: identity.fingerprint,
    token,
    onHelper(state) {
      if (state.isThere === wasThere) return;
      wasThere = state.isThere;
      if (state.isThere) return output.note("at the helper");
      const { error } = state;
      const message = error instanceof Error ? error.message : String(error);
      output.event({
        type: "warning",
        message: `not at the helper: ${message}`,
      });
    },
  });
}

async function sayHelperTicket(
  helper: string,
  fingerprint: Uint8Array,
  token: Secret,
  { output, parts }: Surroundings,
): Promise<void> {
  const { parseHelper } = await parts.helperDialer();
  const { hostname, port } = parseHelper(helper);
  const ticket = formatTicket({
    hostname,
    port,
    fingerprint,
    token: token.reveal(),
    viaHelper: true,
  });
  output.note("from anywhere else, through the helper:");
  output.data(ticket, { type: "ticket", ticket });
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
