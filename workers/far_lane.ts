/**
 * A sender's lane whose bytes are another thread's: it gives that what a lease
 * needs, and books what comes of it as a lane of this thread would.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { chunkCount } from "../protocol/entry.ts";
import type { OutEntry, Outgoing, Work } from "../protocol/outgoing.ts";
import { PLAIN_DISK, wasReplaced } from "../store/source.ts";
import type { FarSendStream } from "./far_conn.ts";
import type { FarReport, FarWork } from "./lane_calls.ts";
import type {
  LeaseReport,
  Readable,
  SendLane,
  SendLaneDeps,
  SendLedger,
} from "./lane_send.ts";

/** What such a lane needs. */
export interface FarLaneDeps extends Pick<SendLaneDeps, "watch" | "wrote"> {
  readonly stream: FarSendStream;
  readonly ledger: SendLedger & Pick<Outgoing<Readable>, "digests">;
}

/** Creates a lane of a stream whose preamble is written. */
export function farSendLane(deps: FarLaneDeps): SendLane {
  const { stream, ledger, watch, wrote } = deps;
  return {
    async send(items, signal, over) {
      const works = items.flatMap((work) => farWork(ledger, work) ?? []);
      signal.throwIfAborted();
      if (works.length === 0) return { changed: [], failed: [] };
      const lease = stream.lease(works);
      over?.addEventListener("abort", lease.leave, { once: true });
      try {
        const report = await lease.report;
        watch?.count("read", report.readMs);
        watch?.count("write", report.writeMs);
        const { sent, same, body } = report;
        if (body > 0) wrote({ sent, same, body });
        const booked = await book(ledger, works, report);
        const { failure } = report;
        if (failure !== undefined) {
          throw new SftpxError(failure.code, failure.message);
        }
        return booked;
      } finally {
        over?.removeEventListener("abort", lease.leave);
      }
    },
    close: () => stream.end(),
  };
}

/** All that it takes to send `work`; `undefined` when it is of no use any more. */
function farWork(
  ledger: FarLaneDeps["ledger"],
  work: Work,
): FarWork | undefined {
  const { index, gen, first, count } = work;
  const item = ledger.get(index);
  const entry = item?.entry;
  const found = item?.source.facts;
  if (item?.gen !== gen || entry?.kind !== "file") return undefined;
  if (found?.kind !== "file") {
    throw new TypeError("Cannot send from another thread: no such file");
  }
  const { disk, ...facts } = found;
  const isQuick = disk !== PLAIN_DISK;
  const digests = ledger.digests(work);
  return { index, gen, first, count, entry, facts, isQuick, ...digests };
}

/** Books what was read, and looks at files that were read whole. */
async function book(
  ledger: SendLedger,
  works: readonly FarWork[],
  report: FarReport,
): Promise<LeaseReport> {
  const changed = [...report.changed];
  const failed = [...report.failed];
  for (const [at, { index, gen, first }] of works.entries()) {
    const digests = report.digests[at] ?? new Uint8Array();
    let isGood = true;
    for (let n = 0; isGood && n * 32 < digests.length; n++) {
      const digest = digests.subarray(n * 32, n * 32 + 32);
      const use = ledger.chunkRead(index, gen, first + n, digest);
      if (use === "changed") changed.push({ index, gen });
      isGood = use === "data" || use === "same";
    }
    const item = ledger.get(index);
    if (!isGood || item === undefined || !ledger.isRead(index, gen)) continue;
    try {
      // That of one chunk was looked at before it was sent.
      const isChanged = chunkCount(item.entry) > 1 && await hasChanged(item);
      if (isChanged) changed.push({ index, gen });
      else ledger.wasRead(index, gen);
    } catch (error) {
      if (!(error instanceof SftpxError)) throw error;
      if (wasReplaced(error)) changed.push({ index, gen });
      else failed.push({ index, gen, reason: error.message });
    }
  }
  return { changed, failed };
}

async function hasChanged({ source }: OutEntry<Readable>): Promise<boolean> {
  const file = await source.open();
  try {
    return await file.changed() !== undefined;
  } finally {
    await file.close();
  }
}
