/**
 * Two who have come to one slot of a helper.
 *
 * @module
 */
import { runPair } from "./server_pair.ts";
import type { HelperGuest, HelperWorld } from "./server_world.ts";
import type { Role } from "./types.ts";

/** Tells a guest where it is, and how it is seen. */
export async function say(
  { inbox, conn, pulse }: HelperGuest,
  slot: number,
): Promise<void> {
  if (slot > 0) pulse.begin();
  await inbox.channel.write({
    type: "waiting",
    slot,
    observed: conn.remote,
  });
}

/**
 * Tells two of a slot of each other, whoever `came` first of where it is, and
 * passes on what they say.
 */
export async function introduce(
  sides: Readonly<Record<Role, HelperGuest>>,
  came: HelperGuest,
  world: HelperWorld,
): Promise<void> {
  const { sender, receiver } = sides;
  const slot = sender.slot ?? 0;
  try {
    const observed = (guest: HelperGuest) => guest.conn.remote;
    await say(came, slot);
    // Who came does not wait for one that left without a word.
    const waited = came === sender ? receiver : sender;
    waited.pulse.isGone().then((isGone) => {
      if (isGone) waited.lose();
    });
    const told = Promise.all([
      sender.inbox.channel.write({ type: "paired", nonce: receiver.nonce }),
      receiver.inbox.channel.write({ type: "paired", nonce: sender.nonce }),
    ]);
    await Promise.race([told, waited.lost]);
    world.log.event("helper.paired", {
      slot,
      sender: observed(sender),
      receiver: observed(receiver),
    });
    world.counts.paired();
    const { isBurnt, hasBegun } = await runPair(sides, world);
    if (isBurnt) {
      world.log.event("helper.burnt", { slot });
      world.counts.burnt();
      world.guessed(
        ...[sender, receiver].filter(({ isGiven }) => !isGiven)
          .map(({ hostname }) => hostname),
      );
    }
    if (isBurnt || hasBegun) world.rooms.bury(slot, isBurnt ? "burnt" : "used");
  } finally {
    world.rooms.release(slot);
  }
}
