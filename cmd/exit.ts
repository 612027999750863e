/**
 * The end of the process: the one place that says errors and exits.
 *
 * @module
 */
import { ERRORS, SftpxError, sftpxErrorOf } from "../core/errors.ts";
import { hintOf } from "./hint.ts";
import type { Output } from "./output.ts";

/**
 * Says what went wrong, and gives the exit code for it.
 *
 * @param error What was thrown.
 * @param signal Whether it was thrown because someone stopped us.
 */
export function report(
  output: Output,
  error: unknown,
  signal: AbortSignal,
): number {
  const cause = signal.aborted ? signal.reason : error;
  const hint = hintOf(error) ?? hintOf(cause);
  const known = sftpxErrorOf(cause);
  if (known !== undefined) {
    const { code, message } = known;
    output.error({ code, message, hint, stack: undefined });
    return ERRORS[code].exit;
  }
  const { message, stack } = error instanceof Error
    ? error
    : new Error(String(error));
  output.error({
    code: "internal",
    message: `Cannot go on: internal error: ${message}`,
    hint: hint ?? "this is a bug; --verbose says where",
    stack,
  });
  return ERRORS.internal.exit;
}

/** True when `signal` was aborted by a service manager and not by a person. */
export function wasToldToStop(signal: AbortSignal): boolean {
  return signal.aborted && signal.reason instanceof SftpxError &&
    signal.reason.cause === "SIGTERM";
}

/**
 * Runs a command and exits with its code. Ctrl-C stops it in order, and a
 * second one exits at once. An error that nobody waits for stops it as well.
 */
export async function exitAfter(
  run: (signal: AbortSignal) => Promise<number>,
): Promise<never> {
  const stop = new AbortController();
  const interrupt = (name: Deno.Signal): void => {
    if (stop.signal.aborted) {
      Deno.exit(ERRORS.cancelled.exit);
    }
    const error = new SftpxError(
      "cancelled",
      "Cannot go on: interrupted",
      name,
    );
    stop.abort(error);
  };
  const signals: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM"];
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault(); // Deno would end us here and now
    const error: unknown = event.reason;
    const reason = error instanceof Error ? error.message : String(error);
    stop.abort(
      new SftpxError(
        "internal",
        `Cannot go on: internal error: ${reason}`,
        error,
      ),
    );
  });
  for (const name of signals) {
    Deno.addSignalListener(name, () => interrupt(name));
  }
  Deno.exit(await run(stop.signal));
}
