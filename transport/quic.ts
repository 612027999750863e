/**
 * Connections over the platform's QUIC: endpoints, a dialer and a listener.
 *
 * @module
 */
export {
  createEndpoint,
  type Endpoint,
  type EndpointOptions,
  type EndpointPool,
  endpointPool,
} from "./quic_endpoint.ts";
export {
  DEFAULT_QUIC_DIALER_OPTIONS,
  quicDialer,
  type QuicDialerOptions,
} from "./quic_dialer.ts";
export {
  DEFAULT_QUIC_LISTENER_OPTIONS,
  quicListener,
  type QuicListenerOptions,
} from "./quic_listener.ts";
export {
  type Congestion,
  DEFAULT_QUIC_OPTIONS,
  type QuicOptions,
} from "./quic_options.ts";
