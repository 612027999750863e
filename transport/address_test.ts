import { assertEquals } from "@std/assert";
import { familyOf, formatAddress, withoutBrackets } from "./address.ts";

Deno.test("addresses are shown with brackets around IPv6, and IPv4 within IPv6 as IPv4", () => {
  const shown = [
    "127.0.0.1",
    "::1",
    "fe80::1%2",
    "::ffff:192.0.2.7",
    "a.example",
  ]
    .map((hostname) => formatAddress({ hostname, port: 80 }));
  assertEquals(shown, [
    "127.0.0.1:80",
    "[::1]:80",
    "[fe80::1%2]:80",
    "192.0.2.7:80",
    "a.example:80",
  ]);
});

Deno.test("familyOf() tells addresses from names", () => {
  const cases: [string, 4 | 6 | undefined][] = [
    ["127.0.0.1", 4],
    ["255.255.255.255", 4],
    ["256.0.0.1", undefined],
    ["1.2.3", undefined],
    ["01.2.3.4", undefined],
    ["::", 6],
    ["2001:db8::7", 6],
    ["::ffff:192.0.2.7", 6],
    ["fe80::1%eth0", 6],
    ["fe80:::1", undefined],
    ["localhost", undefined],
    ["", undefined],
  ];
  for (const [hostname, family] of cases) {
    assertEquals(familyOf(hostname), family, hostname);
  }
});

Deno.test("withoutBrackets() takes off what people put around IPv6", () => {
  assertEquals(withoutBrackets("[::1]"), "::1");
  assertEquals(withoutBrackets("::1"), "::1");
  assertEquals(withoutBrackets("host"), "host");
});
