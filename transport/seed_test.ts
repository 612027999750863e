import { assertEquals } from "@std/assert";
import { seedTls } from "./seed.ts";

Deno.test("seedTls() asks for one key, off this thread, and says nothing of a failure", async () => {
  const real = crypto.subtle.generateKey;
  const asked: unknown[] = [];
  try {
    crypto.subtle.generateKey = ((kind: unknown) => {
      asked.push(kind);
      return Promise.reject(new Error("no entropy"));
    }) as typeof real;
    await seedTls();
  } finally {
    crypto.subtle.generateKey = real;
  }
  assertEquals(asked, [{ name: "ECDSA", namedCurve: "P-256" }]);
  await seedTls(); // and the real one is there
});
