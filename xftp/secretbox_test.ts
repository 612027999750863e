import { assertEquals, assertThrows } from "@std/assert";
import { forAll, intBetween, randomBytes } from "../tests/testutil/random.ts";
import { isTag, open, seal, secretbox } from "./secretbox.ts";

// The example of NaCl's own documentation: `crypto_box` of Alice to Bob. The
// key here is what X25519 gives, as the cipher makes the rest itself.
const SHARED =
  "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
const NONCE = "69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37";
const MESSAGE =
  "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a" +
  "1ac728d45e6c61296cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057" +
  "e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040" +
  "e082f937763848645e0705";
const TAG = "f3ffc7703f9400e52a7dfb4b3d3305d9";
const CIPHERTEXT =
  "8e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b" +
  "4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae" +
  "90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6" +
  "599b1f654cb45a74e355a5";

Deno.test("the cipher gives what NaCl's crypto_box gives", () => {
  const [key, nonce] = [Uint8Array.fromHex(SHARED), Uint8Array.fromHex(NONCE)];
  const box = secretbox(key, nonce);
  assertEquals(box.encrypt(Uint8Array.fromHex(MESSAGE)).toHex(), CIPHERTEXT);
  assertEquals(box.finish().toHex(), TAG);
  const sealed = seal(key, nonce, Uint8Array.fromHex(MESSAGE));
  assertEquals(sealed.toHex(), TAG + CIPHERTEXT);
  assertEquals(open(key, nonce, sealed)?.toHex(), MESSAGE);
});

Deno.test("a message in pieces of any size is encrypted as the plain one of the books is", () => {
  forAll((random) => {
    const message = randomBytes(random, intBetween(random, 0, 700));
    return {
      key: randomBytes(random, 32),
      nonce: randomBytes(random, 24),
      message,
      cuts: Array.from(
        { length: intBetween(random, 0, 6) },
        () => intBetween(random, 0, message.length),
      ).sort((a, b) => a - b),
      shift: intBetween(random, 0, 5),
    };
  }, ({ key, nonce, message, cuts, shift }) => {
    const expected = naiveBox(key, nonce, message);
    // Pieces begin anywhere in their buffer, as those of a stream do.
    const there = new Uint8Array(message.length + shift);
    there.set(message, shift);
    const box = secretbox(key, nonce);
    const back = secretbox(key, nonce);
    const made: number[] = [];
    const read: number[] = [];
    [...cuts, message.length].reduce((from, to) => {
      const piece = box.encrypt(there.subarray(shift + from, shift + to));
      made.push(...piece);
      read.push(...back.decrypt(piece, piece)); // in place
      return to;
    }, 0);
    assertEquals(new Uint8Array(made).toHex(), expected.bytes.toHex());
    assertEquals(box.finish().toHex(), expected.tag.toHex());
    assertEquals(back.finish().toHex(), expected.tag.toHex());
    assertEquals(new Uint8Array(read).toHex(), message.toHex());
  }, { runs: 60 });
});

Deno.test("the tag is right where its numbers are as large as they get", () => {
  // Keystream that undoes the message leaves blocks of ones for the tag.
  const key = new Uint8Array(32).fill(0xff);
  const nonce = new Uint8Array(24).fill(0xff);
  const stream = naiveBox(key, nonce, new Uint8Array(4096)).bytes;
  const message = stream.map((byte) => byte ^ 0xff);
  const box = secretbox(key, nonce);
  assertEquals(box.encrypt(message), new Uint8Array(4096).fill(0xff));
  assertEquals(
    box.finish().toHex(),
    naiveBox(key, nonce, message).tag.toHex(),
  );
});

Deno.test("one bit of a sealed message that is another keeps it closed", () => {
  const [key, nonce] = [new Uint8Array(32).fill(1), new Uint8Array(24).fill(2)];
  const sealed = seal(key, nonce, new Uint8Array(64).fill(3));
  assertEquals(sealed.length, 80);
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const other = sealed.slice();
    other[bit >> 3] = (other[bit >> 3] ?? 0) ^ 1 << (bit & 7);
    assertEquals(open(key, nonce, other), undefined);
  }
  assertEquals(open(key, nonce, sealed.subarray(0, 15)), undefined);
  assertEquals(isTag(sealed.subarray(0, 16), sealed.subarray(0, 15)), false);
});

