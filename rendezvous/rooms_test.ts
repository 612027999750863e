import { assertEquals } from "@std/assert";
import { systemRandomBytes } from "../crypto/random.ts";
import { forAll, seeded } from "../tests/testutil/random.ts";
import { isLocalSlot } from "./code.ts";
import { createRooms, type Guest } from "./rooms.ts";
import type { Role } from "./types.ts";

interface Named extends Guest {
  readonly name: number;
}

let names = 0;
function guest(role: Role, hostname = "192.0.2.1"): Named {
  return { role, hostname, name: names++ };
}

Deno.test("rooms: a slot of few digits is given away, and never twice", () => {
  const rooms = createRooms<Named>(systemRandomBytes, { maxPerAddress: 1000 });
  const given = new Set<number>();
  for (let i = 0; i < 400; i++) {
    const slot = rooms.allocate(guest("sender"), 0);
    assertEquals(typeof slot, "number");
    given.add(Number(slot));
  }
  assertEquals(given.size, 400);
  assertEquals([...given].slice(0, 40).every((slot) => slot <= 100), true);
  assertEquals(Math.max(...given) <= 1000, true);
});

Deno.test("rooms: the numbers of the local network are not given away", () => {
  let next = 89_990;
  const random = () => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, next++);
    return bytes;
  };
  const rooms = createRooms<Named>(random, { maxGraves: 1e6 });
  for (let slot = 100_001; slot <= 106_000; slot++) rooms.bury(slot, "used");
  const slot = Number(rooms.allocate(guest("sender"), 0));
  next = 89_998;
  const given = Array.from(
    { length: 20 },
    () => Number(rooms.allocate(guest("sender"), 0)),
  );
  assertEquals([slot, ...given].filter(isLocalSlot), []);
});

Deno.test("rooms: either side may come first, and a slot brings two together once", () => {
  for (const first of ["sender", "receiver"] as const) {
    const second = first === "sender" ? "receiver" : "sender";
    const rooms = createRooms<Named>(systemRandomBytes);
    const one = guest(first);
    assertEquals(rooms.claim(7, one, 0).state, "waiting");
    const two = guest(second);
    assertEquals(rooms.claim(7, two, 0), { state: "paired", other: one });
    // Whoever comes later may ask after either of the two.
    assertEquals(rooms.claim(7, guest(first), 0), { state: "taken", by: one });
    assertEquals(rooms.claim(7, guest(second), 0), { state: "taken", by: two });
    rooms.bury(7, "used");
    assertEquals(rooms.claim(7, guest(second), 0), {
      state: "refused",
      reason: "used",
    });
    assertEquals(rooms.size, 0);
  }
});

Deno.test("rooms: a burnt slot stays burnt, one of which nothing came is free again", () => {
  const rooms = createRooms<Named>(systemRandomBytes);
  rooms.claim(7, guest("sender"), 0);
  rooms.claim(7, guest("receiver"), 0);
  rooms.release(7);
  assertEquals(rooms.claim(7, guest("sender"), 0).state, "waiting");
  rooms.claim(7, guest("receiver"), 0);
  rooms.bury(7, "burnt");
  rooms.release(7);
  assertEquals(rooms.claim(7, guest("receiver"), 0), {
    state: "refused",
    reason: "burnt",
  });
});

Deno.test("rooms: two of one side do not meet", () => {
  const rooms = createRooms<Named>(systemRandomBytes);
  const one = guest("receiver");
  rooms.claim(7, one, 0);
  assertEquals(rooms.claim(7, guest("receiver"), 0), {
    state: "taken",
    by: one,
  });
});

Deno.test("rooms: a host stays for all who join, whoever came first, and the newest is the host", () => {
  const rooms = createRooms<Named>(systemRandomBytes);
  const early = guest("sender");
  assertEquals(rooms.join("a", early, 0).state, "waiting");
  const host = guest("receiver");
  assertEquals(rooms.host("a", host, 0), {
    replaced: undefined,
    waiting: [early],
  });
  for (let i = 0; i < 3; i++) {
    assertEquals(rooms.join("a", guest("sender"), 0), {
      state: "paired",
      other: host,
    });
  }
  assertEquals(rooms.join("b", guest("sender"), 0).state, "waiting");
  const next = guest("receiver");
  assertEquals(rooms.host("a", next, 0), { replaced: host, waiting: [] });
  rooms.leave(host); // it hears of it late
  assertEquals(rooms.join("a", guest("sender"), 0), {
    state: "paired",
    other: next,
  });
});

