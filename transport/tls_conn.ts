/**
 * A connection of `transport.ts` made of several TLS connections: one for
 * control, and one for each stream, so that the kernel does what it is good at.
 *
 * Both ends use this; they differ in where connections for streams come from.
 * When one of them breaks without a word of explanation, all are lost: a stream
 * cannot be lost alone, and whoever waits for its bytes would wait for ever.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import type { HostPort } from "./address.ts";
import { credit } from "./queues.ts";
import { closeCode, closeNumber } from "./quic_errors.ts";
import type { ControlSocket } from "./tls_control.ts";
import { closedError } from "./tls_errors.ts";
import { decodeHeader, type GroupFrame, HEADER_BYTES } from "./tls_frames.ts";
import { incomingStreams } from "./tls_incoming.ts";
import type { TlsOptions } from "./tls_options.ts";
import type { TlsSocket } from "./tls_socket.ts";
import { type TlsStream, tlsStream } from "./tls_stream.ts";
import type { CloseInfo, Conn } from "./transport.ts";

/** What a group needs. */
export interface GroupDeps {
  readonly control: ControlSocket;
  /** Who we are: it tells our streams from the peer's. */
  readonly side: "client" | "server";
  /** A connection for a stream that we open. */
  readonly take: () => Promise<TlsSocket>;
  /** The group is over: what is kept for it can be freed, these closed connections too. */
  readonly over: (peers: readonly HostPort[]) => void;
  readonly options: Required<TlsOptions>;
  readonly clock: Clock;
}

/** A group at work. */
export interface TlsGroup {
  readonly conn: Conn;
  /**
   * Takes a connection on which the peer will open a stream, or none.
   *
   * @returns True once a stream came.
   */
  join(socket: TlsSocket): Promise<boolean>;
}

/** How long a peer may take to say why a stream's connection ended, ms. */
const EXPLAIN_MS = 1000;
/** How long last words may take, ms. */
const LINGER_MS = 1000;

