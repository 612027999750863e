/**
 * Listens on the loopback for the operator, a line at a time.
 *
 * @module
 */
import type { Clock } from "../../core/clock.ts";
import { SftpxError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { ControlSession } from "./control.ts";

/** How the control port is opened. */
export interface ControlPortOptions {
  /** 0 for any. */
  readonly port: number;
  readonly session: () => ControlSession;
  readonly clock: Clock;
  readonly log: Log;
}

/** The control port, open. */
export interface ControlPort {
  readonly port: number;
  /** Closes it and all that is connected. */
  close(): Promise<void>;
}

const LONGEST_LINE = 4096;
const MAX_CONNECTIONS = 16;
/** Nobody is kept who says nothing for this long, ms. */
const SILENCE_MS = 600_000;

/**
 * Opens the control port.
 *
 * @throws {SftpxError} `config`, when the port cannot be had.
 */
export function openControlPort(options: ControlPortOptions): ControlPort {
  const { port, clock, log } = options;
  let listener: Deno.TcpListener;
  try {
    listener = Deno.listen({ hostname: "127.0.0.1", port });
  } catch (cause) {
    throw new SftpxError(
      "config",
      `Cannot open control port ${port}: it is not to be had`,
      cause,
    );
  }
  const open = new Set<Deno.TcpConn>();
  const closing = new AbortController();
  const talk = async (conn: Deno.TcpConn): Promise<void> => {
    const session = options.session();
    const encoder = new TextEncoder();
    const say = (text: string): Promise<void> =>
      writeAll(conn, encoder.encode(text));
    await say(session.banner);
    let rest = "";
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(LONGEST_LINE);
    for (;;) {
      const silent = new AbortController();
      clock.delay(SILENCE_MS, silent.signal).then(
        () => conn.close(),
        () => {}, // it spoke
      );
      const count = await conn.read(buffer).finally(() => silent.abort());
      if (count === null) return;
      const lines = (rest + decoder.decode(buffer.subarray(0, count), {
        stream: true,
      })).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > LONGEST_LINE) return await say("error: too long\n");
      for (const line of lines) {
        const answer = await session.answer(line.replace(/\r$/, ""));
        if (answer === undefined) return;
        if (answer !== "") await say(`${answer}\n`);
      }
    }
  };
  const accept = async (): Promise<void> => {
    for await (const conn of listener) {
      if (open.size >= MAX_CONNECTIONS) {
        conn.close();
        continue;
      }
      open.add(conn);
      talk(conn).catch((error) => {
        if (
          !closing.signal.aborted && !(error instanceof Deno.errors.BadResource)
        ) {
          log.event("router.control-failed", { reason: String(error) });
        }
      }).finally(() => {
        open.delete(conn);
        closeQuietly(conn);
      });
    }
  };
  const accepting = accept();
  return {
    port: listener.addr.port,
    async close() {
      closing.abort();
      listener.close();
      for (const conn of open) closeQuietly(conn);
      await accepting;
    },
  };
}

async function writeAll(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await conn.write(bytes.subarray(at));
  }
}

function closeQuietly(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error; // closed before
  }
}
