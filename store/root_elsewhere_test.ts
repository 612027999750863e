import { assert, assertEquals } from "@std/assert";
import { openSync, writeSync } from "node:fs";
import { type BytesElsewhere, openFile } from "./root_file.ts";
import { openNative } from "./root_native.ts";

/** Bytes whose thread writes no more than `most` of them. */
function elsewhere(bytes: Uint8Array<ArrayBuffer>, most: number): {
  readonly bytes: BytesElsewhere;
  readonly brought: number[];
} {
  const brought: number[] = [];
  return {
    brought,
    bytes: {
      length: bytes.length,
      writeTo({ fd, position }) {
        const some = bytes.subarray(0, most);
        if (some.length > 0) writeSync(fd, some, 0, some.length, position);
        return Promise.resolve(some.length);
      },
      bring(start) {
        brought.push(start);
        return Promise.resolve(bytes.slice(start));
      },
    },
  };
}

Deno.test("bytes of another thread are written by it, and what it cannot write is brought here", async () => {
  const dir = await Deno.makeTempDir();
  const native = openNative();
  const part = openFile(openSync(`${dir}/part`, "w+"), native);
  const bytes = new Uint8Array(1000).map((_, n) => n * 7);
  const whole = elsewhere(bytes, 1000);
  const half = elsewhere(bytes, 400);
  const none = elsewhere(bytes, 0);
  await part.write(whole.bytes, 0);
  await part.write(half.bytes, 1000);
  await part.write(none.bytes, 2000);
  assertEquals([whole.brought, half.brought, none.brought], [[], [400], [0]]);
  part.close();
  native?.close();
  const found = await Deno.readFile(`${dir}/part`);
  assertEquals(found.length, 3000);
  assert(found.every((byte, at) => byte === bytes[at % 1000]));
  await Deno.remove(dir, { recursive: true });
});

Deno.test("a part that is closed stays open until another thread has written", async () => {
  const dir = await Deno.makeTempDir();
  const part = openFile(openSync(`${dir}/part`, "w+"), undefined);
  const done = Promise.withResolvers<number>();
  let fd = -1;
  const writing = part.write({
    length: 4,
    writeTo(place) {
      fd = place.fd;
      return done.promise;
    },
    bring: () => Promise.reject(new Error("nothing is to be brought")),
  }, 0);
  part.close();
  writeSync(fd, new Uint8Array([1, 2, 3, 4]), 0, 4, 0); // its number is still ours
  done.resolve(4);
  await writing;
  assertEquals(
    await Deno.readFile(`${dir}/part`),
    new Uint8Array([1, 2, 3, 4]),
  );
  await Deno.remove(dir, { recursive: true });
});
