/**
 * A port for those who look: plain HTTP, GET only.
 *
 * @module
 */
import { SftpxError } from "../../core/errors.ts";

/** What is shown, and where. */
export interface MetricsPortOptions {
  readonly hostname: string;
  /** 0 for any. */
  readonly port: number;
  readonly answer: (request: Request) => Promise<Response>;
}

/** The port, open. */
export interface MetricsPort {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Opens a port for those who look.
 *
 * @throws {SftpxError} `config`, when it cannot be had.
 */
export function openMetricsPort(options: MetricsPortOptions): MetricsPort {
  const { hostname, port, answer } = options;
  try {
    const server = Deno.serve(
      { hostname, port, onListen: () => {} },
      async (request) => {
        const isLook = request.method === "GET" || request.method === "HEAD";
        return isLook
          ? await answer(request)
          : new Response(null, { status: 405 });
      },
    );
    return { port: server.addr.port, close: () => server.shutdown() };
  } catch (cause) {
    throw new SftpxError(
      "config",
      `Cannot listen on ${hostname} port ${port}: it is not to be had`,
      cause,
    );
  }
}
