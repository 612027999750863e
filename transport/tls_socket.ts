/**
 * One TLS connection of the platform: whole writes, and errors of this project.
 *
 * @module
 */
import { formatAddress, type HostPort } from "./address.ts";
import { closedError, streamError } from "./tls_errors.ts";

/** A TLS connection whose handshake is done. */
export interface TlsSocket {
  /** The peer's address, `host:port`. */
  readonly remote: string;
  readonly peer: HostPort;
  /** Writes all of `bytes`, or as many as are wanted. One write at a time. */
  write(bytes: Uint8Array, isWanted?: () => boolean): Promise<void>;
  /**
   * Reads into `view` until it holds `least` bytes, or fewer at the end.
   *
   * @returns How many there are.
   */
  read(view: Uint8Array, least: number): Promise<number>;
  /** Ends what we write, so that the peer can tell it from a line that broke. */
  end(): Promise<void>;
  /** Frees it. Whatever waits rejects. Never throws. */
  close(): void;
}

/** Wraps a connection of the platform. `freed` is called once it is closed. */
export function tlsSocket(
  conn: Deno.TlsConn,
  freed: () => void = () => {},
): TlsSocket {
  const peer = conn.remoteAddr as Deno.NetAddr;
  let closed = false;
  const guard = async <T>(
    doing: string,
    task: () => Promise<T>,
  ): Promise<T> => {
    if (closed) throw closedError(doing);
    try {
      return await task();
    } catch (error) {
      throw streamError(doing, error);
    }
  };
  return {
    remote: formatAddress(peer),
    peer,
    write: (bytes, isWanted = () => true) =>
      guard("write stream", async () => {
        // The platform takes 64 KiB at most at a time.
        for (let at = 0; at < bytes.length && isWanted();) {
          at += await conn.write(at === 0 ? bytes : bytes.subarray(at));
        }
      }),
    read: (view, least) =>
      guard("read stream", async () => {
        // It gives one TLS record at a time, 16 KiB at most.
        let filled = 0;
        while (filled < least) {
          const count = await conn.read(
            filled === 0 ? view : view.subarray(filled),
          );
          if (count === null) break;
          filled += count;
        }
        return filled;
      }),
    end: () => guard("end stream", () => conn.closeWrite()),
    close() {
      if (closed) return;
      closed = true;
      try {
        conn.close();
      } catch {
        // gone already
      }
      freed();
    },
  };
}
