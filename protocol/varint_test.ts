import assert from "node:assert/strict";
import { forAll } from "../tests/testutil/random.ts";
import {
  putVarint,
  readVarint,
  takeVarint,
  varintLength,
  writeVarint,
} from "./varint.ts";

const encode = (value: number): Uint8Array => {
  const bytes = new Uint8Array(varintLength(value));
  writeVarint(new DataView(bytes.buffer), 0, value);
  return bytes;
};
const decode = (bytes: Uint8Array): ReturnType<typeof readVarint> =>
  readVarint(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0);

Deno.test("readVarint() agrees with the vectors of RFC 9000 A.1", () => {
  for (
    const [hex, value] of [["25", 37], ["7bbd", 15293], [
      "9d7f3e7d",
      494878333,
    ]] as const
  ) {
    assert.deepEqual(decode(Uint8Array.fromHex(hex)), {
      value,
      end: hex.length / 2,
    });
    assert.equal(encode(value).toHex(), hex);
  }
});

Deno.test("readVarint() reads back what writeVarint() wrote", () => {
  forAll((random) => Math.floor(2 ** (random() * 53)), (value) => {
    const bytes = encode(value);
    assert.deepEqual(decode(bytes), { value, end: bytes.length });
    for (let cut = 0; cut < bytes.length; cut++) {
      assert.equal(decode(bytes.subarray(0, cut)), undefined);
    }
  });
});

Deno.test("putVarint() and takeVarint() do the same without a view", () => {
  forAll((random) => Math.floor(2 ** (random() * 53)), (value) => {
    const bytes = encode(value);
    const put = new Uint8Array(bytes.length + 2);
    assert.equal(putVarint(put, 1, value), bytes.length + 1);
    assert.deepEqual(put, Uint8Array.of(0, ...bytes, 0));
    assert.deepEqual(takeVarint(put, 1), { value, end: bytes.length + 1 });
    for (let cut = 0; cut < bytes.length; cut++) {
      assert.equal(takeVarint(bytes.subarray(0, cut), 0), undefined);
    }
  });
  for (const hex of ["c020000000000000", "ffffffffffffffff"]) {
    assert.throws(() => takeVarint(Uint8Array.fromHex(hex), 0), /2\^53/);
    assert.throws(() => decode(Uint8Array.fromHex(hex)), /2\^53/);
  }
});
