/**
 * The streams that a peer has begun, in the order in which it did: each comes
 * over a connection of its own, and one may be faster than one that began before.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { type Arrivals, arrivals } from "./queues.ts";
import type { StreamHeader } from "./tls_frames.ts";
import type { TlsStream } from "./tls_stream.ts";
import type { BidiStream, ReceiveStream } from "./transport.ts";

/** How many streams of each kind a peer may have open. */
export interface StreamLimits {
  readonly uni: number;
  readonly bidi: number;
}

/** What a peer has begun. */
export interface IncomingStreams {
  readonly uni: Arrivals<ReceiveStream>;
  readonly bidi: Arrivals<BidiStream>;
  /**
   * Takes a stream whose header came.
   *
   * @param make Makes it; what it is given is to be called when it is over.
   * @throws {SftpxError} `protocol` if it is not the peer's to open.
   */
  begin(header: StreamHeader, make: (done: () => void) => TlsStream): void;
}

/** Takes streams of which the first is called `first`, the next `first + 2`. */
export function incomingStreams(
  first: number,
  limits: StreamLimits,
): IncomingStreams {
  const uni = arrivals<ReceiveStream>();
  const bidi = arrivals<BidiStream>();
  const open = { uni: 0, bidi: 0 };
  const early = new Map<number, () => void>();
  let next = first;
  return {
    uni,
    bidi,
    begin(header, make) {
      const { id } = header;
      const kind = header.bidi ? "bidi" : "uni";
      const ahead = (id - next) / 2;
      const mayBe = Number.isInteger(ahead) && ahead >= 0 &&
        ahead < limits.uni + limits.bidi && !early.has(id);
      if (!mayBe || open[kind] >= limits[kind]) {
        throw new SftpxError(
          "protocol",
          `Cannot accept stream ${id}: it is not the peer's to open`,
        );
      }
      open[kind]++;
      const stream = make(() => open[kind]--);
      early.set(id, () => {
        if (header.bidi) bidi.put(stream);
        else uni.put(stream.receive);
      });
      for (;; next += 2) {
        const give = early.get(next);
        if (give === undefined) return;
        early.delete(next);
        give();
      }
    },
  };
}
