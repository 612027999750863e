import type { Clock } from "./clock.ts";
import type { Address } from "./mailbox.ts";

/** The way back for a message that asks for an answer; used at most once. */
export interface Reply<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** What bounds the wait for an answer. */
export interface AskOptions {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/** Sends a message carrying a reply and waits for the answer. */
export async function ask<M, T>(
  to: Address<M>,
  make: (reply: Reply<T>) => M,
  options: AskOptions,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  promise.catch(() => {});
  const give = new AbortController();
  const signal = AbortSignal.any([options.signal, give.signal]);
  const timer = options.clock.delay(options.timeoutMs, signal).then(() => {
    throw new DOMException(
      `Cannot get an answer from "${to.name}" in ${options.timeoutMs} ms`,
      "TimeoutError",
    );
  });
  timer.catch(() => {});
  try {
    await Promise.race([to.send(make({ resolve, reject }), signal), timer]);
    return await Promise.race([promise, timer]);
  } finally {
    give.abort();
  }
}

/** Rejects the reply that `message` carries, if it carries one. */
export function rejectReply(message: unknown, error: unknown): void {
  if (
    typeof message === "object" && message !== null && "reply" in message
  ) {
    (message.reply as Reply<unknown>).reject(error);
  }
}
