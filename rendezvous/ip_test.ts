import { assertEquals, assertThrows } from "@std/assert";
import { ipBytes, ipText, scopeOf } from "./ip.ts";

Deno.test("ipText() writes back what ipBytes() read, in the one short form", () => {
  for (
    const [given, text] of [
      ["192.0.2.1", "192.0.2.1"],
      ["::", "::"],
      ["::1", "::1"],
      ["2001:DB8::0:1", "2001:db8::1"],
      ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
      ["fe80::1%eth0", "fe80::1"],
      ["::ffff:10.0.0.7", "10.0.0.7"],
    ] as const
  ) {
    assertEquals(ipText(ipBytes(given)), text, given);
  }
});

Deno.test("ipBytes() takes no names and no half addresses", () => {
  for (const text of ["", "example.org", "1.2.3", "1.2.3.256", "::g", "1:2"]) {
    assertThrows(() => ipBytes(text), RangeError);
  }
  assertThrows(() => ipText(new Uint8Array(5)), RangeError);
});

Deno.test("scopeOf() tells from where an address can be reached", () => {
  const scopes = {
    "127.0.0.1": "loopback",
    "::1": "loopback",
    "169.254.3.4": "link",
    "fe80::1": "link",
    "10.1.2.3": "private",
    "172.31.0.1": "private",
    "172.32.0.1": "public",
    "192.168.1.1": "private",
    "fd00::2": "private",
    "100.64.0.1": "shared",
    "100.128.0.1": "public",
    "198.51.100.7": "public",
    "2001:db8::1": "public",
    "0.0.0.0": "none",
    "::": "none",
    "224.0.0.1": "none",
    "255.255.255.255": "none",
    "ff02::1": "none",
  } as const;
  for (const [address, scope] of Object.entries(scopes)) {
    assertEquals(scopeOf(address), scope, address);
  }
});
