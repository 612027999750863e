/**
 * What goes over the line, byte for byte, and against a second implementation.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import {
  formatRouterAddress,
  parseRouterAddress,
  type RouterAddress,
} from "../../xftp/address.ts";
import {
  authorizedBytes,
  BLOCK_BYTES,
  decodeTransmission,
  encodeTransmission,
  padBlock,
  unpadBlock,
} from "../../xftp/block.ts";
import {
  decodeAnswer,
  decodeCommand,
  encodeAnswer,
  encodeCommand,
  type XftpAnswer,
  type XftpCommand,
} from "../../xftp/commands.ts";
import { decodeFault, encodeFault, FaultError } from "../../xftp/faults.ts";
import {
  bool,
  createReader,
  int64,
  large,
  list,
  maybe,
  nonEmpty,
  shortString,
  word16,
  word32,
} from "../../xftp/encoding.ts";
import {
  decodeClientHandshake,
  decodeRouterHello,
  decodeWebHello,
  encodeClientHandshake,
  encodeRouterHello,
  encodeWebHello,
  readSignedKey,
  signKey,
} from "../../xftp/handshake.ts";
import {
  publicOf,
  readPrivateKey,
  readPublicKey,
  verify,
} from "../../xftp/keys.ts";
import {
  forAll,
  intBetween,
  pick,
  type Random,
  randomBytes,
} from "../testutil/random.ts";
import addresses from "../vectors/xftp_address.json" with { type: "json" };
import blocks from "../vectors/xftp_block.json" with { type: "json" };
import commands from "../vectors/xftp_commands.json" with { type: "json" };
import handshakes from "../vectors/xftp_handshake.json" with { type: "json" };
import * as plain from "./router_plain.ts";

const bytesOf = (hex: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.fromHex(hex);

/** A block of which the vector has the beginning. */
function blockOf(hex: string): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(BLOCK_BYTES).fill(0x23);
  block.set(bytesOf(hex));
  return block;
}

function commandOf(value: plain.PlainWord): XftpCommand {
  const { type, senderKey, size, digest, recipientKeys, password, key } = value;
  const keyOf = (hex: string) => readPublicKey(bytesOf(hex));
  return {
    type,
    ...(senderKey && { senderKey: keyOf(senderKey) }),
    ...(size !== undefined && { size }),
    ...(digest && { digest: bytesOf(digest) }),
    ...(recipientKeys && { recipientKeys: recipientKeys.map(keyOf) }),
    ...(password && { password: bytesOf(password) }),
    ...(key && { key: keyOf(key) }),
  } as XftpCommand;
}

function answerOf(value: plain.PlainWord): XftpAnswer {
  const { type, senderId, recipientIds, key, nonce, fault } = value;
  return {
    type,
    ...(senderId && { senderId: bytesOf(senderId) }),
    ...(recipientIds && { recipientIds: recipientIds.map(bytesOf) }),
    ...(key && { key: readPublicKey(bytesOf(key)) }),
    ...(nonce && { nonce: bytesOf(nonce) }),
    ...(fault && { fault: decodeFault(fault) }),
  } as XftpAnswer;
}

Deno.test("every command and answer is written and read as its vector has it", () => {
  for (const vector of commands) {
    const { name, kind, hex } = vector;
    if (vector.error !== undefined) {
      const read = kind === "command" ? decodeCommand : decodeAnswer;
      const error = assertThrows(() => read(bytesOf(hex)), Error);
      const said = error instanceof FaultError
        ? error.message
        : error instanceof SftpxError && error.code;
      assertEquals(said, vector.error, name);
      continue;
    }
    const value = vector.value as plain.PlainWord;
    assertEquals(plain.word(value), hex, `${name}, second implementation`);
    if (kind === "command") {
      const command = commandOf(value);
      assertEquals(encodeCommand(command).toHex(), hex, name);
      assertEquals(decodeCommand(bytesOf(hex)), command, name);
    } else {
      const answer = answerOf(value);
      assertEquals(encodeAnswer(answer).toHex(), hex, name);
      assertEquals(decodeAnswer(bytesOf(hex)), answer, name);
    }
  }
});

