/**
 * A line between clients and one server, over TCP on loopback, that can fall
 * silent or break.
 *
 * @module
 */

/** A line that can be told how to be. */
export interface TcpProxy {
  readonly hostname: string;
  /** Where clients dial. */
  readonly port: number;
  /** Bytes that came through to the server. */
  readonly passedBytes: number;
  /** Connections that stand. */
  readonly size: number;
  /** Connections that came so far. */
  readonly count: number;
  /** Lets nothing through until told otherwise; nobody is told. */
  freeze(frozen: boolean): void;
  /** Breaks all connections, or the one that came as number `index`. */
  cut(index?: number): void;
  close(): Promise<void>;
}

/**
 * Starts a line to `target`; `passed` is told of what came through so far.
 *
 * @param rate What all connections together carry to the server, bytes a second.
 */
export function tcpProxy(
  target: { readonly hostname: string; readonly port: number },
  passed: (bytes: number) => void = () => {},
  rate = Infinity,
): TcpProxy {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { hostname, port } = listener.addr as Deno.NetAddr;
  const lines = new Map<number, readonly Deno.TcpConn[]>();
  let thaw = Promise.withResolvers<void>();
  thaw.resolve();
  let count = 0;
  let passedBytes = 0;
  let turn = Promise.resolve();

  /** Ends once the line has carried so much, and what came before it. */
  const carry = (bytes: number): Promise<void> => {
    if (rate === Infinity) return turn;
    const ms = bytes / rate * 1000;
    turn = turn.then(() => new Promise((done) => setTimeout(done, ms)));
    return turn;
  };
  const cut = (index: number): void => {
    const line = lines.get(index);
    lines.delete(index);
    for (const conn of line ?? []) conn.close();
  };
  const pump = async (
    index: number,
    from: Deno.TcpConn,
    to: Deno.TcpConn,
    isUp: boolean,
  ): Promise<void> => {
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (;;) {
        const read = await from.read(buffer);
        await thaw.promise;
        if (read === null) break;
        if (isUp) await carry(read);
        if (isUp) passed(passedBytes += read);
        await thaw.promise; // what was told may have had it frozen
        for (let at = 0; at < read;) {
          at += await to.write(buffer.subarray(at, read));
        }
      }
      await to.closeWrite();
    } catch {
      cut(index);
    }
  };
  const relay = async (near: Deno.TcpConn): Promise<void> => {
    const index = count++;
    try {
      const far = await Deno.connect(target);
      lines.set(index, [near, far]);
      await Promise.all([
        pump(index, near, far, true),
        pump(index, far, near, false),
      ]);
      cut(index);
    } catch {
      near.close();
    }
  };
  const run = (async () => {
    const all: Promise<void>[] = [];
    try {
      for await (const near of listener) all.push(relay(near));
    } catch {
      // closed
    }
    await Promise.all(all);
  })();

  return {
    hostname,
    port,
    get passedBytes() {
      return passedBytes;
    },
    get count() {
      return count;
    },
    get size() {
      return lines.size;
    },
    freeze(frozen) {
      if (frozen) thaw = Promise.withResolvers();
      else thaw.resolve();
    },
    cut(index) {
      for (const one of index === undefined ? [...lines.keys()] : [index]) {
        cut(one);
      }
    },
    async close() {
      thaw.resolve();
      listener.close();
      for (const index of [...lines.keys()]) cut(index);
      await run;
    },
  };
}
