import { assert, assertEquals, assertThrows } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { forAll } from "../tests/testutil/random.ts";
import {
  baseName,
  foldedName,
  isHidden,
  linkStaysInside,
  numberedName,
  numberedPath,
  parentOf,
  printable,
  quoted,
  safePath,
  splitPath,
} from "./paths.ts";

const GOOD = [
  "a",
  "a/b/c",
  "...",
  "..a",
  "a..",
  ".hidden",
  "-rf",
  "with space ",
  "Grüße/日本語/👩‍👩‍👧 🏴",
  "line\nfeed\x1b[31m",
  "a/C:x",
  "sftpx-partial",
  "a/.sftpx-partial",
  "x".repeat(255),
  "ü".repeat(127),
  Array.from({ length: 256 }, () => "d").join("/"),
];

const BAD: readonly (readonly [name: string, reason: string])[] = [
  ["", "empty"],
  ["/", "absolute"],
  ["/etc/passwd", "absolute"],
  ["//srv/share", "absolute"],
  ["C:x", "absolute"],
  ["c:/x", "absolute"],
  ["C:\\x", "backslash"],
  ["\\\\srv\\x", "backslash"],
  ["..\\x", "backslash"],
  [".", '"."'],
  ["..", '".."'],
  ["../x", '".."'],
  ["a/../../x", '".."'],
  ["a/..", '".."'],
  ["a/./b", '"."'],
  ["a//b", "part of it is empty"],
  ["a/", "part of it is empty"],
  ["a\0b", "zero byte"],
  ["a\ud800", "not Unicode"],
  ["\udc00/a", "not Unicode"],
  ["x".repeat(256), "longer than 255"],
  ["ü".repeat(128), "longer than 255"],
  [Array.from({ length: 17 }, () => "x".repeat(250)).join("/"), "4096"],
  [Array.from({ length: 257 }, () => "d").join("/"), "deeper than 256"],
  [".sftpx-partial", "parts are kept"],
  [".sftpx-partial/0/1.part", "parts are kept"],
  [".SFTPX-Partial/x", "parts are kept"],
  [".sftpx-partial. ./x", "parts are kept"],
  [".sf\u200ctpx-partial", "parts are kept"],
  [".ſftpx-partial", "parts are kept"],
];

const NOT_PORTABLE = [
  "CON",
  "con.txt",
  "a/nul/b",
  "COM1",
  "COM1 ",
  "COM1 .txt",
  "com\u00b9",
  "LPT\u00b3.x",
  "CONIN$",
  "a.",
  "a ",
  "a./b",
  "dir/a:stream",
  "x/C:y",
  "what?",
  "a*",
  'a"b',
  "a<b",
  "a|b",
  "a\nb",
  "\x1b[2J",
  "SFTPX-~1/x",
];

Deno.test("safePath() lets ordinary names through as they are", () => {
  for (const name of GOOD) {
    assertEquals(safePath(name), name);
  }
});

Deno.test("safePath() refuses every name that could mean another place", () => {
  for (const [name, reason] of BAD) {
    const error = assertThrows(() => safePath(name), SftpxError, reason);
    assertEquals(error.code, "protocol");
    assertThrows(() => safePath(name, { portable: true }), SftpxError);
  }
});

Deno.test("safePath() refuses, where asked, what other systems would change", () => {
  for (const name of NOT_PORTABLE) {
    assertEquals(safePath(name), name);
    assertThrows(() => safePath(name, { portable: true }), SftpxError);
  }
  for (const name of ["console", "a.con", "com", "COM10", "naïve.txt"]) {
    assertEquals(safePath(name, { portable: true }), name);
  }
});

Deno.test("a refused name never stands raw in the message", () => {
  const error = assertThrows(() => safePath("\x1b[2J\u202e/../x"), SftpxError);
  assertEquals(
    error.message,
    'Cannot use the name "\\u{1b}[2J\\u{202e}/../x": a part of it is ".."',
  );
});

Deno.test("safePath() refuses noise or stays inside", () => {
  const alphabet = [
    ..."abC.  :/\\/\0~1\n\u202e",
    "..",
    "/../",
    "./",
    "\ud800",
    "\udc00",
    "é",
    "e\u0301",
    ".sftpx-partial",
    "\uff0f",
    "\u2215",
    "\uff0e\uff0e",
  ];
  forAll(
    (random) =>
      Array.from(
        { length: 1 + Math.floor(random() * 12) },
        () => alphabet[Math.floor(random() * alphabet.length)],
      ).join(""),
    (wire) => {
      let path: string;
      try {
        path = safePath(wire, { portable: wire.length % 2 === 0 });
      } catch (error) {
        assert(error instanceof SftpxError && error.code === "protocol");
        return;
      }
      assertEquals(path, wire);
      // A second opinion, from a parser that is not ours.
      const url = new URL(
        path.split("/").map(encodeURIComponent).join("/"),
        "file:///root/",
      );
      const root = "/root/";
      assert(url.pathname.startsWith(root), path);
      assertEquals(
        url.pathname.slice(root.length).split("/").map(decodeURIComponent),
        path.split("/"),
      );
      assert(!/[\\\0]/.test(path) && path.split("/").every((part) => part));
    },
    { runs: 3000 },
  );
});

