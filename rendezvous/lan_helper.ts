/**
 * The local network in place of a helper: the same requests, answered by
 * multicast (`lan.ts`). The sender of a code announces, and the host of a
 * meeting; the other seeks.
 *
 * Codes that are made here have numbers of their own, so that whoever is told
 * one knows where to look: no helper gives those away.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import {
  type MadeCertificate,
  makeCertificate,
} from "../crypto/certificate.ts";
import type { RandomBytes } from "../crypto/random.ts";
import type { Conn } from "../transport/transport.ts";
import { type Channel, createChannel, within } from "./channel.ts";
import { endError, type HelperClient, type Waiting } from "./client.ts";
import { type LanMeeting, lanMeetings, TOPIC_BYTES } from "./lan.ts";
import { LOCAL_SLOTS } from "./code.ts";
import type { LanRadio } from "./lan_radio.ts";
import type { Message } from "./messages.ts";
import type { Role } from "./types.ts";

/** What it needs. */
export interface LanHelperOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: RandomBytes;
  /** @default {lanRadio()} */
  readonly radio?: () => Promise<LanRadio>;
}

/** How long a peer that was met may take over its first word, ms. */
const WORD_MS = 10_000;
/** How long last words may take, ms. */
const FAREWELL_MS = 2000;

/** A number for a code of the local network. */
export function makeLocalSlot(random: RandomBytes): number {
  const view = new DataView(random(4).buffer);
  const { first, last } = LOCAL_SLOTS;
  return first + view.getUint32(0) % (last - first + 1);
}

/** Makes a client of no helper but the network. */
export function lanHelper(options: LanHelperOptions): HelperClient {
  const { clock, log, random } = options;
  const over = new AbortController();
  let made: Promise<MadeCertificate> | undefined;
  /** A new one, that nobody has seen: what is announced says nothing of us. */
  const certificate = (): Promise<MadeCertificate> =>
    made ??= makeCertificate({
      now: new Date(clock.wallMs()),
      days: 2,
      random,
    });

  const look = async function* (
    does: "announce" | "seek",
    topic: Uint8Array,
    signal: AbortSignal,
  ): AsyncGenerator<LanMeeting> {
    const radio = await options.radio?.();
    yield* lanMeetings({
      does,
      topic,
      ...(does === "announce" && { certificate: await certificate() }),
      ...(radio && { radio }),
      clock,
      log,
    }, AbortSignal.any([signal, over.signal]));
  };
  /** The first one who comes for `topic` and says what `greet` wants to hear. */
  const first = async (
    does: "announce" | "seek",
    topic: Uint8Array,
    greet: (channel: Channel) => Promise<Uint8Array>,
    signal: AbortSignal,
  ): Promise<{ channel: Channel; nonce: Uint8Array }> => {
    const won = Promise.withResolvers<
      { channel: Channel; nonce: Uint8Array }
    >();
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const hear = async ({ conn, stream }: LanMeeting): Promise<boolean> => {
      const channel = channelOf(conn, createChannel(stream), clock);
      try {
        const nonce = await within(
          greet(channel),
          WORD_MS,
          "Cannot meet the other side: it says nothing",
          clock,
          either,
        );
        won.resolve({ channel, nonce });
        return true;
      } catch (error) {
        conn.close();
        if (!either.aborted) {
          log.event("lan.greeting-failed", { error: String(error) });
        }
        return false;
      }
    };
    const search = async (): Promise<never> => {
      for await (const meeting of look(does, topic, either)) {
        // A machine of several addresses is found by each. Who seeks chooses one
        // and greets over no other; who announces waits on all of them.
        const heard = hear(meeting);
        if (does === "seek" && await heard) return await new Promise(() => {});
      }
      signal.throwIfAborted();
      throw endError("gone");
    };
    try {
      return await Promise.race([won.promise, search()]);
    } finally {
      over.abort();
    }
  };
  const waiting = (
    slot: number,
    meet: () => Promise<{ channel: Channel; nonce: Uint8Array }>,
  ): Waiting => {
    const met = meet();
    met.catch(() => {}); // whoever asks hears of it
    return {
      channel: lateChannel(met.then(({ channel }) => channel)),
      slot,
      observed: "",
      met: async () => (await met).nonce,
    };
  };
  const claim = (
    role: Role,
    slot: number,
    nonce: Uint8Array,
    signal: AbortSignal,
  ): Waiting =>
    waiting(slot, () =>
      first(
        role === "sender" ? "announce" : "seek",
        slotTopic(slot),
        async (channel) => {
          await channel.write({ type: "paired", nonce });
          return nonceOf(await channel.read(), "paired");
        },
        signal,
      ));

  return {
    allocate: (nonce, signal) =>
      Promise.resolve(claim("sender", makeLocalSlot(random), nonce, signal)),
    claim: (role, slot, nonce, signal) =>
      Promise.resolve(claim(role, slot, nonce, signal)),
    join: (id, nonce, signal) =>
      Promise.resolve(waiting(0, () =>
        first("seek", id, async (channel) => {
          await channel.write({ type: "joined", nonce, observed: "" });
          return nonceOf(await channel.read(), "accept");
        }, signal))),
    async host(id, welcome, waiting, signal) {
      waiting("");
      for await (const { conn, stream } of look("announce", id, signal)) {
        const channel = channelOf(conn, createChannel(stream), clock);
        within(channel.read(), WORD_MS, "", clock, signal)
          .then((message) => nonceOf(message, "joined"))
          .then(
            (nonce) => welcome({ channel, nonce, observed: "" }),
            () => conn.close(),
          );
      }
      signal.throwIfAborted();
      throw endError("gone");
    },
    remote: undefined,
    close() {
      over.abort();
      return Promise.resolve();
    },
  };
}

/** The topic of a number: what no meeting has, but by a chance of 2 to the 96th. */
function slotTopic(slot: number): Uint8Array {
  const topic = new Uint8Array(TOPIC_BYTES);
  new DataView(topic.buffer).setUint32(TOPIC_BYTES - 4, slot);
  return topic;
}

function nonceOf(
  message: Message | undefined,
  type: "paired" | "joined" | "accept",
): Uint8Array {
  if (message?.type === type) return message.nonce;
  throw new SftpxError(
    "protocol",
    `Cannot meet the other side: it says ${message?.type ?? "nothing"}`,
  );
}

/** A channel of one's own connection. What is meant for a helper has none to go to. */
function channelOf(conn: Conn, channel: Channel, clock: Clock): Channel {
  return {
    async read() {
      try {
        const message = await channel.read();
        return message?.type === "burn"
          ? { type: "end", reason: "burnt" }
          : message;
      } catch (error) {
        if (error instanceof SftpxError && error.code === "connection-lost") {
          return undefined; // it left
        }
        throw error;
      }
    },
    async write(message) {
      if (message.type !== "relay") await channel.write(message);
    },
    async close() {
      await channel.close();
      // Our last words must arrive: not at once.
      clock.delay(FAREWELL_MS).then(() => conn.close());
    },
  };
}

/** A channel that there will be: what is asked of it waits for it. */
function lateChannel(coming: Promise<Channel>): Channel {
  coming.catch(() => {}); // whoever uses it hears of it
  return {
    read: async () => await (await coming).read(),
    write: async (message) => await (await coming).write(message),
    close: async () => {
      await coming.then((channel) => channel.close(), () => {});
    },
  };
}
