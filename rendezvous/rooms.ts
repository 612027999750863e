/**
 * Who waits for whom at a helper: slots of codes, and meetings that only those
 * know of who have met before or hold a ticket. Pure: time is given.
 *
 * Memory is bounded: by the number of guests, in all and of one address, and by
 * the number of slots that are remembered as used.
 *
 * @module
 */
import type { RandomBytes } from "../crypto/random.ts";
import { isLocalSlot, MAX_SLOT } from "./code.ts";
import type { EndReason } from "./messages.ts";
import type { Role } from "./types.ts";

/** Somebody who came. */
export interface Guest {
  readonly role: Role;
  /** Its address without the port. */
  readonly hostname: string;
}

/** What rooms allow. */
export interface RoomsOptions {
  /** Guests that wait, in all. @default {10000} */
  readonly maxGuests?: number;
  /** Guests of one address that wait. @default {64} */
  readonly maxPerAddress?: number;
  /** Slots that are remembered as used or burnt. @default {10000} */
  readonly maxGraves?: number;
  /** How long a guest may wait for another, ms. @default {3600000} */
  readonly waitMs?: number;
}

/** See {@linkcode RoomsOptions}. */
export const DEFAULT_ROOMS_OPTIONS: Readonly<Required<RoomsOptions>> = Object
  .freeze({
    maxGuests: 10_000,
    maxPerAddress: 64,
    maxGraves: 10_000,
    waitMs: 3_600_000,
  });

/** What becomes of somebody who came. */
export type Seat<G> =
  | { readonly state: "waiting" }
  /** `other` waited, and does so no more. */
  | { readonly state: "paired"; readonly other: G }
  | { readonly state: "refused"; readonly reason: EndReason };

/** What becomes of somebody who came to a slot. */
export type Claimed<G> =
  | Seat<G>
  /** `by` waits there, or is paired there, in the same role. */
  | { readonly state: "taken"; readonly by: G };

/** The rooms of a helper. */
export interface Rooms<G extends Guest> {
  /** Guests that wait. */
  readonly size: number;
  /** Gives a free slot to `guest`, who waits there. */
  allocate(guest: G, now: number): number | EndReason;
  /** Takes `guest` to a slot. When it is paired the slot is held until `release` or `bury`. */
  claim(slot: number, guest: G, now: number): Claimed<G>;
  /** Takes a sender to a meeting: to its host, who stays, or to wait for one. */
  join(id: string, guest: G, now: number): Seat<G>;
  /** Makes `guest` the host of a meeting. */
  host(
    id: string,
    guest: G,
    now: number,
  ): EndReason | {
    /** Who was the host before. */
    readonly replaced: G | undefined;
    /** Who waited for one. */
    readonly waiting: readonly G[];
  };
  /** `guest` waits no more. */
  leave(guest: G): void;
  /** Nothing came of a pair: others may come to its slot. */
  release(slot: number): void;
  /** A slot has served, or was burnt: whoever comes is told. */
  bury(slot: number, reason: "used" | "burnt"): void;
  /** Takes out who has waited too long. */
  expire(now: number): readonly G[];
}

