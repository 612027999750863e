/**
 * A helper in memory, peers of it, and channels that somebody in between sees.
 *
 * @module
 */
import { type Clock, systemClock } from "../../core/clock.ts";
import { createMetrics, type Metrics } from "../../core/metrics.ts";
import { systemRandomBytes } from "../../crypto/random.ts";
import {
  agree,
  type Agreement,
  type AgreeOptions,
} from "../../rendezvous/agree.ts";
import type { Channel } from "../../rendezvous/channel.ts";
import {
  createHelperClient,
  type HelperClient,
} from "../../rendezvous/client.ts";
import { encodeMessage, type Message } from "../../rendezvous/messages.ts";
import { type HelperOptions, runHelper } from "../../rendezvous/server.ts";
import type { Role } from "../../rendezvous/types.ts";
import { type MemoryNetwork, memoryNetwork } from "../../transport/memory.ts";
import type { Conn } from "../../transport/transport.ts";

/** A helper, and how to come to it. */
export interface Lab {
  readonly net: MemoryNetwork;
  readonly metrics: Metrics;
  /** A client whose connection comes from `hostname`. */
  client(hostname?: string): HelperClient;
  /** A connection of somebody who is no client. */
  stranger(hostname?: string): Promise<Conn>;
  stop(): Promise<void>;
}

/** Starts a helper in memory. */
export function startLab(
  options: Partial<HelperOptions> = {},
  clock: Clock = systemClock,
): Lab {
  const net = memoryNetwork({ maxWaiting: 10_000 });
  const metrics = createMetrics();
  const stop = new AbortController();
  const moves: Promise<void>[] = [];
  const inner = net.listen("helper:4277");
  const running = runHelper({
    listener: {
      ...inner,
      async accept() {
        const conn = await inner.accept();
        if (conn !== undefined) await moves.shift(); // to where it comes from
        return conn;
      },
    },
    metrics,
    clock,
    ...options,
  }, stop.signal);
  let ports = 1024;
  const from = (hostname: string) => ({
    async dial(signal: AbortSignal) {
      const moved = Promise.withResolvers<void>();
      moves.push(moved.promise);
      const conn = await net.dialer("helper:4277").dial(signal);
      net.move(conn, `${hostname}:${ports++}`);
      moved.resolve();
      return conn;
    },
  });
  const never = new AbortController().signal;
  return {
    net,
    metrics,
    client: (hostname = "192.0.2.1") =>
      createHelperClient(from(hostname), clock),
    stranger: (hostname = "192.0.2.66") => from(hostname).dial(never),
    async stop() {
      stop.abort();
      await running;
    },
  };
}

/** What somebody between two channels can do. */
export interface Between {
  /** Everything that was said, as bytes. */
  readonly seen: { readonly from: Role; readonly bytes: Uint8Array }[];
  /** Changes what `from` says; `undefined` drops it. */
  change: (message: Message, from: Role) => Message | undefined;
}

/** Two channels that lead to each other, by way of somebody. */
export function channelPair(): {
  readonly channels: Readonly<Record<Role, Channel>>;
  readonly between: Between;
} {
  const between: Between = { seen: [], change: (message) => message };
  const queues: Record<Role, ReturnType<typeof queue>> = {
    sender: queue(),
    receiver: queue(),
  };
  const other = (role: Role): Role => role === "sender" ? "receiver" : "sender";
  const channel = (role: Role): Channel => ({
    read: () => queues[role].take(),
    // deno-lint-ignore require-await -- as a channel
    async write(message) {
      between.seen.push({ from: role, bytes: encodeMessage(message) });
      if (message.type === "burn") {
        // As a helper does: both are told.
        for (const to of Object.values(queues)) {
          to.put({ type: "end", reason: "burnt" });
        }
        return;
      }
      const changed = between.change(message, role);
      if (changed !== undefined) queues[other(role)].put(changed);
    },
    // deno-lint-ignore require-await -- as a channel
    async close() {
      queues[other(role)].put(undefined);
    },
  });
  return {
    channels: { sender: channel("sender"), receiver: channel("receiver") },
    between,
  };
}

/** What either side says of an exchange. */
export type Said = Agreement | Error | undefined;

/** Runs an exchange, and gives what came of it on both sides. */
export async function exchange(
  pair: ReturnType<typeof channelPair>,
  given: Partial<Readonly<Record<Role, Partial<AgreeOptions>>>> = {},
): Promise<Readonly<Record<Role, Said>>> {
  const nonces = {
    sender: systemRandomBytes(16),
    receiver: systemRandomBytes(16),
  };
  const run = async (role: Role): Promise<Said> => {
    try {
      return await agree(pair.channels[role], {
        role,
        code: { slot: 7, phrase: "tiger-lemon" },
        nonces,
        fingerprint: new Uint8Array(32).fill(role === "sender" ? 1 : 2),
        identity: new Uint8Array(32).fill(role === "sender" ? 3 : 4),
        random: systemRandomBytes,
        clock: systemClock,
        ...given[role],
      }, new AbortController().signal);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    } finally {
      await pair.channels[role].close();
    }
  };
  const [sender, receiver] = await Promise.all([
    run("sender"),
    run("receiver"),
  ]);
  return { sender, receiver };
}

function queue() {
  const items: (Message | undefined)[] = [];
  const takers: ((item: Message | undefined) => void)[] = [];
  return {
    put(item: Message | undefined): void {
      const taker = takers.shift();
      if (taker === undefined) items.push(item);
      else taker(item);
    },
    take(): Promise<Message | undefined> {
      if (items.length > 0) return Promise.resolve(items.shift());
      const { promise, resolve } = Promise.withResolvers<Message | undefined>();
      takers.push(resolve);
      return promise;
    },
  };
}
