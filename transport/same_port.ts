/**
 * UDP and TCP on one port number.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import {
  createEndpoint,
  type Endpoint,
  type EndpointOptions,
} from "./quic_endpoint.ts";
import type { Listener } from "./transport.ts";

/** What {@linkcode bindSamePort} got. */
export interface SamePort {
  readonly endpoint: Endpoint;
  /** None where another program has the port over TCP. */
  readonly tcp?: Listener;
  /** Why there is none. */
  readonly noTcp?: SftpxError;
}

/** Each costs an endpoint, which is never given back whole. */
const MAX_TRIES = 4;

/**
 * Binds an endpoint, and has `listenTcp` listen on the port number that it got.
 * Any port that is free over UDP may be somebody's over TCP: where any will do
 * (`port` is 0), others are tried. UDP alone is better than nothing.
 *
 * @throws {SftpxError} `config` if there is no endpoint to be had.
 */
export function bindSamePort(
  options: EndpointOptions,
  listenTcp: (port: number) => Listener,
): SamePort {
  const isAny = (options.port ?? 0) === 0;
  for (let tries = isAny ? MAX_TRIES : 1;; tries--) {
    const endpoint = createEndpoint(options);
    try {
      return { endpoint, tcp: listenTcp(endpoint.port) };
    } catch (error) {
      if (error instanceof SftpxError && tries <= 1) {
        return { endpoint, noTcp: error };
      }
      endpoint.close();
      if (!(error instanceof SftpxError)) throw error;
    }
  }
}