Deno.test("a path is taken apart into parent, name and components", () => {
  assertEquals(splitPath(safePath("a/b/c")), ["a", "b", "c"]);
  assertEquals(parentOf(safePath("a/b/c")), "a/b");
  assertEquals(parentOf(safePath("a")), "");
  assertEquals(baseName(safePath("a/b/c")), "c");
  assertEquals(baseName(safePath("a")), "a");
  assert(isHidden(safePath(".ssh/config")));
  assert(!isHidden(safePath("src/.git")));
});

Deno.test("numberedName() puts the number before the extension", () => {
  for (
    const [name, expected] of [
      ["name", "name (1)"],
      ["name.txt", "name (1).txt"],
      ["name.tar.gz", "name (1).tar.gz"],
      [".bashrc", ".bashrc (1)"],
      [".bashrc.bak", ".bashrc (1).bak"],
      ["..a", "..a (1)"],
      ["v1. final draft", "v1. final draft (1)"],
      ["tar.gz", "tar (1).gz"],
      ["ends.", "ends. (1)"],
      ["été.été", "été (1).été"],
    ] as const
  ) {
    assertEquals(numberedName(name, 1), expected);
  }
  assertEquals(numberedName("a.b", 27), "a (27).b");
  assertThrows(() => numberedName("a", 0), RangeError);
});

Deno.test("numberedName() keeps within what a name may be", () => {
  const bytes = (text: string) => new TextEncoder().encode(text).length;
  const long = numberedName("😀".repeat(63) + ".gz", 12);
  assertEquals(long, "😀".repeat(61) + " (12).gz");
  assert(bytes(long) <= 255);
  forAll(
    (random) =>
      Array.from(
        { length: 1 + Math.floor(random() * 255) },
        () => "aé日😀.".charAt(Math.floor(random() * 4)) || ".",
      ).join("").toWellFormed().replaceAll("\ufffd", "x"),
    (name) => {
      const numbered = numberedName(name, 7);
      assert(numbered.isWellFormed() && bytes(numbered) <= 255);
      assert(numbered.includes(" (7)"));
    },
  );
});

Deno.test("numberedPath() stays beside the path", () => {
  assertEquals(numberedPath(safePath("a/b.c"), 2), "a/b (2).c");
  assertEquals(numberedPath(safePath("b.c"), 2), "b (2).c");
  const deep = Array.from({ length: 16 }, () => "x".repeat(255)).join("/");
  assertEquals(numberedPath(safePath(deep), 3).length, 4095);
});

Deno.test("a link stays inside only if its text can never leave", () => {
  const at = safePath("a/b/link");
  for (
    const target of ["x", "./x", "..", "../..", "../../z", "../x/y", "..."]
  ) {
    assert(linkStaysInside(at, target), target);
  }
  for (
    const target of [
      "",
      "/",
      "/etc/passwd",
      "../../..",
      "../../../z",
      "x/../y", // x may be a link itself
      "x/../../../../z",
      "C:\\x",
      "c:/x",
      "..\\..\\..\\x",
      "a\0b",
      "\ud800",
      "../../.sftpx-partial/0",
      "x/".repeat(3000),
    ]
  ) {
    assert(!linkStaysInside(at, target), target);
  }
  assert(linkStaysInside(safePath("link"), "x"));
  assert(linkStaysInside(safePath("link"), "."));
  assert(!linkStaysInside(safePath("link"), ".."));
  assert(!linkStaysInside(safePath("link"), ".Sftpx-partial"));
});

Deno.test("printable() leaves nothing that a terminal would act on", () => {
  assertEquals(printable("plain ünï 👩‍👧"), "plain ünï 👩‍👧");
  assertEquals(
    printable("\x1b]52;c;x\x07\x9b1m\r\n\x7f"),
    "\\u{1b}]52;c;x\\u{7}\\u{9b}1m\\u{d}\\u{a}\\u{7f}",
  );
  assertEquals(
    printable("\u202egpj\u2066\u200f\u061c\u2028\u2029\ud800"),
    "\\u{202e}gpj\\u{2066}\\u{200f}\\u{61c}\\u{2028}\\u{2029}\\u{d800}",
  );
  for (let code = 0; code < 0x3000; code++) {
    const shown = printable(String.fromCharCode(code));
    // deno-lint-ignore no-control-regex -- these are what it is about
    assert(!/[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/.test(shown));
  }
});

Deno.test("quoted() cuts what is long", () => {
  assertEquals(quoted("a\n"), '"a\\u{a}"');
  assertEquals(quoted("x".repeat(300)), `"${"x".repeat(200)}…"`);
});

Deno.test("foldedName() is the same for names that a folding system confuses", () => {
  assertEquals(foldedName("Straße"), foldedName("STRASSE"));
  assertEquals(foldedName("é"), foldedName("e\u0301"));
  assertEquals(foldedName("A."), foldedName("a"));
  assert(foldedName("a") !== foldedName("b"));
});
