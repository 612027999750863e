/**
 * Connections over TLS and TCP: a dialer and a listener.
 *
 * @module
 */
export {
  DEFAULT_TLS_DIALER_OPTIONS,
  tlsDialer,
  type TlsDialerOptions,
} from "./tls_dialer.ts";
export {
  DEFAULT_TLS_LISTENER_OPTIONS,
  tlsListener,
  type TlsListenerOptions,
} from "./tls_listener.ts";
export { DEFAULT_TLS_OPTIONS, type TlsOptions } from "./tls_options.ts";
export { shownCertificate } from "./tls_pin.ts";
