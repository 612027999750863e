import { assert, assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import { systemRandomBytes } from "../../crypto/random.ts";
import type { RouterAddress } from "../../xftp/address.ts";
import { makeIdentityPair } from "../../xftp/router/identity_make.ts";
import { loadIdentity } from "../../xftp/router/identity.ts";
import { addressOf, kitUser, only } from "./client_kit.ts";
import { kitRouter } from "./router_kit.ts";

/**
 * A router as those are whose identity the platform's TLS does not speak: in
 * TLS it shows nothing of its own, and to those who name it a certificate that
 * an authority has signed. Who it is it proves in the hello.
 */
async function webRouter() {
  const now = new Date();
  const made = (hosts: readonly string[]) =>
    makeIdentityPair({ hosts, now, random: systemRandomBytes });
  const [web, other] = [await made(["localhost"]), await made([])];
  const first = await kitRouter();
  const identity = await loadIdentity(`${first.dir}/identity`, now);
  await first.stop();
  const router = await kitRouter({
    identity: { ...identity, tls: other },
    web,
  }, first.dir);
  return {
    router,
    authority: web.caCert,
    async [Symbol.asyncDispose]() {
      await router.stop();
      await Deno.remove(first.dir, { recursive: true });
    },
  };
}

const named = (address: RouterAddress): RouterAddress => ({
  ...address,
  hosts: ["localhost"],
});

Deno.test("a router whose own certificate we cannot see proves itself in the hello, as to browsers", async () => {
  await using web = await webRouter();
  const { router, authority } = web;
  await using user = await kitUser();
  const path = await user.file("a.bin", 5_000_000);
  const trust = { webAuthorities: [authority] };
  const address = named(addressOf(router));
  const stored = await user.store([path], [address], trust);
  await user.fetch(only(stored.recipients), trust);
  await user.sameAs(path, "a.bin");
  assert(router.store.usedBytes > 0);
});

Deno.test("a certificate that no authority has signed, or of another router, opens no way", async () => {
  await using web = await webRouter();
  const { router, authority } = web;
  await using user = await kitUser();
  const path = await user.file("a", 10);
  const trust = { webAuthorities: [authority], attempts: 1 };
  const address = named(addressOf(router));
  const stranger = { ...address, keyHash: new Uint8Array(32).fill(1) };
  const numbered: RouterAddress = { ...address, hosts: ["127.0.0.1"] };
  const tries: readonly (readonly [RouterAddress, object])[] = [
    [address, { attempts: 1 }], // no such authority
    [stranger, trust], // it proves that it is another
    [numbered, trust], // no name that an authority could have signed
  ];
  for (const [to, options] of tries) {
    const error = await assertRejects(
      () => user.store([path], [to], options),
      SftpxError,
    );
    assertEquals(error.code, "unauthorized", error.message);
  }
  assertEquals(router.store.records.count, 0);
});