Deno.test("a command that is cut anywhere is no command, and noise is none", () => {
  for (const { kind, hex, value } of commands) {
    if (kind !== "command" || value === undefined) continue;
    const whole = bytesOf(hex);
    for (let cut = 0; cut < whole.length; cut++) {
      assertThrows(() => decodeCommand(whole.subarray(0, cut)), FaultError);
    }
  }
  forAll(noisy, (bytes) => {
    try {
      decodeCommand(bytes);
    } catch (error) {
      assert(error instanceof FaultError && error.fault.code === "CMD");
    }
  });
});

/** Noise, that begins as a command often enough. */
function noisy(random: Random): Uint8Array {
  const tag = pick(random, ["FNEW ", "FADD ", "FGET ", "FPUT", ""]);
  const noise = randomBytes(random, intBetween(random, 0, 200));
  return Uint8Array.from([...new TextEncoder().encode(tag), ...noise]);
}

Deno.test("every transmission is written and read as its vector has it", () => {
  for (const vector of blocks) {
    const { name, hex } = vector;
    const block = blockOf(hex);
    if (vector.value === undefined) {
      const error = assertThrows(() => decodeTransmission(block), SftpxError);
      assertEquals(error.code, vector.error, name);
      continue;
    }
    const value = vector.value;
    assertEquals(plain.transmission(value), hex, `${name}, second`);
    const transmission = {
      auth: bytesOf(value.auth),
      sessionId: bytesOf(value.sessionId),
      corrId: bytesOf(value.corrId),
      entityId: bytesOf(value.entityId),
      command: bytesOf(value.command),
    };
    assertEquals(encodeTransmission(transmission), block, name);
    const read = decodeTransmission(block);
    assertEquals(read.authorized.toHex(), plain.signed(value), name);
    assertEquals(authorizedBytes(transmission).toHex(), plain.signed(value));
    for (const part of Object.keys(value) as (keyof typeof value)[]) {
      assertEquals(read[part].toHex(), value[part], `${name}: ${part}`);
    }
  }
});

Deno.test("a block holds up to 16382 bytes, and has 16384", () => {
  const most = new Uint8Array(16_382).fill(7);
  assertEquals(unpadBlock(padBlock(most)), most);
  assertThrows(() => padBlock(new Uint8Array(16_383)), RangeError);
  for (const length of [0, 16_383, 16_385]) {
    assertThrows(() => unpadBlock(new Uint8Array(length)), SftpxError);
  }
  assertEquals(padBlock(Uint8Array.of(1)).subarray(3, 6).toHex(), "232323");
});

Deno.test("every hello is written and read as its vector has it", () => {
  for (const vector of handshakes) {
    const { name, kind, hex, error } = vector;
    const value = vector.value as Record<string, string> | undefined;
    const read = (): unknown => {
      switch (kind) {
        case "router-hello":
          return decodeRouterHello(blockOf(hex));
        case "web-hello":
          return decodeWebHello(blockOf(hex));
        case "client-handshake":
          return decodeClientHandshake(blockOf(hex));
        default:
          return readSignedKey(bytesOf(hex));
      }
    };
    if (value === undefined) {
      assertEquals(assertThrows(read, SftpxError).code, error, name);
      continue;
    }
    if (kind === "router-hello") {
      const hello = vector.value as unknown as plain.PlainHello;
      assertEquals(plain.hello(hello), hex, `${name}, second`);
      const written = encodeRouterHello({
        versions: hello.versions,
        sessionId: bytesOf(hello.sessionId),
        certificates: hello.certificates.map(bytesOf),
        signedKey: bytesOf(hello.signedKey),
        proof: bytesOf(hello.proof),
      });
      assertEquals(written, blockOf(hex), name);
      const { sessionId, proof } = decodeRouterHello(written);
      assertEquals([sessionId.toHex(), proof.toHex()], [
        hello.sessionId,
        hello.proof,
      ]);
    } else if (kind === "web-hello") {
      const challenge = value.challenge && bytesOf(value.challenge) ||
        undefined;
      assertEquals(encodeWebHello(challenge), blockOf(hex), name);
      assertEquals(decodeWebHello(blockOf(hex))?.toHex(), value.challenge);
    } else if (kind === "client-handshake") {
      const handshake = decodeClientHandshake(blockOf(hex));
      assertEquals(handshake.keyHash.toHex(), value.keyHash, name);
      assertEquals(encodeClientHandshake(handshake), blockOf(hex), name);
    } else {
      const signer = readPrivateKey(bytesOf(value.signer ?? ""));
      const key = readPublicKey(bytesOf(value.key ?? ""));
      assertEquals(signKey(key, signer).toHex(), hex, name);
      const found = readSignedKey(bytesOf(hex));
      assertEquals([found.key, found.kind], [key, signer.kind], name);
      assert(verify(publicOf(signer), found.signed, found.signature), name);
    }
  }
});

