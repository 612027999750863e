import { assert, assertEquals, assertRejects } from "@std/assert";
import { RECORD_HEADER_BYTES } from "../protocol/lane.ts";
import {
  addressOf,
  LARGE_PAGE_BYTES,
  largeRoom,
} from "../store/large_pages.ts";
import { createRooms, type Room } from "./rooms.ts";

const NEVER = new AbortController().signal;

Deno.test("rooms are shared: one too many waits for another to be given back", async () => {
  const rooms = createRooms(1000);
  const one = await rooms.take(600, NEVER);
  const two = await rooms.take(400, NEVER);
  let has = false;
  const three = rooms.take(500, NEVER).then((room) => {
    has = true;
    return room;
  });
  two.release(two.bytes);
  await Promise.resolve();
  assert(!has);
  one.release(undefined); // what it held is lost with a connection
  assert((await three).bytes.length >= 500);
});

Deno.test("a room is used again, if it is not much too large", async () => {
  const rooms = createRooms(10_000);
  const one = await rooms.take(400, NEVER);
  one.release(one.bytes);
  const same = await rooms.take(300, NEVER);
  assertEquals(same.bytes.buffer, one.bytes.buffer);
  same.release(same.bytes);
  const small = await rooms.take(10, NEVER);
  assert(small.bytes.buffer !== one.bytes.buffer);
});

Deno.test("rooms in large pages are used before others, and made again when they are lost", async () => {
  const frame = 1024 * 1024;
  const rooms = createRooms(16 * frame, 2);
  const isPage = ({ bytes }: Room): boolean =>
    addressOf(bytes.subarray(RECORD_HEADER_BYTES)) % LARGE_PAGE_BYTES === 0;
  if (largeRoom(frame, 0) === undefined) return; // this system has none
  const take = () => rooms.take(frame + RECORD_HEADER_BYTES, NEVER);
  const [one, two, three] = [await take(), await take(), await take()];
  assertEquals([one, two, three].map(isPage), [true, true, false]);
  one.release(one.bytes);
  three.release(three.bytes);
  const again = await take();
  assertEquals(again.bytes.buffer, one.bytes.buffer);
  again.release(undefined);
  two.release(two.bytes);
  const next = [await take(), await take(), await take()];
  assertEquals(next.map(isPage), [true, false, true]);
  const small = await rooms.take(1000, NEVER);
  assert(!isPage(small));
});

Deno.test("a frame larger than all rooms has them all to itself", async () => {
  const rooms = createRooms(100);
  const all = await rooms.take(500, NEVER);
  assert(all.bytes.length >= 500);
  const given = new AbortController();
  const waits = rooms.take(1, given.signal);
  given.abort();
  await assertRejects(() => waits);
  all.release(all.bytes);
  assert((await rooms.take(1, NEVER)).bytes.length >= 1);
});

Deno.test("a share that another thread has is not there for others until it is over", async () => {
  const rooms = createRooms(600);
  const over = Promise.withResolvers<void>();
  assert(rooms.lend(500, over.promise));
  assertEquals(rooms.shares, 1);
  assert(!rooms.lend(1, over.promise)); // a sixth stays here
  const given = new AbortController();
  const waits = rooms.take(101, given.signal);
  const has = await Promise.race([waits, Promise.resolve("not yet")]);
  assertEquals(has, "not yet");
  over.resolve();
  assert((await waits).bytes.length >= 101);
  assertEquals(rooms.shares, 0);
  assert(rooms.lend(400, over.promise));
});
