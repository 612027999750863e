import { assertEquals, assertThrows } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import {
  forAll,
  intBetween,
  pick,
  randomBytes,
} from "../tests/testutil/random.ts";
import vectors from "../tests/vectors/helper.json" with { type: "json" };
import {
  decodeBody,
  decodeHeader,
  encodeMessage,
  END_REASONS,
  HEADER_LENGTH,
  MAX_BODY,
  type Message,
} from "./messages.ts";

const nonce = new Uint8Array(16).fill(1);
const id = new Uint8Array(16).fill(2);

const ALL: readonly Message[] = [
  { type: "allocate", nonce },
  { type: "claim", role: "sender", slot: 1, nonce },
  { type: "claim", role: "receiver", slot: 999_999_999, nonce },
  { type: "join", id, nonce },
  { type: "host", id },
  { type: "accept", nonce },
  { type: "data", bytes: new Uint8Array() },
  { type: "data", bytes: new Uint8Array(MAX_BODY).fill(3) },
  { type: "burn" },
  { type: "relay" },
  { type: "pong" },
  { type: "ping" },
  { type: "waiting", slot: 0, observed: "" },
  { type: "waiting", slot: 7, observed: "[2001:db8::1]:4277" },
  { type: "paired", nonce },
  { type: "joined", nonce, observed: "192.0.2.7:50000" },
  ...END_REASONS.map((reason) => ({ type: "end", reason }) as const),
  { type: "grant", udpPort: 0, tcpPort: 65_535, cookie: nonce },
];

function decode(bytes: Uint8Array): Message {
  const { type, length } = decodeHeader(bytes.subarray(0, HEADER_LENGTH));
  const body = bytes.subarray(HEADER_LENGTH);
  if (body.length !== length) throw new SftpxError("protocol", "length");
  return decodeBody(type, body);
}

Deno.test("messages: what was written reads back, and no part of it does", () => {
  for (const message of ALL) {
    const bytes = encodeMessage(message);
    assertEquals(decode(bytes), message);
    for (let cut = HEADER_LENGTH; cut < bytes.length; cut++) {
      if (message.type === "data") continue; // any part of it is data
      const { type } = decodeHeader(bytes.subarray(0, HEADER_LENGTH));
      assertThrows(
        () => decodeBody(type, bytes.subarray(HEADER_LENGTH, cut)),
        SftpxError,
      );
    }
    if (message.type === "data") continue;
    const { type } = decodeHeader(bytes.subarray(0, HEADER_LENGTH));
    const longer = new Uint8Array([...bytes.subarray(HEADER_LENGTH), 0]);
    assertThrows(() => decodeBody(type, longer), SftpxError, "too many");
  }
});

Deno.test("messages: the vectors", () => {
  for (const { name, hex, message } of vectors.good) {
    const bytes = Uint8Array.fromHex(hex);
    const read = decode(bytes);
    assertEquals(plain(read), message, name);
    assertEquals(encodeMessage(read).toHex(), hex, name);
  }
  for (const { name, hex } of vectors.bad) {
    const error = assertThrows(() => decode(Uint8Array.fromHex(hex)));
    assertEquals((error as SftpxError).code, "protocol", name);
  }
});

Deno.test("messages: noise is a message or a protocol error", () => {
  forAll((random) => {
    const bytes = randomBytes(random, intBetween(random, 3, 60));
    bytes[0] = 0;
    bytes[1] = bytes.length - HEADER_LENGTH;
    bytes[2] = pick(random, [1, 2, 3, 4, 5, 6, 7, 8, 65, 66, 67, 68, 69, 99]);
    return bytes;
  }, (bytes) => {
    try {
      assertEquals(encodeMessage(decode(bytes)).toHex(), bytes.toHex());
    } catch (error) {
      assertEquals((error as SftpxError).code, "protocol");
    }
  });
});

Deno.test("messages: a body of 64 KiB is refused before it is read", () => {
  assertThrows(
    () => decodeHeader(Uint8Array.of(0xff, 0xff, 6)),
    SftpxError,
    "65535 bytes",
  );
  assertThrows(
    () => encodeMessage({ type: "data", bytes: new Uint8Array(MAX_BODY + 1) }),
    RangeError,
  );
});

function plain(message: Message): unknown {
  return Object.fromEntries(
    Object.entries(message).map(([key, value]) => [
      key,
      value instanceof Uint8Array ? value.toHex() : value,
    ]),
  );
}