Deno.test("a key that was signed without the second sequence is read, too", () => {
  const [vector] = handshakes;
  const { key = "" } = vector?.value as Record<string, string>;
  const hex = (vector?.hex ?? "").replace("3078302c", "3076");
  assertEquals(readSignedKey(bytesOf(hex)).key.der.toHex(), key);
  assertEquals(readSignedKey(bytesOf(hex)).signed.toHex(), key);
});

Deno.test("what the primitives write is what they read, and what the second implementation writes", () => {
  forAll((random) => ({
    numbers: [intBetween(random, 0, 65_535), Math.floor(random() * 2 ** 32)],
    wide: BigInt(Math.floor((random() - 0.5) * 2 ** 53)) << 10n,
    items: Array.from(
      { length: intBetween(random, 1, 5) },
      () => randomBytes(random, intBetween(random, 0, 255)),
    ),
    is: random() < 0.5,
  }), ({ numbers: [a = 0, b = 0], wide, items, is }) => {
    const written = [
      word16(a),
      word32(b),
      int64(wide),
      bool(is),
      maybe(is ? shortString("é") : undefined),
      nonEmpty(items.map((item) => shortString(item))),
      list([]),
      ...items.map((item) => large(item)),
    ].map((part) => part.toHex()).join("");
    const hexes = items.map((item) => item.toHex());
    assertEquals(
      written,
      plain.number(a, 2) + plain.number(b, 4) +
        BigInt.asUintN(64, wide).toString(16).padStart(16, "0") +
        plain.words(is ? "T" : "F") + (is ? "3102c3a9" : "30") +
        plain.list(hexes.map(plain.short)) + "00" +
        hexes.map(plain.large).join(""),
    );
    const reader = createReader(bytesOf(written), "test");
    assertEquals([reader.word16(), reader.word32()], [a, b]);
    assertEquals([reader.int64(), reader.bool()], [wide, is]);
    assertEquals(
      reader.maybe(() => reader.shortText()),
      is ? "é" : undefined,
    );
    assertEquals(reader.nonEmpty(() => reader.shortString()), items);
    assertEquals(reader.list(() => reader.shortString()), []);
    for (const item of items) assertEquals(reader.large(), item);
    reader.end();
  });
});

Deno.test("an address is read and written as its vector has it", () => {
  for (const vector of addresses) {
    const { text, written, value, error } = vector;
    if (value === undefined) {
      const thrown = assertThrows(
        () => parseRouterAddress(text),
        SftpxError,
      );
      assertEquals(thrown.code, error, text);
      continue;
    }
    const expected = {
      ...value,
      keyHash: bytesOf(value.keyHash),
    } as unknown as RouterAddress;
    const address = parseRouterAddress(text);
    assertEquals(address, expected, text);
    assertEquals(formatRouterAddress(address), written);
    const secret = formatRouterAddress(address, { password: true });
    assertEquals(parseRouterAddress(secret), expected);
  }
});

Deno.test("an address that cannot be read is not in the error, as it may hold a password", () => {
  const text = `xftp://${"A".repeat(43)}:hunter2@no host`;
  const error = assertThrows(() => parseRouterAddress(text), SftpxError);
  assert(!error.message.includes("hunter2"));
});

Deno.test("every fault is read as it was written", () => {
  for (const { kind, value } of commands) {
    const { fault } = (value ?? {}) as plain.PlainWord;
    if (kind === "answer" && fault !== undefined) {
      assertEquals(encodeFault(decodeFault(fault)), fault);
    }
  }
});
