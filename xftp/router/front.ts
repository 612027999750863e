/**
 * The router's door: TLS, with a look at what the client says first.
 *
 * The platform's HTTP/2 server tells neither which host a client named, nor when
 * it goes. So TLS ends here, in `node:tls`, and what is in it is passed on to
 * that server over the loopback, a connection for each connection. A request is
 * known by the port that our side of it has; one of any other port is of some
 * other program of this machine and is refused, whatever it says.
 *
 * @module
 */
import net from "node:net";
import tls from "node:tls";
import type { Clock } from "../../core/clock.ts";
import { SftpxError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { RandomBytes } from "../../crypto/random.ts";
import { SESSION_ID_BYTES } from "../block.ts";
import { type ClientHello, isNativeClient } from "./client_hello.ts";
import { awaitHello } from "./hello_wait.ts";
import { answerHttp, type HttpDeps } from "./http.ts";
import { ARRIVAL_MS, type Client, quiet, watchIdle } from "./front_clients.ts";
import { createSession } from "./session.ts";

/** A certificate with those above it, and its key, PEM. */
export interface TlsCredentials {
  readonly cert: string;
  readonly key: string;
}

/** How clients are let in. */
export interface FrontOptions {
  /** What to bind. */
  readonly hostname: string;
  /** What to bind; 0 for any. */
  readonly port: number;
  /** The router's own identity. */
  readonly own: TlsCredentials;
  /** What those who name a host get instead, as browsers want it. */
  readonly web?: TlsCredentials;
  /** Connections at once; more are closed. @default {1000} */
  readonly maxClients?: number;
  /** How long a client may say nothing; 0 for ever. @default {0} */
  readonly idleMs?: number;
  /** Whether to log what fails in handshakes. @default {false} */
  readonly logTlsErrors?: boolean;
  readonly http: Omit<HttpDeps, "clock">;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
}

/** The door, open. */
export interface Front {
  /** Where it is. */
  readonly port: number;
  /** The port of the server behind it: for those who want to see it refuse. */
  readonly innerPort: number;
  /** Connections that there are. */
  readonly clients: number;
  /** Lets nobody in any more, waits up to `ms` for answers, and closes all. */
  close(ms: number): Promise<void>;
}

/** See {@linkcode FrontOptions}. */
export const DEFAULT_FRONT_OPTIONS = Object.freeze({
  maxClients: 1000,
  idleMs: 0,
  logTlsErrors: false,
});

/** What the protocol is called; a browser calls it as it calls any. */
const PROTOCOLS = ["xftp/1", "h2", "http/1.1"];

/**
 * Opens the door.
 *
 * @throws {SftpxError} `config`, when the port cannot be had or a certificate
 * cannot be used.
 */
export async function openFront(options: FrontOptions): Promise<Front> {
  const { clock, log, random, web } = options;
  const { maxClients, idleMs, logTlsErrors } = {
    ...DEFAULT_FRONT_OPTIONS,
    ...options,
  };
  const deps: HttpDeps = { ...options.http, clock };
  const clients = new Map<number, Client>();
  const sockets = new Set<net.Socket>();
  const over = new AbortController();

  const inner = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request, { remoteAddr }) => {
      const client = clients.get((remoteAddr as Deno.NetAddr).port);
      if (client === undefined) return new Response(null, { status: 403 });
      client.requests++;
      client.hasAsked = true;
      try {
        return await answerHttp(deps, client, request);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        log.event("router.request-failed", { reason });
        return new Response(null, { status: 500 });
      } finally {
        client.requests--;
        client.seenMs = clock.now();
      }
    },
  );

  /** Passes on what comes out of TLS. */
  const pass = (socket: tls.TLSSocket, hello: ClientHello): void => {
    const sni = hello.host !== undefined;
    const session = createSession({
      id: random(SESSION_ID_BYTES),
      sni,
      legacy: !socket.alpnProtocol,
    });
    const line = net.connect(inner.addr.port, "127.0.0.1");
    line.setNoDelay(true);
    let port = 0;
    const close = (): void => {
      // Before the port is free, as another program may have it next.
      clients.delete(port);
      socket.destroy();
      line.destroy();
    };
    line.on("connect", () => {
      if (socket.destroyed || over.signal.aborted) return close();
      port = line.localPort ?? 0;
      const client: Client = {
        session,
        web: sni && web !== undefined,
        close,
        requests: 0,
        seenMs: clock.now(),
        hasAsked: false,
      };
      clients.set(port, client);
      socket.on("data", () => client.seenMs = clock.now());
      socket.pipe(line);
      line.pipe(socket);
    });
    for (const end of [socket, line]) {
      end.on("close", close);
      end.on("error", close);
    }
  };

  /** What is to be done when TLS is there, by who is at the other end. */
  const expected = new Map<string, (socket: tls.TLSSocket) => void>();
  const makeServer = (
    credentials: TlsCredentials,
    protocols?: string[],
  ): tls.Server => {
    const server = tls.createServer({
      cert: credentials.cert,
      key: credentials.key,
      ...(protocols === undefined ? {} : { ALPNProtocols: protocols }),
    });
    server.on("secureConnection", (socket: tls.TLSSocket) => {
      const secured = expected.get(peerOf(socket));
      if (secured === undefined) socket.destroy();
      else secured(socket);
    });
    server.on("tlsClientError", (error: Error, socket: net.Socket) => {
      if (logTlsErrors) {
        log.event("router.tls-failed", { reason: error.message });
      }
      socket.destroy();
    });
    return server;
  };
  let servers: { own: tls.Server; native: tls.Server; web: tls.Server };
  try {
    const own = makeServer(options.own, PROTOCOLS);
    servers = {
      own,
      native: makeServer(options.own),
      web: web === undefined ? own : makeServer(web, PROTOCOLS),
    };
  } catch (cause) {
    await inner.shutdown();
    throw new SftpxError(
      "config",
      "Cannot open router: its certificate or key cannot be used",
      cause,
    );
  }

  const arrive = async (socket: net.Socket): Promise<void> => {
    const hello = await awaitHello(socket, clock, ARRIVAL_MS);
    if (hello === undefined) return void socket.destroy();
    const server = isNativeClient(hello)
      ? servers.native
      : hello.host === undefined
      ? servers.own
      : servers.web;
    const secured = new AbortController();
    const peer = peerOf(socket);
    expected.set(peer, (secure) => {
      expected.delete(peer);
      secured.abort();
      pass(secure, hello);
    });
    socket.on("close", () => {
      expected.delete(peer);
      secured.abort();
    });
    server.emit("connection", socket);
    await clock.delay(ARRIVAL_MS, secured.signal).then(
      () => socket.destroy(),
      () => {}, // it is secure, or gone
    );
  };

  const door = net.createServer((socket) => {
    socket.on("error", () => socket.destroy());
    if (sockets.size >= maxClients) {
      log.event("router.full", { clients: sockets.size });
      return void socket.destroy();
    }
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.setNoDelay(true);
    arrive(socket).catch((error) => {
      log.event("router.arrival-failed", { reason: String(error) });
      socket.destroy();
    });
  });
  try {
    await listen(door, options);
  } catch (error) {
    await inner.shutdown();
    throw error;
  }
  const watching = watchIdle(clients, clock, idleMs, over.signal);
  return {
    port: (door.address() as net.AddressInfo).port,
    innerPort: inner.addr.port,
    get clients() {
      return sockets.size;
    },
    async close(ms) {
      const closed = new Promise<void>((resolve) =>
        door.close(() => resolve())
      );
      await quiet(clients, clock, ms);
      over.abort();
      for (const { close } of [...clients.values()]) close();
      for (const socket of sockets) socket.destroy();
      await closed;
      await inner.shutdown();
      await watching;
    },
  };
}

function peerOf(socket: net.Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}

function listen(server: net.Server, options: FrontOptions): Promise<void> {
  const { hostname, port } = options;
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const at = `${hostname} port ${port}`;
      reject(
        new SftpxError(
          "config",
          `Cannot listen on ${at}: it is not to be had`,
          cause,
        ),
      );
    });
    server.listen(port, hostname, () => resolve());
  });
}
