/**
 * Lets peers in over TLS and TCP, and puts the connections of a peer together.
 *
 * Who is there before a group is made for it is nobody: handshakes, hellos and
 * connections whose group is not there yet have one deadline, and there is a
 * limit to how many there are; at the limit the oldest gives way, as with QUIC.
 * Closing the listener leaves the groups what connections they have.
 *
 * @module
 */
import { type Clock, systemClock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import { type Log, nullLog } from "../core/log.ts";
import { formatAddress, withoutBrackets } from "./address.ts";
import { backlog } from "./backlog.ts";
import { createEvictions } from "./evictions.ts";
import { noDelay } from "./no_delay.ts";
import { bindError, closeNumber } from "./quic_errors.ts";
import { type Arrivals, arrivals } from "./queues.ts";
import { type TlsGroup, tlsGroup } from "./tls_conn.ts";
import { controlSocket } from "./tls_control.ts";
import { closedError, hasLeft } from "./tls_errors.ts";
import { decodeHello, type GroupHello, HELLO_BYTES } from "./tls_frames.ts";
import { type TlsOptions, tlsOptions } from "./tls_options.ts";
import { type TlsSocket, tlsSocket } from "./tls_socket.ts";
import type { Listener } from "./transport.ts";

/** How peers are let in. */
export interface TlsListenerOptions extends TlsOptions {
  /** What to bind. */
  readonly hostname: string;
  /** What to bind; 0 for any. */
  readonly port: number;
  /** Our certificate, PEM. */
  readonly cert: string;
  /** Its private key, PEM. */
  readonly key: string;
  /** The protocol that is spoken, such as `sftpx/1`. */
  readonly alpn: string;
  /** How many connections may be without a group; then the oldest gives way. @default {256} */
  readonly maxHandshakes?: number;
  /** How many peers may wait to be accepted; more are refused. @default {64} */
  readonly maxWaiting?: number;
  /** How many connections there may be in all; more are closed. @default {4096} */
  readonly maxSockets?: number;
  /** How long a connection may be without a group, in milliseconds. @default {10000} */
  readonly handshakeTimeoutMs?: number;
  readonly clock?: Clock;
  readonly log?: Log;
}

/** See {@linkcode TlsListenerOptions}. */
export const DEFAULT_TLS_LISTENER_OPTIONS = Object.freeze({
  maxHandshakes: 256,
  maxWaiting: 64,
  maxSockets: 4096,
  handshakeTimeoutMs: 10_000,
});

/** No trouble, and nothing that a log should be full of. */
const LEFT_EVENT = "debug.listener-left";
/** Connections of a group beside those of the streams it may have. */
const MAX_SPARE = 16;
/** After a failure to accept, such as having no descriptor left, ms. */
const ACCEPT_AGAIN_MS = 100;
/** How long those who are turned away may take to hear why, ms. */
const REFUSAL_MS = 1000;

interface Member {
  readonly group: TlsGroup;
  /** Connections on which we may open streams. */
  readonly lent: Arrivals<TlsSocket>;
  unused: number;
}

/** A connection whose group is not there yet: it may be under way. */
interface Orphan {
  readonly name: string;
  readonly resolve: (member: Member) => void;
}

/**
 * Listens.
 *
 * @throws {SftpxError} `config` if the address cannot be had, or certificate or
 * key are unusable.
 */
export function tlsListener(options: TlsListenerOptions): Listener {
  const { clock = systemClock, log = nullLog } = options;
  const { maxHandshakes, maxWaiting, maxSockets, handshakeTimeoutMs } = {
    ...DEFAULT_TLS_LISTENER_OPTIONS,
    ...options,
  };
  const settings = tlsOptions(options);
  // A stream that has no byte yet is one that we do not know of.
  const maxUnused = settings.maxUniStreams + settings.maxBidiStreams +
    MAX_SPARE;
  const listener = listen(options);
  const bound = listener.addr as Deno.NetAddr;
  noDelay(bound);
  const evictions = createEvictions(bound.port, clock);
  const waiting = backlog();
  const members = new Map<string, Member>();
  const arriving = new Set<() => void>(); // what ends each, the oldest first
  const orphans = new Set<Orphan>();
  let sockets = 0;
  let open = true;

  const found = async (name: string, socket: TlsSocket): Promise<void> => {
    const isFull = waiting.size >= maxWaiting;
    if (isFull || members.has(name) || !open) {
      log.event("listener.refused", { waiting: waiting.size });
      const reason = "it takes no more connections now";
      await controlSocket(socket).farewell(
        { type: "close", code: closeNumber("peer-busy"), reason },
        clock,
        REFUSAL_MS,
      );
      return;
    }
    const control = controlSocket(socket);
    const lent = arrivals<TlsSocket>();
    const over = Promise.withResolvers<void>();
    const group = tlsGroup({
      control,
      side: "server",
      async take() {
        const next = await lent.take();
        if (next === undefined) throw closedError("open stream");
        member.unused--;
        return next;
      },
      over(peers) {
        // What a peer does not take would keep its connection open.
        evictions.evict(...peers);
        members.delete(name);
        for (const socket of lent.close()) socket.close();
        over.resolve();
      },
      options: settings,
      clock,
    });
    const member: Member = { group, lent, unused: 0 };
    members.set(name, member);
    for (const orphan of orphans) {
      if (orphan.name === name) orphan.resolve(member);
    }
    control.say({ type: "welcome" });
    waiting.put(group.conn);
    await over.promise;
  };

  const joined = async (
    member: Member,
    { kind }: GroupHello,
    socket: TlsSocket,
  ): Promise<void> => {
    if (member.unused >= maxUnused) return socket.close();
    member.unused++;
    if (kind === "server-stream") {
      // Its group may have ended since it was looked up.
      if (!member.lent.put(socket)) socket.close();
      return;
    }
    await member.group.join(socket);
    member.unused--;
  };

  const serve = async (tls: Deno.TlsConn): Promise<void> => {
    const over = new AbortController();
    const giveUp = Promise.withResolvers<never>();
    const giveWay = (): void =>
      giveUp.reject(cannotFinish("others have taken its place"));
    arriving.add(giveWay);
    sockets++;
    const socket = tlsSocket(tls, () => sockets--);
    let orphan: Orphan | undefined;
    let isShaking = true;
    const arrive = async (): Promise<() => Promise<void> | void> => {
      await tls.handshake();
      isShaking = false;
      const bytes = new Uint8Array(HELLO_BYTES);
      const count = await socket.read(bytes, HELLO_BYTES);
      if (count === 0) throw closedError("read hello");
      const hello = decodeHello(bytes.subarray(0, count));
      const name = hello.group.toHex();
      if (hello.kind === "control") return () => found(name, socket);
      const { promise, resolve } = Promise.withResolvers<Member>();
      const known = members.get(name);
      orphan = { name, resolve };
      if (known === undefined) orphans.add(orphan);
      const member = known ?? await promise;
      return () => joined(member, hello, socket);
    };
    try {
      const late = clock.delay(handshakeTimeoutMs, over.signal).then(() => {
        throw cannotFinish("it takes too long");
      });
      const arrived = arrive();
      arrived.catch(() => {}); // the first to fail is heard
      const go = await Promise.race([arrived, late, giveUp.promise]);
      over.abort();
      arriving.delete(giveWay);
      if (orphan !== undefined) orphans.delete(orphan);
      await go();
    } catch (error) {
      log.event(hasLeft(error) ? LEFT_EVENT : "listener.handshake-failed", {
        error: error instanceof Error ? error.message : String(error),
      });
      if (isShaking) evictions.evict(tls.remoteAddr as Deno.NetAddr);
      socket.close();
    } finally {
      over.abort();
      arriving.delete(giveWay);
      if (orphan !== undefined) orphans.delete(orphan);
    }
  };

  const run = async (): Promise<void> => {
    while (open) {
      let tls: Deno.TlsConn;
      try {
        tls = await listener.accept();
      } catch (error) {
        if (!open) return;
        log.event("listener.accept-failed", { error: String(error) });
        await clock.delay(ACCEPT_AGAIN_MS);
        continue;
      }
      if (sockets >= maxSockets || !open) {
        tls.close();
        continue;
      }
      const [oldest] = arriving;
      if (arriving.size >= maxHandshakes) oldest?.();
      serve(tls); // never rejects
    }
  };
  run(); // never rejects

  return {
    address: formatAddress(bound),
    accept: () => waiting.take(),
    close() {
      if (!open) return;
      open = false;
      listener.close();
      for (const giveWay of arriving) giveWay();
      waiting.close();
      evictions.close();
    },
  };
}

function cannotFinish(reason: string): SftpxError {
  return new SftpxError("unreachable", `Cannot finish handshake: ${reason}`);
}

function listen(options: TlsListenerOptions): Deno.TlsListener {
  const { port, cert, key, alpn } = options;
  const hostname = withoutBrackets(options.hostname);
  const address = formatAddress({ hostname, port });
  try {
    return Deno.listenTls({ hostname, port, cert, key, alpnProtocols: [alpn] });
  } catch (error) {
    const isKey = error instanceof Error &&
      /key|certificate|pem/i.test(error.message);
    if (!isKey) throw bindError(address, error);
    throw new SftpxError(
      "config",
      `Cannot listen on "${address}": certificate or key are unusable`,
    );
  }
}
