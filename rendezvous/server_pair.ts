/**
 * Two peers that a helper has introduced: passes on what they say, a little and
 * for a short time, and never more than is being read.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { EndReason } from "./messages.ts";
import type { HelperGuest, HelperWorld } from "./server_world.ts";
import type { RelayGrant, Role } from "./types.ts";

/** What came of a pair. */
export interface PairOutcome {
  /** One of them met somebody who did not know the words. */
  readonly isBurnt: boolean;
  /** Both have said something: a guess may have been made. */
  readonly hasBegun: boolean;
}

/** Messages that one peer may say to the other. */
const MAX_MESSAGES = 64;
/** Bytes that one peer may say to the other. */
const MAX_BYTES = 32 * 1024;
/** How long a pair may talk, ms. */
const TALK_MS = 120_000;

/** Serves a pair until one of them has no more to say. Never rejects. */
export async function runPair(
  sides: Readonly<Record<Role, HelperGuest>>,
  world: HelperWorld,
): Promise<PairOutcome> {
  const { clock, signal, relay, counts } = world;
  const said: Record<Role, number> = { sender: 0, receiver: 0 };
  let grants: ReturnType<NonNullable<typeof relay>["open"]> | undefined;

  const grant = async (role: Role): Promise<void> => {
    const { sender, receiver } = sides;
    const sideOf = ({ conn, carrier }: HelperGuest) => ({
      remote: conn.remote,
      carrier,
    });
    grants ??= relay?.open(
      { sender: sideOf(sender), receiver: sideOf(receiver) },
      signal,
    );
    const mine = (await grants)?.[role] ?? NO_GRANT;
    await sides[role].inbox.channel.write({
      type: "grant",
      udpPort: mine.udpPort ?? 0,
      tcpPort: mine.tcpPort ?? 0,
      cookie: mine.cookie,
    });
  };

  /** Passes on what `role` says; why it ends. */
  const pass = async (role: Role): Promise<EndReason> => {
    const { inbox: from } = sides[role];
    const { inbox: to } = sides[role === "sender" ? "receiver" : "sender"];
    let bytes = 0;
    let hasAsked = false;
    for (;;) {
      const message = await from.take();
      if (message === undefined) return "gone";
      if (message.type === "burn") return "burnt";
      if (message.type === "relay" && !hasAsked) {
        hasAsked = true;
        await grant(role);
        continue;
      }
      if (message.type !== "data") {
        throw new SftpxError("protocol", "Cannot serve peer: out of turn");
      }
      bytes += message.bytes.length;
      if (++said[role] > MAX_MESSAGES || bytes > MAX_BYTES) return "excess";
      counts.passedOn(message.bytes.length);
      await to.channel.write(message);
    }
  };

  const over = new AbortController();
  const late = clock.delay(TALK_MS, AbortSignal.any([signal, over.signal]))
    .then((): EndReason => "expired", (): EndReason => "stopping");
  const ends = (["sender", "receiver"] as const).map((role) =>
    pass(role).catch((): EndReason => "gone")
  );
  const lost = [sides.sender, sides.receiver].map((side) =>
    side.lost.then((): EndReason => "gone")
  );
  const reason = await Promise.race([...ends, ...lost, late]);
  over.abort();
  await Promise.all(
    [sides.sender, sides.receiver].map(async ({ inbox, lost }) => {
      const { channel } = inbox;
      const told = channel.write({ type: "end", reason }).catch(() => {})
        .then(() => channel.close());
      await Promise.race([told, lost]); // who is gone takes nothing
    }),
  );
  return {
    isBurnt: reason === "burnt",
    hasBegun: said.sender > 0 && said.receiver > 0,
  };
}

const NO_GRANT: RelayGrant = {
  udpPort: undefined,
  tcpPort: undefined,
  cookie: new Uint8Array(16),
};
