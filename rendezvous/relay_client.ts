/**
 * The peers' half of the relay.
 *
 * A port for UDP is dialed as any other address. For TCP the sender gets a port
 * on this machine: what connects there is taken to the helper, where it is
 * joined with one of the connections that the receiver keeps waiting, and comes
 * out at the receiver's own TLS listener. TLS is between the two, end to end.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { familyOf } from "../transport/address.ts";
import { splice, writeAll } from "./tcp_splice.ts";
import type {
  Candidate,
  RelayClient,
  RelayContext,
  RelayGrant,
} from "./types.ts";

/** Makes the peers' half of the relay. */
export function relayClient(): RelayClient {
  return {
    async *targets(grant, context, signal) {
      const { helper, role, tcpPort } = context;
      if (grant.udpPort !== undefined) {
        yield {
          kind: "relay",
          carrier: "quic",
          hostname: helper,
          port: grant.udpPort,
        };
      }
      if (grant.tcpPort === undefined) return;
      if (role === "sender") yield await forward(grant, context, signal);
      else if (tcpPort !== undefined) keepWaiting(grant, context, signal);
    },
  };
}

/** Connections that the receiver keeps waiting: a sender's first ones come together. */
const SPARES = 4;
/** A connection that has waited so long is replaced: a NAT may have forgotten it, ms. */
const FRESH_MS = 30_000;
/** Before another try when the helper cannot be reached, ms. */
const AGAIN_MS = 1000;
/** One that is refused so often in a row is refused for good: the pair has ended. */
const MAX_REFUSALS = 20;
/** Connections at once. */
const MAX_LINES = 64;

/** Opens a port on this machine that leads to the receiver. */
function forward(
  grant: RelayGrant,
  context: RelayContext,
  signal: AbortSignal,
): Promise<Candidate> {
  const hostname = familyOf(context.helper) === 6 ? "::1" : "127.0.0.1";
  const listener = Deno.listen({ hostname, port: 0 });
  signal.addEventListener("abort", () => closeQuietly(listener), {
    once: true,
  });
  if (signal.aborted) closeQuietly(listener);
  let lines = 0;
  const carry = async (near: Deno.TcpConn): Promise<void> => {
    lines++;
    let far: Deno.TcpConn | undefined;
    try {
      far = await dialHelper(grant, context, signal);
      await splice(near, far, { signal });
    } catch (error) {
      context.log.event("relay.line-failed", { error: String(error) });
      closeQuietly(near);
    } finally {
      lines--;
    }
  };
  const serve = async (): Promise<void> => {
    for await (const near of listener) {
      if (lines >= MAX_LINES) near.close();
      else carry(near); // never rejects
    }
  };
  serve().catch(() => {}); // closed
  return Promise.resolve({
    kind: "relay",
    carrier: "tcp",
    hostname,
    port: listener.addr.port,
  });
}

/** Keeps connections waiting at the helper, and takes those that speak to our listener. */
function keepWaiting(
  grant: RelayGrant,
  context: RelayContext,
  signal: AbortSignal,
): void {
  let lines = 0;
  const one = async (): Promise<void> => {
    let refusals = 0;
    while (!signal.aborted && refusals < MAX_REFUSALS) {
      let far: Deno.TcpConn;
      try {
        far = await dialHelper(grant, context, signal);
      } catch (error) {
        if (signal.aborted) return;
        context.log.event("relay.line-failed", { error: String(error) });
        refusals++;
        await context.clock.delay(AGAIN_MS, signal);
        continue;
      }
      const began = context.clock.now();
      const said = await firstWord(far, context.clock, signal);
      if (said === undefined || lines >= MAX_LINES) {
        closeQuietly(far);
        if (context.clock.now() - began < AGAIN_MS) {
          refusals++;
          await context.clock.delay(AGAIN_MS, signal); // it does not want us
        }
        continue;
      }
      refusals = 0;
      lines++;
      takeIn(far, said, context, signal).finally(() => lines--);
    }
  };
  for (let i = 0; i < SPARES; i++) one().catch(() => {}); // over
}

async function takeIn(
  far: Deno.TcpConn,
  first: Uint8Array,
  { tcpPort, log }: RelayContext,
  signal: AbortSignal,
): Promise<void> {
  try {
    const near = await Deno.connect({
      hostname: "127.0.0.1",
      port: tcpPort ?? 0,
      signal,
    });
    near.setNoDelay(true);
    await splice(far, near, { first, signal });
  } catch (error) {
    log.event("relay.line-failed", { error: String(error) });
    closeQuietly(far);
  }
}

/** What is said first; `undefined` when nothing is while the line is fresh. */
async function firstWord(
  line: Deno.TcpConn,
  clock: Clock,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  clock.delay(FRESH_MS, either).catch(() => {}).then(() => {
    if (!over.signal.aborted) closeQuietly(line);
  });
  const buffer = new Uint8Array(16 * 1024);
  try {
    const count = await line.read(buffer);
    return count === null ? undefined : buffer.subarray(0, count);
  } catch {
    return undefined; // it was closed
  } finally {
    over.abort();
  }
}

async function dialHelper(
  { tcpPort, cookie }: RelayGrant,
  { helper }: RelayContext,
  signal: AbortSignal,
): Promise<Deno.TcpConn> {
  const line = await Deno.connect({
    hostname: helper,
    port: tcpPort ?? 0,
    signal,
  });
  try {
    line.setNoDelay(true);
    await writeAll(line, cookie);
    return line;
  } catch (error) {
    closeQuietly(line);
    throw error;
  }
}

function closeQuietly(what: { close(): void }): void {
  try {
    what.close();
  } catch {
    // closed already
  }
}
