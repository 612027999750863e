import { assertEquals, assertThrows } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { forAll } from "../tests/testutil/random.ts";
import { formatAddress, parseAddress, parseBind } from "./address.ts";

/** What was written, the host and the port that it means, and how it is written back. */
const GOOD = [
  ["host", "host", 4443, "host:4443"],
  ["Files.Example.ORG:80", "files.example.org", 80, "files.example.org:80"],
  ["example.org.", "example.org.", 4443, "example.org.:4443"],
  ["my_nas:1", "my_nas", 1, "my_nas:1"],
  ["xn--bcher-kva.example", "xn--bcher-kva.example", 4443, undefined],
  ["1host.2x", "1host.2x", 4443, undefined],
  ["127.0.0.1", "127.0.0.1", 4443, "127.0.0.1:4443"],
  ["255.255.255.255:65535", "255.255.255.255", 65_535, undefined],
  ["0.0.0.0:4443", "0.0.0.0", 4443, undefined],
  ["[::1]", "::1", 4443, "[::1]:4443"],
  ["[::1]:443", "::1", 443, "[::1]:443"],
  ["::1", "::1", 4443, "[::1]:4443"],
  ["::", "::", 4443, undefined],
  ["2001:DB8::7", "2001:db8::7", 4443, "[2001:db8::7]:4443"],
  ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", 4443, undefined],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7::", 4443, undefined],
  ["[::ffff:192.0.2.7]:9", "::ffff:192.0.2.7", 9, undefined],
  ["1:2:3:4:5:6:192.0.2.7", "1:2:3:4:5:6:192.0.2.7", 4443, undefined],
] as const;

const NOT_V6 = "the host is no IPv6 address";
const NOT_V4 = "the host is no IPv4 address";
const NO_NAME = "the host is no name and no IP address";
const PORT = "the port must be a number in 1..65535";
const ASCII =
  "the host has letters other than ASCII; write it in its xn-- form";
const BAD = [
  ["", "it has no host"],
  [":80", "it has no host"],
  ["host:", PORT],
  ["host:0", PORT],
  ["host:080", PORT],
  ["host:65536", PORT],
  ["host:99999999999999999999", PORT],
  ["host:+1", PORT],
  ["host:1e3", PORT],
  ["host: 80", PORT],
  ["[::1]:", PORT],
  ["[::1]:x", PORT],
  ["ho st", NO_NAME],
  ["host\n", NO_NAME],
  ["a..b", NO_NAME],
  [".a", NO_NAME],
  ["-a", NO_NAME],
  ["a-.b", NO_NAME],
  ["a/b", NO_NAME],
  ["user@host", NO_NAME],
  ["*.example.org", NO_NAME],
  [`${"a".repeat(64)}.b`, NO_NAME],
  [`${"a.".repeat(127)}`, NO_NAME],
  ["1.2.3", NOT_V4],
  ["1.2.3.256", NOT_V4],
  ["1.2.3.04", NOT_V4],
  ["1.2.3.4.5", NOT_V4],
  ["1.2.3.4.", NOT_V4],
  ["2130706433", NOT_V4],
  ["0x7f.0x1", NOT_V4],
  ["[]", NOT_V6],
  ["[host]:1", NOT_V6],
  ["[127.0.0.1]:1", NOT_V6],
  ["[::1", NOT_V6],
  ["::1]", NOT_V6],
  ["[[::1]]", NOT_V6],
  ["[::1]x", NOT_V6],
  [":::", NOT_V6],
  ["1::2::3", NOT_V6],
  ["1:2:3:4:5:6:7", NOT_V6],
  ["1:2:3:4:5:6:7:8:9", NOT_V6],
  ["1:2:3:4::5:6:7:8", NOT_V6],
  [":1:2:3:4:5:6:7:8", NOT_V6],
  ["12345::", NOT_V6],
  ["g::", NOT_V6],
  ["::1.2.3", NOT_V6],
  ["1.2.3.4::", NOT_V6],
  ["host:80:90", NOT_V6],
  ["fe80::1%eth0", "the IPv6 address has a zone"],
  ["bücher.example", ASCII],
  ["раураl.example:1", ASCII],
  ["ｈost", ASCII],
] as const;

Deno.test("parseAddress() reads every form that people write", () => {
  for (const [text, hostname, port, written] of GOOD) {
    const address = parseAddress(text, 4443);
    assertEquals(address, { hostname, port }, text);
    const back = formatAddress(address);
    if (written !== undefined) assertEquals(back, written);
    assertEquals(parseAddress(back), address);
  }
});

Deno.test("parseAddress() says what is wrong with the others", () => {
  for (const [text, reason] of BAD) {
    const error = assertThrows(() => parseAddress(text, 4443), SftpxError);
    assertEquals(
      error.message,
      `Cannot read address ${JSON.stringify(text)}: ${reason}`,
    );
    assertEquals(error.code, "usage");
  }
});

Deno.test("parseAddress() wants a port where none is assumed", () => {
  for (const text of ["host", "[::1]", "::1", "10.0.0.1"]) {
    assertThrows(
      () => parseAddress(text),
      SftpxError,
      `Cannot read address "${text}": it has no port`,
    );
  }
});

Deno.test("parseAddress() does not repeat what is too long to be an address", () => {
  const error = assertThrows(() => parseAddress("a".repeat(301)), SftpxError);
  assertEquals(error.message, "Cannot read address: it is too long");
});

Deno.test("parseAddress() makes an address that reads back, or a usage error, of noise", () => {
  const parts = [
    "a",
    "1",
    "::",
    ":",
    ".",
    "[",
    "]",
    "255",
    "-",
    "\x1b",
    "\u202e",
  ];
  forAll(
    (random) =>
      Array.from(
        { length: random() * 10 },
        () => parts[Math.floor(random() * parts.length)],
      ).join(""),
    (text) => {
      try {
        const address = parseAddress(text, 1);
        assertEquals(parseAddress(formatAddress(address)), address);
      } catch (error) {
        if (!(error instanceof SftpxError && error.code === "usage")) {
          throw error;
        }
        assertEquals(/[\p{Cc}\p{Cf}]/u.test(error.message), false);
      }
    },
    { runs: 3000 },
  );
});

Deno.test("an IPv6 address is one exactly when the platform thinks so", () => {
  const parts = ["1", "ab", "::", ":", "0", "ffff", "1.2.3.4", "00001"];
  forAll(
    (random) =>
      Array.from(
        { length: 1 + random() * 14 },
        () => parts[Math.floor(random() * parts.length)],
      ).join(""),
    (text) => {
      const platform = URL.canParse(`http://[${text}]/`);
      let ours = true;
      try {
        parseAddress(`[${text}]:1`);
      } catch {
        ours = false;
      }
      assertEquals(ours, platform, text);
    },
    { runs: 5000 },
  );
});

Deno.test("parseBind() takes port 0 for any that is free, and parseAddress() does not", () => {
  assertEquals(parseBind("127.0.0.1:0"), { hostname: "127.0.0.1", port: 0 });
  assertEquals(parseBind("[::]:0"), { hostname: "::", port: 0 });
  assertEquals(parseBind("localhost", 4443).port, 4443);
  assertThrows(() => parseBind("127.0.0.1:65536"), SftpxError, "0..65535");
  assertThrows(() => parseAddress("127.0.0.1:0"), SftpxError, "1..65535");
});
