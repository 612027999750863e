import { assert, assertEquals } from "@std/assert";
import {
  addressOf,
  isLarge,
  LARGE_PAGE_BYTES,
  largeRoom,
} from "./large_pages.ts";

const MIB = 1024 * 1024;

Deno.test("largeRoom() begins a large page where it is told to", () => {
  for (const at of [0, 56, 5000]) {
    const room = largeRoom(MIB + at, at);
    if (Deno.build.os !== "linux") return assertEquals(room, undefined);
    assert(room !== undefined);
    assertEquals(room.length, MIB + at);
    assertEquals(addressOf(room.subarray(at)) % LARGE_PAGE_BYTES, 0);
    room.fill(7);
    assert(room.every((byte) => byte === 7));
    assert(isLarge(room));
    // It is the same wherever its buffer goes.
    const { byteOffset, length } = room;
    const moved = new Uint8Array(room.buffer.transfer(), byteOffset, length);
    assert(isLarge(moved) && moved[0] === 7);
  }
});

Deno.test("largeRoom() makes no room that is larger than a page", () => {
  assertEquals(largeRoom(LARGE_PAGE_BYTES + 1, 0), undefined);
  assert(!isLarge(new Uint8Array(16 * MIB)));
  assert(!isLarge(new Uint8Array(MIB)));
});