/** Makes rooms that are empty. */
export function createRooms<G extends Guest>(
  random: RandomBytes,
  options: RoomsOptions = {},
): Rooms<G> {
  const { maxGuests, maxPerAddress, maxGraves, waitMs } = {
    ...DEFAULT_ROOMS_OPTIONS,
    ...options,
  };
  const seats = new Map<G, Place>(); // the longest waiting first
  const slots = new Map<number, G>();
  const held = new Map<number, readonly G[]>(); // those who are paired there
  const graves = new Map<number, "used" | "burnt">(); // the oldest first
  const hosts = new Map<string, G>();
  const joiners = new Map<string, Set<G>>();
  const perAddress = new Map<string, number>();

  const refusal = ({ hostname }: G): EndReason | undefined => {
    if (seats.size >= maxGuests) return "full";
    return (perAddress.get(hostname) ?? 0) >= maxPerAddress
      ? "limited"
      : undefined;
  };
  const seat = (guest: G, place: Place): void => {
    seats.set(guest, place);
    const { hostname } = guest;
    perAddress.set(hostname, (perAddress.get(hostname) ?? 0) + 1);
  };
  const leave = (guest: G): void => {
    const place = seats.get(guest);
    if (place === undefined) return;
    seats.delete(guest);
    const left = (perAddress.get(guest.hostname) ?? 1) - 1;
    if (left > 0) perAddress.set(guest.hostname, left);
    else perAddress.delete(guest.hostname);
    const { slot, id } = place;
    if (slot !== undefined) slots.delete(slot);
    if (id === undefined) return;
    if (hosts.get(id) === guest) hosts.delete(id);
    const others = joiners.get(id);
    others?.delete(guest);
    if (others?.size === 0) joiners.delete(id);
  };

  /** A slot of as few digits as leave most of them free. */
  const freeSlot = (): number => {
    const taken = slots.size + held.size + graves.size;
    let limit = 100;
    while (taken * 2 >= limit) limit *= 10;
    for (;;) {
      const view = new DataView(random(4).buffer);
      const slot = 1 + view.getUint32(0) % Math.min(limit, MAX_SLOT);
      const isTaken = slots.has(slot) || held.has(slot) || graves.has(slot);
      if (!isTaken && !isLocalSlot(slot)) return slot;
    }
  };

  return {
    get size() {
      return seats.size;
    },
    allocate(guest, now) {
      const reason = refusal(guest);
      if (reason !== undefined) return reason;
      const slot = freeSlot();
      slots.set(slot, guest);
      seat(guest, { slot, until: now + waitMs });
      return slot;
    },
    claim(slot, guest, now) {
      const grave = graves.get(slot);
      if (grave !== undefined) return { state: "refused", reason: grave };
      const other = slots.get(slot);
      const there = other === undefined ? held.get(slot) ?? [] : [other];
      const by = there.find(({ role }) => role === guest.role);
      if (by !== undefined) return { state: "taken", by };
      if (other !== undefined) {
        leave(other);
        held.set(slot, [other, guest]);
        return { state: "paired", other };
      }
      const reason = refusal(guest);
      if (reason !== undefined) return { state: "refused", reason };
      slots.set(slot, guest);
      seat(guest, { slot, until: now + waitMs });
      return { state: "waiting" };
    },
    join(id, guest, now) {
      const host = hosts.get(id);
      if (host !== undefined) return { state: "paired", other: host };
      const reason = refusal(guest);
      if (reason !== undefined) return { state: "refused", reason };
      const others = joiners.get(id) ?? new Set();
      joiners.set(id, others.add(guest));
      seat(guest, { id, until: now + waitMs });
      return { state: "waiting" };
    },
    host(id, guest, _now) {
      const replaced = hosts.get(id);
      const reason = refusal(guest);
      const takesPlace = replaced !== undefined &&
        (reason === "full" || replaced.hostname === guest.hostname);
      if (reason !== undefined && !takesPlace) return reason;
      if (replaced !== undefined) leave(replaced);
      const waiting = [...joiners.get(id) ?? []];
      for (const each of waiting) leave(each);
      hosts.set(id, guest);
      seat(guest, { id, until: Infinity });
      return { replaced, waiting };
    },
    leave,
    release(slot) {
      held.delete(slot);
    },
    bury(slot, reason) {
      held.delete(slot);
      graves.set(slot, reason);
      const [oldest] = graves.keys();
      if (graves.size > maxGraves && oldest !== undefined) {
        graves.delete(oldest);
      }
    },
    expire(now) {
      const over = [...seats].filter(([, { until }]) => until <= now)
        .map(([guest]) => guest);
      for (const guest of over) leave(guest);
      return over;
    },
  };
}

interface Place {
  readonly slot?: number;
  readonly id?: string;
  readonly until: number;
}
