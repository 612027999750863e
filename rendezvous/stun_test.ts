import { assert, assertEquals, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import { SftpxError } from "../core/errors.ts";
import {
  BINDING,
  decodeStun,
  encodeStun,
  isStunIntegral,
  looksLikeStun,
  STUN,
  stunAttribute,
  type StunClass,
  type StunMessage,
} from "./stun.ts";
import { decodeXorAddress, encodeXorAddress } from "./stun_values.ts";

const hex = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.fromHex(text.replaceAll(/\s/g, ""));
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** RFC 5769, section 2. */
const VECTORS = {
  request: hex(`
    00010058 2112a442 b7e7a701 bc34d686 fa87dfae
    80220010 5354554e 20746573 7420636c 69656e74
    00240004 6e0001ff 80290008 932ff9b1 51263b36
    00060009 6576746a 3a683676 59202020
    00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2
    80280004 e57a3bcf`),
  ipv4: hex(`
    0101003c 2112a442 b7e7a701 bc34d686 fa87dfae
    8022000b 74657374 20766563 746f7220
    00200008 0001a147 e112a643
    00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7
    80280004 c07d4c96`),
  ipv6: hex(`
    01010048 2112a442 b7e7a701 bc34d686 fa87dfae
    8022000b 74657374 20766563 746f7220
    00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9
    00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41
    80280004 c8fb0b4c`),
  longTerm: hex(`
    00010060 2112a442 78ad3433 c6ad72c0 29da412e
    00060012 e3839ee3 8388e383 aae38383 e382afe3 82b90000
    0015001c 662f2f34 39396b39 35346436 4f4c3334 6f4c3946 53547679 36347341
    0014000b 6578616d 706c652e 6f726700
    00080014 f6702465 6dd64a3e 02b8e071 2e85c9a2 8ca89666`),
};
const PASSWORD = utf8("VOkJxbRl1RmTxUk/WvJxBt");

Deno.test("STUN: the sample messages of RFC 5769 are read as the RFC reads them", () => {
  const request = decodeStun(VECTORS.request);
  assertEquals([request.method, request.class], [BINDING, "request"]);
  assertEquals(request.transaction.toHex(), "b7e7a701bc34d686fa87dfae");
  assertEquals(stunAttribute(request, 0x0006), utf8("evtj:h6vY"));
  assertEquals(stunAttribute(request, STUN.software), utf8("STUN test client"));
  for (
    const [bytes, hostname] of [
      [VECTORS.ipv4, "192.0.2.1"],
      [VECTORS.ipv6, "2001:db8:1234:5678:11:2233:4455:6677"],
    ] as const
  ) {
    const answer = decodeStun(bytes);
    assertEquals([answer.method, answer.class], [BINDING, "success"]);
    const value = stunAttribute(answer, STUN.xorMappedAddress);
    assert(value !== undefined);
    const address = { hostname, port: 32853 };
    assertEquals(decodeXorAddress(value, answer.transaction), address);
    assertEquals(encodeXorAddress(address, answer.transaction), value);
  }
});

Deno.test("STUN: integrity and fingerprint are those of RFC 5769", () => {
  for (const bytes of [VECTORS.request, VECTORS.ipv4, VECTORS.ipv6]) {
    assert(isStunIntegral(bytes, PASSWORD));
    assert(!isStunIntegral(bytes, utf8("VOkJxbRl1RmTxUk/WvJxBu")));
  }
  const key = createHash("md5").update("マトリックス:example.org:TheMatrIX")
    .digest();
  decodeStun(VECTORS.longTerm);
  assert(isStunIntegral(VECTORS.longTerm, key));
});

Deno.test("STUN: what is written is what the RFC wrote, where its padding is zeros", () => {
  const { attributes, ...head } = decodeStun(VECTORS.longTerm);
  const plain = attributes.filter(({ type }) => type !== STUN.messageIntegrity);
  const key = createHash("md5").update("マトリックス:example.org:TheMatrIX")
    .digest();
  const again = encodeStun({ ...head, attributes: plain }, {
    integrityKey: key,
  });
  assertEquals(again.toHex(), VECTORS.longTerm.toHex());
});

Deno.test("STUN: every method and class reads back, protected or not", () => {
  const transaction = new Uint8Array(12).fill(9);
  const classes: StunClass[] = ["request", "indication", "success", "error"];
  for (const kind of classes) {
    for (const method of [0, 1, 0x0f, 0x10, 0x7f, 0x80, 0xfff]) {
      const message: StunMessage = {
        method,
        class: kind,
        transaction,
        attributes: [{ type: 0x8022, value: utf8("abcde") }],
      };
      assertEquals(decodeStun(encodeStun(message)), message);
      const bytes = encodeStun(message, {
        integrityKey: PASSWORD,
        fingerprint: true,
      });
      assert(isStunIntegral(bytes, PASSWORD));
      assertEquals(decodeStun(bytes).attributes[0], message.attributes[0]);
    }
  }
});

Deno.test("STUN: every truncation, a changed byte under a fingerprint, and what is not STUN are refused", () => {
  for (const bytes of Object.values(VECTORS)) {
    for (let cut = 0; cut < bytes.length; cut++) {
      assertThrows(() => decodeStun(bytes.subarray(0, cut)), SftpxError);
    }
  }
  const { ipv4 } = VECTORS;
  for (let at = 0; at < ipv4.length; at++) {
    const changed = ipv4.slice();
    changed[at] = (changed[at] ?? 0) ^ 0x01;
    assertThrows(() => {
      const message = decodeStun(changed);
      // The fingerprint's own type: what it was is gone, and with it the check.
      if (stunAttribute(message, STUN.fingerprint) === undefined) {
        throw new SftpxError("protocol", "Cannot find the fingerprint");
      }
    }, SftpxError);
  }
  const initial = Uint8Array.of(0xc0, 0, 0, 0, 1, ...new Uint8Array(1195));
  assert(!looksLikeStun(initial), "QUIC");
  assertThrows(() => decodeStun(new Uint8Array(2000)), SftpxError, "too long");
});

Deno.test("STUN: noise with a right header is read or refused, and nothing else happens", () => {
  const bytes = new Uint8Array(120);
  for (let seed = 0; seed < 3000; seed++) {
    crypto.getRandomValues(bytes);
    const length = 20 + 4 * (seed % 26);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, 0x0101);
    view.setUint16(2, length - 20);
    view.setUint32(4, 0x2112a442);
    if (seed % 2) view.setUint16(22, seed % 40); // an attribute that may fit
    try {
      const { attributes } = decodeStun(bytes.subarray(0, length));
      assert(attributes.length <= 25);
    } catch (error) {
      assert(error instanceof SftpxError && error.code === "protocol");
    }
  }
});
