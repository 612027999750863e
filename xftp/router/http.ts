/**
 * The router as HTTP/2 has it: a request is a block and what follows it, and so
 * is an answer. Every request of the protocol is a POST, of whatever path, and
 * is answered with 200.
 *
 * @module
 */
import type { Clock } from "../../core/clock.ts";
import { HANDSHAKE_HEADER, WEB_HELLO_HEADER } from "../handshake.ts";
import { takeHead } from "./body.ts";
import type { RouterCore, RouterResponse } from "./core.ts";
import type { RouterSession } from "./session.ts";
import type { Site } from "./site.ts";

/** A connection, as its requests know it. */
export interface HttpConnection {
  readonly session: RouterSession;
  /** Whether it may be a browser's: it named a host, and got the web certificate. */
  readonly web: boolean;
}

/** What answers requests. */
export interface HttpDeps {
  readonly router: RouterCore;
  readonly site: Site;
  readonly clock: Clock;
}

/** How long the block of a request may take, ms. */
export const HEAD_MS = 30_000;

/** Answers a request. */
export async function answerHttp(
  deps: HttpDeps,
  connection: HttpConnection,
  request: Request,
): Promise<Response> {
  const { web } = connection;
  if (web && request.method === "OPTIONS") {
    return new Response(null, { status: 200, headers: PREFLIGHT });
  }
  if (web && (request.method === "GET" || request.method === "HEAD")) {
    return deps.site.answer(request);
  }
  if (request.method !== "POST") return new Response(null, { status: 405 });
  const taken = await within(deps.clock, HEAD_MS, takeHead(request.body));
  if (taken === undefined) return new Response(null, { status: 408 });
  const response = await deps.router(connection.session, {
    webHello: request.headers.has(WEB_HELLO_HEADER),
    handshake: request.headers.has(HANDSHAKE_HEADER),
    head: taken.head,
    body: taken.body,
  });
  return new Response(bodyOf(response), {
    status: 200,
    headers: web ? SHARED : {},
  });
}

/** Any page may use a router. */
const SHARED: HeadersInit = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers": "*",
};

const PREFLIGHT: HeadersInit = {
  "access-control-allow-origin": "*",
  "access-control-allow-methods": "POST, OPTIONS",
  "access-control-allow-headers": "*",
  "access-control-max-age": "86400",
};

function bodyOf(
  { block, body }: RouterResponse,
): BodyInit | null {
  if (body === undefined) return block.length === 0 ? null : block;
  const reader = body.getReader();
  let isFirst = true;
  return new ReadableStream({
    async pull(controller) {
      if (isFirst) {
        isFirst = false;
        controller.enqueue(block);
        return;
      }
      const { value, done } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}

/** What comes of `work`; `undefined` when it takes longer than `ms`. */
async function within<T>(
  clock: Clock,
  ms: number,
  work: Promise<T>,
): Promise<T | undefined> {
  const done = new AbortController();
  const late = clock.delay(ms, done.signal).then(() => undefined);
  late.catch(() => {}); // rejected when it is not late
  try {
    return await Promise.race([work, late]);
  } finally {
    done.abort();
  }
}
