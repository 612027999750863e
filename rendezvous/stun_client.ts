/**
 * Asks STUN servers where our datagrams seem to come from.
 *
 * Many questions can be under way on one socket. What comes from another
 * address than asked, with another transaction or malformed, is no answer.
 *
 * @module
 */
import { type Clock, systemClock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import { type RandomBytes, systemRandomBytes } from "../crypto/random.ts";
import { formatAddress, type HostPort } from "../transport/address.ts";
import {
  BINDING,
  decodeStun,
  encodeStun,
  looksLikeStun,
  STUN,
  stunAttribute,
  type StunMessage,
} from "./stun.ts";
import type { Datagram, DatagramSocket } from "./stun_socket.ts";
import {
  decodeStunAddress,
  decodeStunError,
  decodeXorAddress,
  isSameAddress,
  isSameHost,
} from "./stun_values.ts";

/** What a server said. */
export interface Binding {
  /** Where our request came from, as the server saw it. */
  readonly mapped: HostPort;
  /** Where the answer came from. */
  readonly from: HostPort;
  /** The server's other address and port, for tests of a NAT. */
  readonly other: HostPort | undefined;
}

/** How to ask. */
export interface AskStunOptions {
  /** Asks the server to answer from its other address or port. */
  readonly change?: { readonly address: boolean; readonly port: boolean };
  /** Before the question is asked again, in milliseconds; doubled each time. @default {500} */
  readonly rtoMs?: number;
  /** How often it is asked. @default {4} */
  readonly tries?: number;
  readonly signal?: AbortSignal;
}

/** See {@linkcode AskStunOptions}: gives up after 7.5 s. */
export const DEFAULT_ASK_STUN_OPTIONS = Object.freeze({ rtoMs: 500, tries: 4 });

/** A socket that asks. */
export interface StunClient {
  readonly address: HostPort;
  /**
   * Asks a server, by its literal address.
   *
   * @throws {SftpxError} "unreachable" when no answer came, "protocol" when the
   * server does not do what was asked.
   */
  ask(server: HostPort, options?: AskStunOptions): Promise<Binding>;
  /** Closes the socket; questions that wait end. Resolves when its port is free. */
  close(): Promise<void>;
}

/** What a client needs. */
export interface StunClientDeps {
  readonly socket: DatagramSocket;
  readonly clock?: Clock;
  readonly randomBytes?: RandomBytes;
}

/** Makes a client of a socket, which is its own from here on. */
export function stunClient(deps: StunClientDeps): StunClient {
  const { socket, clock = systemClock, randomBytes = systemRandomBytes } = deps;
  const waiting = new Map<string, Waiting>();

  const run = async (): Promise<void> => {
    for (;;) {
      const datagram = await socket.receive();
      if (datagram === undefined) break;
      hear(datagram);
    }
    for (const { reject } of waiting.values()) reject(closed());
    waiting.clear();
  };
  const hear = ({ bytes, from }: Datagram): void => {
    if (!looksLikeStun(bytes)) return;
    let message: StunMessage;
    try {
      message = decodeStun(bytes);
    } catch {
      return; // noise
    }
    const found = waiting.get(message.transaction.toHex());
    if (found === undefined || !found.isFrom(from)) return;
    try {
      const binding = bindingOf(message, from);
      if (binding !== undefined) found.resolve(binding);
    } catch (error) {
      found.reject(error);
    }
  };
  const running = run();

  return {
    address: socket.address,
    async ask(server, options = {}) {
      const { rtoMs, tries, change, signal } = {
        ...DEFAULT_ASK_STUN_OPTIONS,
        ...options,
      };
      const transaction = randomBytes(12);
      const id = transaction.toHex();
      const { promise, resolve, reject } = Promise.withResolvers<Binding>();
      promise.catch(() => {});
      waiting.set(id, {
        resolve,
        reject,
        isFrom: (from) => isWanted(from, server, change),
      });
      const over = new AbortController();
      const either = signal === undefined
        ? over.signal
        : AbortSignal.any([over.signal, signal]);
      const request = requestBytes(transaction, change);
      const ask = async (): Promise<never> => {
        for (let turn = 0; turn < tries; turn++) {
          await socket.send(request, server);
          await clock.delay(rtoMs * 2 ** turn, either);
        }
        throw new SftpxError(
          "unreachable",
          `Cannot ask STUN server "${formatAddress(server)}": no answer came`,
        );
      };
      try {
        return await Promise.race([promise, ask()]);
      } finally {
        over.abort();
        waiting.delete(id);
      }
    },
    async close() {
      socket.close();
      await running;
    },
  };
}

interface Waiting {
  readonly resolve: (binding: Binding) => void;
  readonly reject: (error: unknown) => void;
  readonly isFrom: (from: HostPort) => boolean;
}

/** An answer must come from where it was asked to come from. */
function isWanted(
  from: HostPort,
  server: HostPort,
  change: AskStunOptions["change"],
): boolean {
  if (change === undefined) return isSameAddress(from, server);
  const isHost = isSameHost(from.hostname, server.hostname);
  return isHost !== change.address &&
    (from.port === server.port) !== change.port;
}

function requestBytes(
  transaction: Uint8Array,
  change: AskStunOptions["change"],
): Uint8Array {
  const flags = (change?.address ? 4 : 0) | (change?.port ? 2 : 0);
  return encodeStun({
    method: BINDING,
    class: "request",
    transaction,
    attributes: change === undefined
      ? []
      : [{ type: STUN.changeRequest, value: Uint8Array.of(0, 0, 0, flags) }],
  });
}

/** What an answer says; `undefined` when it is none. */
function bindingOf(
  message: StunMessage,
  from: HostPort,
): Binding | undefined {
  if (message.method !== BINDING) return undefined;
  if (message.class === "error") {
    const code = decodeStunError(
      stunAttribute(message, STUN.errorCode) ?? new Uint8Array(0),
    );
    throw refused(from, `it answers with error ${code}`);
  }
  if (message.class !== "success") return undefined;
  const xored = stunAttribute(message, STUN.xorMappedAddress);
  const plain = stunAttribute(message, STUN.mappedAddress);
  const other = stunAttribute(message, STUN.otherAddress);
  if (xored === undefined && plain === undefined) {
    throw refused(from, "it does not say where we are");
  }
  return {
    mapped: xored !== undefined
      ? decodeXorAddress(xored, message.transaction)
      : decodeStunAddress(plain ?? new Uint8Array(0)),
    from,
    other: other === undefined ? undefined : decodeStunAddress(other),
  };
}

function refused(server: HostPort, reason: string): SftpxError {
  return new SftpxError(
    "protocol",
    `Cannot ask STUN server "${formatAddress(server)}": ${reason}`,
  );
}

function closed(): SftpxError {
  return new SftpxError(
    "unreachable",
    "Cannot ask STUN server: the socket is closed",
  );
}
