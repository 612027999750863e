import { assert, assertEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { seeded } from "../tests/testutil/random.ts";
import vectors from "../tests/vectors/proof.json" with { type: "json" };
import { helloProof, type ProvenHello, verifyProof } from "./proof.ts";

const CASES = vectors.proofs.map(({ name, token, proof, ...hello }) => ({
  name,
  token: Uint8Array.fromHex(token),
  proof: Uint8Array.fromHex(proof),
  hello: {
    fingerprint: Uint8Array.fromHex(hello.fingerprint),
    session: Uint8Array.fromHex(hello.session),
    life: Uint8Array.fromHex(hello.life),
    nonce: Uint8Array.fromHex(hello.nonce),
    attempt: hello.attempt,
    connection: hello.connection,
  },
}));

/** A token and a hello of made-up bytes. */
function madeUp(seed: number): { token: Uint8Array; hello: ProvenHello } {
  const random = seeded(seed);
  const bytes = (length: number) =>
    Uint8Array.from({ length }, () => random() * 256);
  return {
    token: bytes(32),
    hello: {
      fingerprint: bytes(32),
      session: bytes(32),
      life: bytes(16),
      nonce: bytes(16),
      attempt: Math.floor(2 ** (random() * 53)),
      connection: Math.floor(2 ** (random() * 53)),
    },
  };
}

for (const { name, token, hello, proof } of CASES) {
  Deno.test(`vector: ${name}`, async () => {
    assertEquals(await helloProof(token, hello), proof);
    if (token.length > 0) assert(await verifyProof(token, hello, proof));
  });
}

Deno.test("a proof is the HMAC of the fields in a row", async () => {
  for (let seed = 0; seed < 50; seed++) {
    const { token, hello } = madeUp(seed);
    const tail = Buffer.alloc(16);
    tail.writeBigUInt64BE(BigInt(hello.attempt), 0);
    tail.writeBigUInt64BE(BigInt(hello.connection), 8);
    const hmac = createHmac("sha256", token).update("sftpx/1 hello");
    const { fingerprint, session, life, nonce } = hello;
    for (const part of [fingerprint, session, life, nonce, tail]) {
      hmac.update(part);
    }
    assertEquals((await helloProof(token, hello)).toHex(), hmac.digest("hex"));
  }
});

Deno.test("a proof is good for one token, one receiver and one hello only", async () => {
  const { token, hello } = madeUp(1);
  const other = madeUp(2);
  const proof = await helloProof(token, hello);
  assert(await verifyProof(token, hello, proof));
  assertEquals(await verifyProof(other.token, hello, proof), false);
  for (const field of Object.keys(hello) as (keyof ProvenHello)[]) {
    const changed = { ...hello, [field]: other.hello[field] };
    assertEquals(await verifyProof(token, changed, proof), false, field);
  }
  const swapped = {
    ...hello,
    attempt: hello.connection,
    connection: hello.attempt,
  };
  assertEquals(await verifyProof(token, swapped, proof), false);
});

Deno.test("a proof with any bit changed, or of another length, is wrong", async () => {
  const { token, hello } = madeUp(3);
  const proof = await helloProof(token, hello);
  for (let bit = 0; bit < 256; bit++) {
    const wrong = proof.slice();
    wrong[bit >> 3] = (wrong[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assertEquals(await verifyProof(token, hello, wrong), false, `bit ${bit}`);
  }
  for (const length of [0, 1, 31]) {
    assertEquals(
      await verifyProof(token, hello, proof.slice(0, length)),
      false,
    );
  }
  const longer = new Uint8Array([...proof, 0]);
  assertEquals(await verifyProof(token, hello, longer), false);
});

Deno.test("nothing is proven where there is no token", async () => {
  const { hello } = madeUp(4);
  const proof = await helloProof(new Uint8Array(0), hello);
  await assertRejects(
    () => verifyProof(new Uint8Array(0), hello, proof),
    RangeError,
    "token must have 32 bytes: current length is 0",
  );
});

Deno.test("fields of a wrong length and numbers that are none are refused", async () => {
  const { token, hello } = madeUp(5);
  for (const field of ["fingerprint", "session", "life", "nonce"] as const) {
    const changed = { ...hello, [field]: hello[field].subarray(1) };
    await assertRejects(() => helloProof(token, changed), RangeError, field);
  }
  for (const field of ["attempt", "connection"] as const) {
    for (const value of [-1, 0.5, NaN, 2 ** 53]) {
      const changed = { ...hello, [field]: value };
      await assertRejects(() => helloProof(token, changed), RangeError, field);
    }
  }
  await assertRejects(() => helloProof(token.subarray(1), hello), RangeError);
});
