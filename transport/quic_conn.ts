/**
 * A connection of the platform's QUIC in our terms.
 *
 * The platform says how a connection ended in `closed` alone, and says nothing
 * of the code that we closed it with; its streams and accepts fail with texts
 * of their own. Here `closed` is always handled, and the rest is
 * `connection-lost`.
 *
 * @module
 */
import { formatAddress } from "./address.ts";
import {
  closeCode,
  closeNumber,
  lossError,
  streamError,
} from "./quic_errors.ts";
import { quicReceiveStream, quicSendStream } from "./quic_streams.ts";
import type { CloseInfo, Conn } from "./transport.ts";

/** Wraps a connection whose handshake is done. */
export function quicConn(
  conn: Deno.QuicConn,
  endpoint: { readonly closed: boolean },
): Conn {
  let remote = "";
  const readRemote = (): string => {
    try {
      remote = formatAddress(conn.remoteAddr);
    } catch {
      // gone: the last address that was seen stands
    }
    return remote;
  };
  readRemote();
  let ours: CloseInfo | undefined;
  let ended: CloseInfo | undefined;
  const closed = conn.closed.then(
    ({ closeCode: number, reason }): CloseInfo => {
      // Our own close is told as 0 and no reason; anything else is the peer's.
      const plain = number === 0 && reason === "";
      ended = plain && ours !== undefined ? ours : {
        code: closeCode(number),
        reason,
        remote: !(plain && endpoint.closed),
      };
      return ended;
    },
    (error) => {
      throw lossError(remote, error);
    },
  );
  closed.catch(() => {}); // nobody must listen

  const uni = acceptor(
    () => conn.incomingUnidirectionalStreams,
    closed,
  );
  const bidi = acceptor(() => conn.incomingBidirectionalStreams, closed);

  return {
    carrier: "quic",
    get remote() {
      return ended === undefined ? readRemote() : remote;
    },
    closed,
    datagrams: {
      async send(bytes) {
        try {
          await conn.sendDatagram(bytes);
        } catch (error) {
          throw streamError("send datagram", error);
        }
      },
      async receive() {
        try {
          return await conn.readDatagram();
        } catch {
          return undefined; // why is for `closed` to say
        }
      },
    },
    async openBidi() {
      try {
        const { readable, writable } = await conn.createBidirectionalStream({
          sendOrder: CONTROL_ORDER,
          waitUntilAvailable: true,
        });
        return {
          send: quicSendStream(writable),
          receive: quicReceiveStream(readable),
        };
      } catch (error) {
        throw streamError("open stream", error);
      }
    },
    async openUni(priority = 0) {
      try {
        return quicSendStream(
          await conn.createUnidirectionalStream({
            sendOrder: priority,
            waitUntilAvailable: true,
          }),
        );
      } catch (error) {
        throw streamError("open stream", error);
      }
    },
    async acceptBidi() {
      const stream = await bidi();
      return stream && {
        send: quicSendStream(stream.writable),
        receive: quicReceiveStream(stream.readable),
      };
    },
    async acceptUni() {
      const stream = await uni();
      return stream && quicReceiveStream(stream);
    },
    close(code, reason = "") {
      if (ours !== undefined || ended !== undefined) return;
      ours = { code, reason, remote: false };
      // The platform cuts a reason that does not fit into a datagram.
      conn.close({ closeCode: closeNumber(code), reason });
    },
  };
}

/** Takes streams one by one; what a lost connection means is for `closed` to say. */
function acceptor<T>(
  streams: () => ReadableStream<T>,
  closed: Promise<CloseInfo>,
): () => Promise<T | undefined> {
  let reader: ReadableStreamDefaultReader<T> | undefined;
  return async () => {
    try {
      reader ??= streams().getReader();
      const { done, value } = await reader.read();
      if (!done) return value;
    } catch {
      // as below
    }
    await closed; // rejects when lost
    return undefined;
  };
}

/** Conversations go before all that only goes one way. */
const CONTROL_ORDER = 1000;
