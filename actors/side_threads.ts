/**
 * Side ports on threads of their own: what comes in by one of them is read,
 * hashed and written there.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Secret } from "../core/secret.ts";
import { parseAddress } from "../protocol/address.ts";
import type { PortCarrier } from "../protocol/control.ts";
import type { QuicOptions } from "../transport/quic.ts";
import type { TlsOptions } from "../transport/tls.ts";
import type { FarListener, LaneThreads } from "../workers/lane_threads.ts";
import { passOn, portsNear, SIDE_LIMITS } from "./side_listen.ts";
import type { OpenSidePort } from "./side_ports.ts";
import { ALPN } from "./world.ts";

/** Where side ports are bound, and who we are. */
export interface SideThreadsOptions {
  readonly hostname: string;
  readonly firstPort: number;
  readonly certificate: { readonly cert: string; readonly key: Secret };
  readonly carrier: PortCarrier;
  readonly quic: QuicOptions;
  readonly tls: TlsOptions;
  readonly log: Log;
  /** Loads what threads take, when the first is wanted. */
  readonly threads: () => Promise<LaneThreads>;
}

/**
 * Listens on side ports on threads, as long as there are any.
 *
 * @param near Opens a port where there are not.
 */
export function sideThreads(
  options: SideThreadsOptions,
  near: OpenSidePort,
): OpenSidePort {
  const { carrier, hostname, firstPort, certificate, quic, tls, log } = options;
  let loading: Promise<LaneThreads> | undefined;
  return async (index, arrived) => {
    const threads = await (loading ??= options.threads());
    if (!threads.hasRoom) return await near(index, arrived);
    let listener: FarListener;
    try {
      listener = await threads.listen({
        carrier,
        hostname,
        ports: portsNear(firstPort, index),
        cert: certificate.cert,
        key: certificate.key.reveal().slice(), // it is moved there, and zeroed
        alpn: ALPN,
        limits: SIDE_LIMITS,
        quic,
        tls,
      });
    } catch (error) {
      if (!(error instanceof SftpxError)) throw error;
      log.event("thread.none", { code: error.code });
      return await near(index, arrived);
    }
    const conns = passOn(listener, arrived);
    return {
      port: parseAddress(listener.address, 0).port,
      ended: listener.ended,
      get load() {
        return conns.size;
      },
      close: listener.close,
    };
  };
}
