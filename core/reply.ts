/**
 * Questions and answers between actors.
 *
 * @module
 */
import type { Clock } from "./clock.ts";
import type { Address } from "./mailbox.ts";

/** The way back for a message that asks for an answer; used at most once. */
export interface Reply<T> {
  /** Answers. */
  resolve(value: T): void;
  /** Says why there is no answer. */
  reject(error: unknown): void;
}

/** What bounds the wait for an answer. */
export interface AskOptions {
  /** Ends the wait. */
  readonly signal: AbortSignal;
  /** Measures the wait. */
  readonly clock: Clock;
  /** Longest wait, for room in the mailbox and for the answer together. */
  readonly timeoutMs: number;
}

/**
 * Sends a message carrying a reply and waits for the answer.
 *
 * The reply is rejected when the actor fails on the message. An actor that
 * keeps a reply for later and then dies says nothing: the time limit does.
 *
 * @throws {DOMException} named `TimeoutError` when no answer came in time.
 */
export async function ask<M, T>(
  to: Address<M>,
  make: (reply: Reply<T>) => M,
  options: AskOptions,
): Promise<T> {
  options.signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const over = new AbortController();
  // Not AbortSignal.any: a long-lived signal would collect its dependents.
  const abort = (): void => over.abort(options.signal.reason);
  options.signal.addEventListener("abort", abort, { once: true });
  const timer = options.clock.delay(options.timeoutMs, over.signal).then(
    (): never => {
      throw new DOMException(
        `Cannot get an answer from "${to.name}" in ${options.timeoutMs} ms`,
        "TimeoutError",
      );
    },
  );
  promise.catch(() => {}); // nobody may be left to hear it
  timer.catch(() => {});
  const sent = to.send(make({ resolve, reject }), over.signal);
  sent.catch(() => {});
  try {
    await Promise.race([sent, timer]);
    return await Promise.race([promise, timer]);
  } finally {
    options.signal.removeEventListener("abort", abort);
    over.abort();
  }
}

/** Rejects the reply that `message` carries, if it carries one. */
export function rejectReply(message: unknown, error: unknown): void {
  if (
    typeof message !== "object" || message === null || !("reply" in message)
  ) return;
  const { reply } = message;
  if (
    typeof reply === "object" && reply !== null && "reject" in reply &&
    typeof reply.reject === "function"
  ) {
    reply.reject(error);
  }
}