/** Makes a connection of a group whose control connection stands. */
export function tlsGroup(deps: GroupDeps): TlsGroup {
  const { control, side, clock, options } = deps;
  const { remote } = control;
  const closed = Promise.withResolvers<CloseInfo>();
  closed.promise.catch(() => {}); // nobody must listen
  const over = new AbortController();
  const { signal } = over;
  const sockets = new Set<TlsSocket>();
  const streams = new Set<TlsStream>();
  const begun = new Map<number, TlsStream>();
  const broken = new Map<number, AbortController>();
  const unfinished = new Map<number, () => void>(); // the peer's half of ours
  const limits = { uni: options.maxUniStreams, bidi: options.maxBidiStreams };
  const credits = { uni: credit(limits.uni), bidi: credit(limits.bidi) };
  let nextId = side === "client" ? 0 : 1;
  const incoming = incomingStreams(1 - nextId, limits);
  let heard = true;

  const finish = (settle: () => void): boolean => {
    if (signal.aborted) return false;
    over.abort();
    settle();
    for (const stream of streams) stream.fail();
    streams.clear();
    begun.clear();
    unfinished.clear();
    const { uni, bidi } = incoming;
    for (const one of [uni, bidi, credits.uni, credits.bidi]) one.close();
    return true;
  };
  const free = (): void => {
    const all = [control, ...sockets];
    for (const socket of all) socket.close();
    sockets.clear();
    deps.over(all.map(({ peer }) => peer));
  };
  const lose = (reason: string, cause?: unknown): void => {
    const error = new SftpxError(
      "connection-lost",
      `Cannot go on with "${remote}": ${reason}`,
      cause,
    );
    if (finish(() => closed.reject(error))) free();
  };

  const hear = async (): Promise<void> => {
    try {
      for (;;) {
        const frame = await control.hear();
        if (frame === undefined) break;
        heard = true;
        obey(frame);
      }
      lose("the connection is gone");
    } catch (error) {
      const isProtocol = error instanceof SftpxError &&
        error.code === "protocol";
      lose(isProtocol ? "it broke the rules" : "the connection is gone", error);
    }
  };
  const obey = (frame: GroupFrame): void => {
    switch (frame.type) {
      case "welcome":
      case "ping":
        return;
      case "stop":
        broken.get(frame.id)?.abort();
        begun.get(frame.id)?.stopped();
        return;
      case "done":
        unfinished.get(frame.id)?.();
        unfinished.delete(frame.id);
        return;
      case "close": {
        const { code, reason } = frame;
        const info = { code: closeCode(code), reason, remote: true };
        if (finish(() => closed.resolve(info))) free();
      }
    }
  };
  const live = async (): Promise<void> => {
    let heardAt = clock.now();
    for (;;) {
      await clock.delay(options.keepAliveMs, signal);
      if (heard) heardAt = clock.now();
      heard = false;
      if (clock.now() - heardAt >= options.idleTimeoutMs) {
        return lose("nothing came from the peer for too long");
      }
      if (!control.isBusy) control.say({ type: "ping" });
    }
  };

  const explain = async (id: number, error: unknown): Promise<void> => {
    if (signal.aborted || broken.has(id)) return;
    const explained = new AbortController();
    broken.set(id, explained);
    try {
      const either = AbortSignal.any([signal, explained.signal]);
      await clock.delay(EXPLAIN_MS, either);
      lose("one of its streams broke off", error);
    } catch {
      // explained, or over
    } finally {
      broken.delete(id);
    }
  };
  const stream = (
    socket: TlsSocket,
    options: { bidi: boolean; ours: boolean; id?: number },
    done: () => void,
  ): TlsStream => {
    const { bidi, ours } = options;
    let id = options.id ?? -1; // ours have none before their first byte
    // A stream of both directions is over when it is so at both ends.
    let halves = bidi && ours ? 2 : 1;
    const halfDone = (): void => {
      if (--halves === 0) done();
    };
    sockets.add(socket);
    const made = tlsStream(socket, options, {
      begin() {
        id = nextId;
        nextId += 2;
        begun.set(id, made);
        if (bidi) unfinished.set(id, halfDone);
        return id;
      },
      heard: () => heard = true,
      stop: () => control.say({ type: "stop", id }),
      broken: (error) => explain(id, error),
      done() {
        streams.delete(made);
        begun.delete(id);
        sockets.delete(socket);
        halfDone();
        if (bidi && !ours) control.say({ type: "done", id });
      },
    });
    streams.add(made);
    if (options.id !== undefined) begun.set(id, made);
    return made;
  };

  const open = async (kind: "uni" | "bidi"): Promise<TlsStream> => {
    await credits[kind].take();
    if (signal.aborted) throw closedError("open stream");
    let socket: TlsSocket;
    try {
      socket = await deps.take();
    } catch (error) {
      lose("it takes no further connection", error);
      throw closedError("open stream");
    }
    if (signal.aborted) {
      socket.close();
      throw closedError("open stream");
    }
    const options = { bidi: kind === "bidi", ours: true };
    return stream(socket, options, () => credits[kind].give());
  };
  const next = async <T>(
    from: { take(): Promise<T | undefined> },
  ): Promise<T | undefined> => {
    const stream = await from.take();
    if (stream === undefined) await closed.promise; // rejects when lost
    return stream;
  };

  hear(); // never rejects
  live().catch(() => {}); // over
  return {
    conn: {
      carrier: "tcp",
      remote,
      closed: closed.promise,
      openBidi: () => open("bidi"),
      openUni: async () => (await open("uni")).send,
      acceptBidi: () => next(incoming.bidi),
      acceptUni: () => next(incoming.uni),
      close(code, reason = "") {
        const info = { code, reason, remote: false };
        if (!finish(() => closed.resolve(info))) return;
        const last = {
          type: "close",
          code: closeNumber(code),
          reason,
        } as const;
        // Streams are freed after it: their end must not come before its reason.
        control.farewell(last, clock, LINGER_MS).then(free);
      },
    },
    async join(socket) {
      if (signal.aborted) {
        socket.close();
        return false;
      }
      sockets.add(socket);
      const header = new Uint8Array(HEADER_BYTES);
      try {
        if (await socket.read(header, HEADER_BYTES) === HEADER_BYTES) {
          if (signal.aborted) return false;
          const { bidi, id } = decodeHeader(header);
          const options = { bidi, id, ours: false };
          incoming.begin(
            { bidi, id },
            (done) => stream(socket, options, done),
          );
          return true;
        }
      } catch (error) {
        if (error instanceof SftpxError && error.code === "protocol") {
          lose("it broke the rules", error);
        }
      }
      sockets.delete(socket); // it was not used
      socket.close();
      return false;
    },
  };
}