Deno.test("rooms: who waits too long is taken out, and a host is not", () => {
  const rooms = createRooms<Named>(systemRandomBytes, { waitMs: 1000 });
  const [a, b, host] = [guest("sender"), guest("sender"), guest("receiver")];
  rooms.claim(7, a, 0);
  rooms.join("x", b, 500);
  rooms.host("y", host, 0);
  assertEquals(rooms.expire(999), []);
  assertEquals(rooms.expire(1000), [a]);
  assertEquals(rooms.expire(1_000_000), [b]);
  assertEquals(rooms.size, 1);
  assertEquals(rooms.claim(7, guest("sender"), 2000).state, "waiting");
});

Deno.test("rooms: one address gets no more than its share, and nobody more than there is", () => {
  const rooms = createRooms<Named>(systemRandomBytes, {
    maxPerAddress: 2,
    maxGuests: 3,
  });
  const [a, b] = [guest("sender"), guest("sender")];
  rooms.allocate(a, 0);
  rooms.allocate(b, 0);
  assertEquals(rooms.allocate(guest("sender"), 0), "limited");
  assertEquals(
    typeof rooms.allocate(guest("sender", "198.51.100.1"), 0),
    "number",
  );
  assertEquals(rooms.allocate(guest("sender", "198.51.100.2"), 0), "full");
  rooms.leave(a);
  assertEquals(typeof rooms.allocate(guest("sender"), 0), "number");
});

Deno.test("rooms: whatever happens, nobody is in two places and nothing is left behind", () => {
  forAll((random) => Math.floor(random() * 2 ** 31), (seed) => {
    const random = seeded(seed);
    const rooms = createRooms<Named>(systemRandomBytes, {
      maxGuests: 20,
      maxPerAddress: 8,
      maxGraves: 5,
      waitMs: 50,
    });
    const waiting = new Set<Named>();
    const pick = (n: number) => Math.floor(random() * n);
    for (let now = 0; now < 200; now++) {
      const one = guest(pick(2) ? "sender" : "receiver", `192.0.2.${pick(4)}`);
      let seat: { readonly state: string } | undefined;
      switch (pick(6)) {
        case 0: {
          const slot = rooms.allocate(one, now);
          if (typeof slot === "number") seat = { state: "waiting" };
          break;
        }
        case 1:
        case 2: {
          const claimed = rooms.claim(1 + pick(6), one, now);
          if (claimed.state === "paired") waiting.delete(claimed.other);
          seat = claimed;
          break;
        }
        case 3: {
          const joined = rooms.join(`m${pick(3)}`, one, now);
          // The host stays, and is one of those who are there.
          if (joined.state === "paired") {
            assertEquals(waiting.has(joined.other), true);
          }
          seat = joined;
          break;
        }
        case 4: {
          const host = rooms.host(`m${pick(3)}`, one, now);
          if (typeof host === "string") break;
          if (host.replaced) waiting.delete(host.replaced);
          for (const each of host.waiting) waiting.delete(each);
          seat = { state: "waiting" };
          break;
        }
        default: {
          const [first] = waiting;
          if (first !== undefined) {
            rooms.leave(first);
            waiting.delete(first);
          }
          if (pick(2)) rooms.bury(1 + pick(6), "burnt");
          else rooms.release(1 + pick(6));
        }
      }
      if (seat?.state === "waiting") waiting.add(one);
      for (const gone of rooms.expire(now)) waiting.delete(gone);
      assertEquals(rooms.size, waiting.size);
      assertEquals(rooms.size <= 20, true);
    }
    for (const one of waiting) rooms.leave(one);
    assertEquals(rooms.size, 0);
  });
});
