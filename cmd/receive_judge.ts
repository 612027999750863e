/**
 * Whether all of a transfer is here, for a receiver that takes one.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { TransferEvent } from "../core/events.ts";

/** Hears what becomes of a transfer, and judges it in the end. */
export interface ReceiveJudge {
  hear(event: TransferEvent): void;
  /** @throws {SftpxError} `local-io` when something of it was left out. */
  check(): void;
}

/** Creates a judge of the transfer that comes next. */
export function receiveJudge(): ReceiveJudge {
  let failed = 0;
  return {
    hear(event) {
      if (event.type === "done") ({ failed } = event.totals);
    },
    check() {
      if (failed === 0) return;
      const what = failed === 1 ? "1 entry was" : `${failed} entries were`;
      throw new SftpxError(
        "local-io",
        `Cannot receive everything: ${what} left out; the rest is here and verified`,
      );
    },
  };
}
