/**
 * The seed of the platform's TLS.
 *
 * The first handshake of a process gathers entropy for 25 to 30 ms, on whichever
 * thread wants it first: that of a dial, where everything waits for it. A key
 * that nobody uses is made on a thread of its own, so whoever asks for one as it
 * starts has the seed by the time it dials, or is dialled.
 *
 * @module
 */

/** Begins to gather the seed. Nobody has to wait: what needs it does. */
export async function seedTls(): Promise<void> {
  const kind = { name: "ECDSA", namedCurve: "P-256" };
  await crypto.subtle.generateKey(kind, false, ["sign"]).catch(() => {
    // It is a head start and nothing else: the handshake says what is wrong.
  });
}
