/**
 * One request at a helper, from its first message to its end.
 *
 * A peer that waits has one read pending: whatever it says while it has nothing
 * to say ends the request, and a peer that leaves is noticed at once.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { BidiStream, Conn } from "../transport/transport.ts";
import { type Channel, createChannel, within } from "./channel.ts";
import type { EndReason } from "./messages.ts";
import { createGuest, type Waiting } from "./server_guest.ts";
import { createInbox } from "./server_inbox.ts";
import { introduce, say } from "./server_introduce.ts";
import { runPair } from "./server_pair.ts";
import {
  type HelperGuest,
  type HelperWorld,
  hostOf,
  type Inbox,
} from "./server_world.ts";
import type { Role } from "./types.ts";

/** How long a peer may take to say what it wants, ms. */
const REQUEST_MS = 10_000;
/** How long a host may take to answer for a sender, ms. */
const HOST_MS = 10_000;

/**
 * Serves one stream of `conn`.
 *
 * @throws {SftpxError} `protocol` when the peer breaks the rules.
 */
export async function serveStream(
  conn: Conn,
  stream: BidiStream,
  world: HelperWorld,
  signal: AbortSignal,
): Promise<void> {
  const channel = createChannel(stream);
  const inbox = createInbox(channel);
  const hostname = hostOf(conn);
  try {
    const first = await within(
      inbox.take(),
      REQUEST_MS,
      "Cannot serve peer: it does not say what it wants",
      world.clock,
      signal,
    );
    if (first === undefined) return;
    if (!world.mayAsk(hostname)) return await refuse(channel, "limited", world);
    const guest = (role: Role, nonce: Uint8Array): Waiting =>
      createGuest(conn, inbox, role, nonce, first.type === "allocate", world);
    switch (first.type) {
      case "allocate":
        return await allocate(guest("sender", first.nonce), world, signal);
      case "claim":
        return await claim(
          guest(first.role, first.nonce),
          first.slot,
          world,
          signal,
        );
      case "join":
        return await join(
          guest("sender", first.nonce),
          first.id.toHex(),
          world,
          signal,
        );
      case "host":
        return await host(
          guest("receiver", new Uint8Array(0)),
          first.id.toHex(),
          world,
          signal,
        );
      default:
        throw outOfTurn(first.type);
    }
  } finally {
    await channel.close();
  }
}

async function allocate(
  waiting: Waiting,
  world: HelperWorld,
  signal: AbortSignal,
): Promise<void> {
  const { guest } = waiting;
  const slot = world.rooms.allocate(guest, world.clock.now());
  if (typeof slot !== "number") {
    return await refuse(guest.inbox.channel, slot, world);
  }
  guest.slot = slot;
  await wait(waiting, slot, world, signal);
}

async function claim(
  waiting: Waiting,
  slot: number,
  world: HelperWorld,
  signal: AbortSignal,
): Promise<void> {
  const { guest } = waiting;
  const { channel } = guest.inbox;
  if (!world.mayGuess(guest.hostname)) {
    return await refuse(channel, "limited", world);
  }
  guest.slot = slot;
  let seat = world.rooms.claim(slot, guest, world.clock.now());
  while (seat.state === "taken") {
    const { by } = seat;
    if (!await by.pulse.isGone()) return await refuse(channel, "taken", world);
    world.log.event("helper.gone", { slot, remote: by.conn.remote });
    world.rooms.leave(by);
    await by.lose();
    seat = world.rooms.claim(slot, guest, world.clock.now());
  }
  if (seat.state === "refused") {
    return await refuse(channel, seat.reason, world);
  }
  if (seat.state === "waiting") {
    return await wait(waiting, slot, world, signal);
  }
  const sides = guest.role === "sender"
    ? { sender: guest, receiver: seat.other }
    : { sender: seat.other, receiver: guest };
  const done = introduce(sides, guest, world);
  for (const each of [guest, seat.other]) each.met(done);
  await done;
}

async function join(
  waiting: Waiting,
  id: string,
  world: HelperWorld,
  signal: AbortSignal,
): Promise<void> {
  const { guest } = waiting;
  const seat = world.rooms.join(id, guest, world.clock.now());
  if (seat.state === "refused") {
    return await refuse(guest.inbox.channel, seat.reason, world);
  }
  if (seat.state === "waiting") return await wait(waiting, 0, world, signal);
  await say(guest, 0);
  await callHost(guest, seat.other, world);
}

async function host(
  waiting: Waiting,
  id: string,
  world: HelperWorld,
  signal: AbortSignal,
): Promise<void> {
  const { guest } = waiting;
  const seat = world.rooms.host(id, guest, world.clock.now());
  if (typeof seat === "string") {
    return await refuse(guest.inbox.channel, seat, world);
  }
  seat.replaced?.end("taken");
  for (const sender of seat.waiting) {
    sender.met(callHost(sender, guest, world));
  }
  await wait(waiting, 0, world, signal);
}

/** Waits with a guest until another comes, it leaves, or its time is over. */
async function wait(
  { guest, over }: Waiting,
  slot: number,
  world: HelperWorld,
  signal: AbortSignal,
): Promise<void> {
  const { inbox } = guest;
  const { channel } = inbox;
  const stop = (): void => guest.end("stopping");
  world.counts.rooms();
  signal.addEventListener("abort", stop, { once: true });
  try {
    if (signal.aborted) stop();
    await say(guest, slot);
    const said = inbox.peek().then((message) => ({ message }));
    const first = await Promise.race([over, said]);
    if ("done" in first) return await first.done;
    if ("reason" in first) {
      return await channel.write({ type: "end", reason: first.reason });
    }
    if (first.message !== undefined) throw outOfTurn(first.message.type);
  } finally {
    world.rooms.leave(guest);
    world.counts.rooms();
    signal.removeEventListener("abort", stop);
  }
}

/** Takes a sender to a host, over a stream of the host's connection. */
async function callHost(
  sender: HelperGuest,
  host: HelperGuest,
  world: HelperWorld,
): Promise<void> {
  const { clock, signal } = world;
  const { channel: toSender } = sender.inbox;
  let channel: Channel | undefined;
  try {
    const call = async (): Promise<Inbox> => {
      channel = createChannel(await host.conn.openBidi());
      const inbox = createInbox(channel);
      await channel.write({
        type: "joined",
        nonce: sender.nonce,
        observed: host.conn.remote, // it may have moved since it came
      });
      const answer = await inbox.take();
      if (answer?.type !== "accept") throw outOfTurn(answer?.type ?? "end");
      await toSender.write({ type: "paired", nonce: answer.nonce });
      return inbox;
    };
    const late = "Cannot call host: it does not answer";
    const inbox = await within(call(), HOST_MS, late, clock, signal)
      .catch(() => undefined);
    if (inbox === undefined) {
      return await toSender.write({ type: "end", reason: "gone" });
    }
    world.log.event("helper.paired", {
      slot: 0,
      sender: sender.conn.remote,
      receiver: host.conn.remote,
    });
    world.counts.paired();
    await runPair({ sender, receiver: { ...host, inbox } }, world);
  } finally {
    await channel?.close();
  }
}

async function refuse(
  channel: Channel,
  reason: EndReason,
  { counts }: HelperWorld,
): Promise<void> {
  counts.refused(reason);
  await channel.write({ type: "end", reason });
}

function outOfTurn(type: string): SftpxError {
  return new SftpxError("protocol", `Cannot serve peer: ${type} out of turn`);
}
