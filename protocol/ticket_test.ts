import { assert, assertEquals, assertThrows } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { forAll } from "../tests/testutil/random.ts";
import vectors from "../tests/vectors/ticket.json" with { type: "json" };
import {
  formatTicket,
  looksLikeTicket,
  parseTicket,
  type Ticket,
} from "./ticket.ts";

const TICKETS = vectors.good.map(({ name, ticket: text, ...says }) => {
  const token = Uint8Array.fromHex(says.token);
  const ticket: Ticket = {
    hostname: says.hostname,
    port: says.port,
    fingerprint: Uint8Array.fromHex(says.fingerprint),
    ...(token.length > 0 ? { token } : {}),
  };
  return { name, text, ticket };
});

/** The characters of base64url, and some that are none. */
const CHARACTERS = [
  ..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
  ..."+/=# .é",
];

function refused(text: string): string {
  const error = assertThrows(() => parseTicket(text), SftpxError);
  assertEquals(error.code, "usage");
  return error.message;
}

for (const { name, text, ticket } of TICKETS) {
  Deno.test(`ticket: ${name} is written and read`, () => {
    assertEquals(formatTicket(ticket), text);
    assertEquals(parseTicket(text), ticket);
    assertEquals(parseTicket(` ${text}\r\n`), ticket);
    assertEquals(parseTicket(text.replace("sftpx", "SFTPX")), ticket);
    assert(looksLikeTicket(text));
  });

  Deno.test(`ticket: ${name} is refused when any part is missing`, () => {
    for (let cut = 0; cut < text.length; cut++) refused(text.slice(0, cut));
    const key = text.indexOf("#") + 1;
    for (let at = key; at < text.length; at++) {
      refused(text.slice(0, at) + text.slice(at + 1));
    }
  });

  Deno.test(`ticket: ${name} keeps its key when another character changes`, () => {
    for (let at = 0; at < text.indexOf("#"); at++) {
      for (const character of CHARACTERS) {
        const changed = text.slice(0, at) + character + text.slice(at + 1);
        try {
          const { fingerprint, token } = parseTicket(changed);
          assertEquals(fingerprint, ticket.fingerprint);
          assertEquals(token, ticket.token);
        } catch (error) {
          assert(error instanceof SftpxError && error.code === "usage");
        }
      }
    }
  });
}

for (const { name, text } of TICKETS.slice(0, 2)) {
  Deno.test(`ticket: ${name} is refused when any character of its key is another`, () => {
    for (let at = text.indexOf("#") + 1; at < text.length; at++) {
      for (const character of CHARACTERS) {
        if (character === text[at]) continue;
        refused(text.slice(0, at) + character + text.slice(at + 1));
      }
    }
  });
}

for (const { name, ticket, error } of vectors.bad) {
  Deno.test(`ticket: what is wrong with ${name} is said`, () => {
    assertEquals(refused(ticket), error);
  });
}

Deno.test("parseTicket() reads back what formatTicket() wrote", () => {
  forAll((random) => {
    const bytes = () => Uint8Array.from({ length: 32 }, () => random() * 256);
    const ticket: Ticket = {
      hostname:
        ["a", "10.1.2.3", "::1", "x.example"][Math.floor(random() * 4)] ?? "",
      port: 1 + Math.floor(random() * 65_535),
      fingerprint: bytes(),
      ...(random() < 0.5 ? { token: bytes() } : {}),
    };
    return ticket;
  }, (ticket) => assertEquals(parseTicket(formatTicket(ticket)), ticket));
});

Deno.test("parseTicket() makes a ticket or a usage error of noise", () => {
  const parts = ["sftpx://", "a:1", "/#", "[::1]:2", ":", "AQ", "%", "\u202e"];
  forAll((random) =>
    Array.from(
      { length: random() * 12 },
      () =>
        random() < 0.6
          ? parts[Math.floor(random() * parts.length)]
          : String.fromCodePoint(Math.floor(random() * 0x2_0000)),
    ).join(""), (text) => {
    assertEquals(refused(text).includes("\u202e"), false);
  });
});

Deno.test("an error never repeats the key of a ticket", () => {
  const { text = "" } = TICKETS[0] ?? {};
  const key = text.slice(text.indexOf("#") + 1);
  for (
    const wrong of [
      text.slice(0, -1),
      text.replace("/#", "#"),
      text.replace("sftpx:", "sftp:"),
      text.replace(":4443", ""),
      `${text}?`,
    ]
  ) {
    assertEquals(refused(wrong).includes(key.slice(0, 20)), false);
  }
});

Deno.test("formatTicket() refuses what it could not read back", () => {
  const ticket = { hostname: "a", port: 1, fingerprint: new Uint8Array(32) };
  formatTicket(ticket);
  assertThrows(
    () => formatTicket({ ...ticket, fingerprint: new Uint8Array(31) }),
    RangeError,
    "fingerprint must have 32 bytes: current length is 31",
  );
  for (const length of [0, 31, 33]) {
    assertThrows(
      () => formatTicket({ ...ticket, token: new Uint8Array(length) }),
      RangeError,
      `token must have 32 bytes: current length is ${length}`,
    );
  }
  for (const port of [0, 65_536, 1.5]) {
    assertThrows(() => formatTicket({ ...ticket, port }), SftpxError);
  }
  assertThrows(() => formatTicket({ ...ticket, hostname: "a/b" }), SftpxError);
});

Deno.test("looksLikeTicket() tells a ticket from an address and a path", () => {
  assert(looksLikeTicket(" SFTPX://x"));
  for (const text of ["host:4443", "./sftpx", "sftpx", "a/sftpx://", ""]) {
    assertEquals(looksLikeTicket(text), false);
  }
});

Deno.test("a ticket may name a helper in place of the receiver", () => {
  const ticket: Ticket = {
    hostname: "helper.example",
    port: 4277,
    fingerprint: new Uint8Array(32).fill(7),
    token: new Uint8Array(32).fill(9),
    viaHelper: true,
  };
  const text = formatTicket(ticket);
  assertEquals(text.startsWith("sftpx+helper://helper.example:4277/#"), true);
  assertEquals(looksLikeTicket(text), true);
  assertEquals(parseTicket(text), ticket);
});
