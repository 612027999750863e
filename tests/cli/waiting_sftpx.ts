/**
 * The program with a library that waits until it is stopped: with
 * `SFTPX_TEST_STUBBORN=1`, longer than that.
 *
 * @module
 */
import { exitAfter } from "../../cmd/exit.ts";
import { processIo } from "../../cmd/io.ts";
import { main } from "../../cmd/main.ts";
import { PARTS } from "../../cmd/parts.ts";
import type { SendOptions } from "../../actors/options.ts";
import { fakeLibrary } from "./harness.ts";

const stubborn = Deno.env.get("SFTPX_TEST_STUBBORN") === "1";

/** Keeps the process alive, as open connections would. */
const alive = setInterval(() => {}, 60_000);

function send({ signal, onEvent }: SendOptions): Promise<never> {
  onEvent?.({ type: "connecting", address: "127.0.0.1:1", attempt: 1 });
  if (Deno.env.get("SFTPX_TEST_BUG") === "1") {
    Promise.reject(new TypeError("nobody waits for this"));
  }
  const { promise, reject } = Promise.withResolvers<never>();
  signal?.addEventListener("abort", () => {
    onEvent?.({ type: "warning", message: "stopping" });
    if (!stubborn) {
      clearInterval(alive);
      reject(signal.reason);
    }
  });
  return promise;
}

await exitAfter((signal) => {
  const library = { ...fakeLibrary({ forever: true }), send };
  return main(
    Deno.args,
    processIo(),
    () => Promise.resolve(library),
    signal,
    PARTS,
  );
});
