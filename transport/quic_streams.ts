/**
 * Streams of the platform's QUIC in our terms: reads into the caller's buffer,
 * and errors of this project only.
 *
 * A writer that is dropped ends its stream cleanly at the reader, and there is
 * no reset: so the end of a stream proves nothing. A reader that is not read to
 * its end must be cancelled, or what the peer sent stays buffered.
 *
 * @module
 */
import { streamError } from "./quic_errors.ts";
import type { ReceiveStream, SendStream } from "./transport.ts";

/** Wraps a stream that we write. */
export function quicSendStream(stream: Deno.QuicSendStream): SendStream {
  const writer = stream.getWriter();
  return {
    async write(bytes) {
      if (bytes.length === 0) return;
      try {
        await writer.write(bytes);
      } catch (error) {
        throw streamError("write stream", error);
      }
    },
    async end() {
      try {
        await writer.close();
      } catch (error) {
        throw streamError("end stream", error);
      }
    },
  };
}

/** Wraps a stream that we read. */
export function quicReceiveStream(
  stream: Deno.QuicReceiveStream,
): ReceiveStream {
  const reader = stream.getReader({ mode: "byob" });
  const read = async (
    view: Uint8Array<ArrayBuffer>,
    min: number,
  ): Promise<Uint8Array<ArrayBuffer>> => {
    if (view.length === 0) return view; // the platform refuses empty views
    try {
      const { value } = await reader.read(view, { min });
      return value ?? new Uint8Array(0); // no value: cancelled by us
    } catch (error) {
      throw streamError("read stream", error);
    }
  };
  return {
    readFully: (view) => read(view, view.length),
    readSome: (view) => read(view, 1),
    async cancel() {
      try {
        await reader.cancel();
      } catch {
        // gone already: nobody reads on, as wished
      }
    },
  };
}
