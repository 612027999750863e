/**
 * Waits for what a client says first, and leaves it to be read again.
 *
 * @module
 */
import type net from "node:net";
import { Buffer } from "node:buffer";
import type { Clock } from "../../core/clock.ts";
import { SftpxError } from "../../core/errors.ts";
import { type ClientHello, readClientHello } from "./client_hello.ts";

/** The hello of a client; `undefined` when none came within `ms`. */
export async function awaitHello(
  socket: net.Socket,
  clock: Clock,
  ms: number,
): Promise<ClientHello | undefined> {
  const done = new AbortController();
  const found = Promise.withResolvers<ClientHello | undefined>();
  let bytes = Buffer.alloc(0);
  const look = (more: Buffer): void => {
    bytes = Buffer.concat([bytes, more]);
    try {
      const hello = readClientHello(bytes);
      if (hello === undefined) return;
      stop();
      socket.pause();
      socket.unshift(bytes);
      found.resolve(hello);
    } catch (error) {
      if (!(error instanceof SftpxError)) return found.reject(error);
      found.resolve(undefined);
    }
  };
  const gone = (): void => found.resolve(undefined);
  const stop = (): void => {
    socket.off("data", look);
    socket.off("end", gone);
    socket.off("close", gone);
  };
  socket.on("data", look);
  socket.on("end", gone);
  socket.on("close", gone);
  clock.delay(ms, done.signal).then(gone, () => {}); // rejected when it came
  try {
    return await found.promise;
  } finally {
    stop();
    done.abort();
  }
}