Deno.test("a key or nonce of another length is refused", () => {
  assertThrows(
    () => secretbox(new Uint8Array(31), new Uint8Array(24)),
    RangeError,
    "32",
  );
  assertThrows(
    () => secretbox(new Uint8Array(32), new Uint8Array(25)),
    RangeError,
  );
});

/** The cipher once more, as its papers describe it, and as slow as that is. */
function naiveBox(
  key: Uint8Array,
  nonce: Uint8Array,
  message: Uint8Array,
): { bytes: Uint8Array; tag: Uint8Array } {
  const first = naiveHsalsa(key, new Uint8Array(16));
  const second = naiveHsalsa(first, nonce.slice(0, 16));
  const stream: number[] = [];
  for (let block = 0; stream.length < message.length + 32; block++) {
    const input = new Uint8Array(16);
    input.set(nonce.slice(16));
    new DataView(input.buffer).setUint32(8, block, true);
    const { before, after } = naiveCore(second, input);
    stream.push(...littleEndian(after.map((x, i) => x + (before[i] ?? 0))));
  }
  const bytes = message.map((byte, i) => byte ^ (stream[i + 32] ?? 0));
  return { bytes, tag: naiveTag(new Uint8Array(stream.slice(0, 32)), bytes) };
}

function naiveHsalsa(key: Uint8Array, input: Uint8Array): Uint8Array {
  const { after } = naiveCore(key, input);
  return littleEndian(
    [0, 5, 10, 15, 6, 7, 8, 9].map((i) => after[i] ?? 0),
  );
}

function naiveCore(key: Uint8Array, input: Uint8Array) {
  const word = (bytes: Uint8Array, i: number): number =>
    new DataView(bytes.buffer, bytes.byteOffset).getUint32(i * 4, true);
  const text = new TextEncoder().encode("expand 32-byte k");
  const before = [
    ...[word(text, 0), word(key, 0), word(key, 1), word(key, 2)],
    ...[word(key, 3), word(text, 1), word(input, 0), word(input, 1)],
    ...[word(input, 2), word(input, 3), word(text, 2), word(key, 4)],
    ...[word(key, 5), word(key, 6), word(key, 7), word(text, 3)],
  ];
  const x = [...before];
  const quarter = (a: number, b: number, c: number, d: number): void => {
    const step = (to: number, from: number, and: number, by: number): void => {
      const sum = ((x[from] ?? 0) + (x[and] ?? 0)) % 2 ** 32;
      const turned = (sum * 2 ** by) % 2 ** 32 +
        Math.floor(sum / 2 ** (32 - by));
      x[to] = ((x[to] ?? 0) ^ turned) >>> 0;
    };
    step(b, a, d, 7);
    step(c, b, a, 9);
    step(d, c, b, 13);
    step(a, d, c, 18);
  };
  for (let round = 0; round < 10; round++) {
    quarter(0, 4, 8, 12);
    quarter(5, 9, 13, 1);
    quarter(10, 14, 2, 6);
    quarter(15, 3, 7, 11);
    quarter(0, 1, 2, 3);
    quarter(5, 6, 7, 4);
    quarter(10, 11, 8, 9);
    quarter(15, 12, 13, 14);
  }
  return { before, after: x };
}

function naiveTag(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  const number = (of: Uint8Array): bigint =>
    of.reduceRight((sum, byte) => sum << 8n | BigInt(byte), 0n);
  const r = number(key.slice(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn;
  let sum = 0n;
  for (let at = 0; at < bytes.length; at += 16) {
    const block = bytes.slice(at, at + 16);
    const value = number(block) + (1n << BigInt(8 * block.length));
    sum = (sum + value) * r % ((1n << 130n) - 5n);
  }
  const tag = sum + number(key.slice(16));
  return Uint8Array.from(
    { length: 16 },
    (_, i) => Number(tag >> BigInt(8 * i) & 0xffn),
  );
}

function littleEndian(words: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(words, (word) => word >>> 0).buffer);
}
