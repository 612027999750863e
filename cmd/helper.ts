/**
 * `sftpx helper`: introduces peers to each other until it is stopped.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { formatFingerprint } from "../crypto/fingerprint.ts";
import { formatAddress, parseAddress, parseBind } from "../protocol/address.ts";
import { serveHelper } from "../rendezvous/serve_helper.ts";
import { wasToldToStop } from "./exit.ts";
import { DEFAULT_CERTS, makeIdentity } from "./identity.ts";
import { isUnspecified, reachableHost } from "./reach.ts";
import type { Values } from "./settings.ts";
import type { Surroundings } from "./main.ts";
import type { HELPER } from "./tables.ts";

/** Serves, and says where. */
export async function helper(
  flags: Values<typeof HELPER>,
  { io, output, signal, log }: Surroundings,
  portOnly?: string,
): Promise<number> {
  const bind = bindOf(flags.bind, portOnly);
  const { identity, made } = await makeIdentity(flags.certs ?? DEFAULT_CERTS, {
    ips: [],
    dns: [],
    force: false,
    now: io.date(),
  });
  if (made.length > 0) output.note(`made ${made.join(", ")}`);
  const running = serveHelper({
    ...bind !== undefined && { bind },
    certificate: { cert: identity.cert, key: identity.key },
    ...flags.expire !== undefined && { waitMs: flags.expire },
    ...flags.maxPeers !== undefined && { maxPeers: flags.maxPeers },
    relay: flags.relay ?? false,
    signal,
    ...log && { log },
  });
  const { hostname, port } = parseAddress(running.address);
  const address = formatAddress({
    hostname: isUnspecified(hostname) ? reachableHost(io, identity) : hostname,
    port,
  });
  const fingerprint = formatFingerprint(running.fingerprint);
  const metrics = flags.metrics === undefined
    ? undefined
    : serveMetrics(flags.metrics, running.exposition);
  output.note(
    "peers need: --helper HOST:PORT/FINGERPRINT, or HOST:PORT alone:",
  );
  output.data(`${address}/${fingerprint}`, {
    type: "helper",
    address,
    fingerprint,
  });
  try {
    await running.finished;
  } finally {
    await metrics?.shutdown();
  }
  if (signal.aborted && !wasToldToStop(signal)) throw signal.reason;
  return 0;
}

/** Where to listen, by `--bind` or by the port alone, as qft has it. */
function bindOf(
  bind: string | undefined,
  port: string | undefined,
): string | undefined {
  if (port === undefined) return bind;
  if (bind !== undefined) {
    throw new SftpxError(
      "usage",
      "Cannot listen: --bind and PORT are two places",
    );
  }
  if (!/^\d{1,5}$/.test(port)) {
    throw new SftpxError("usage", "Cannot listen: PORT must be a number");
  }
  return `0.0.0.0:${port}`;
}

/** What is measured, for Prometheus. */
function serveMetrics(
  bind: string,
  exposition: () => string,
): Deno.HttpServer {
  const { hostname, port } = parseBind(bind);
  return Deno.serve({ hostname, port, onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    if (pathname !== "/metrics") {
      return new Response("not found\n", { status: 404 });
    }
    return new Response(exposition(), {
      headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
    });
  });
}
