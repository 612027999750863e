import { assertEquals } from "@std/assert";
import { forAll, pick } from "../tests/testutil/random.ts";
import { isPlain, whyUnsafe } from "./path_rules.ts";
import { foldedName, safePath } from "./paths.ts";

/** Parts of names that matter to some rule. */
const PARTS = [
  ...["", ".", "..", "...", ".a", "a", "a.", "b c", "-", "src", "C:", "c:x"],
  ...["x".repeat(255), "x".repeat(256), "\x7f", "\n", "\0", "\\", "é", "ſ"],
  ...[".sftpx-partial", "sftpx-partial", ".SFTPX-partial", "\ud800", "😀"],
];

/** The rules once more, as they are said. */
function isSafe(wire: string): boolean {
  const bytes = (text: string): number => new TextEncoder().encode(text).length;
  const parts = wire.split("/");
  return wire.isWellFormed() && bytes(wire) <= 4096 && parts.length <= 256 &&
    !/[\0\\]/.test(wire) && !/^[A-Za-z]:/.test(wire) &&
    foldedName(parts[0] ?? "") !== ".sftpx-partial" &&
    parts.every((part) =>
      !["", ".", ".."].includes(part) && bytes(part) <= 255
    );
}

Deno.test("what is judged in one pass is safe, and what is safe is let through", () => {
  let plain = 0;
  forAll(
    (random) => {
      const most = random() < 0.05 ? 300 : 4;
      const few = random() < 0.5 ? PARTS : ["a", "src", "b.c", ".a"];
      return Array.from(
        { length: 1 + Math.floor(random() * most) },
        () => pick(random, few) + (random() < 0.2 ? pick(random, few) : ""),
      ).join("/");
    },
    (wire) => {
      const safe = isSafe(wire);
      assertEquals(whyUnsafe(wire, false) === undefined, safe, wire);
      let isLetThrough = true;
      try {
        safePath(wire);
      } catch {
        isLetThrough = false;
      }
      assertEquals(isLetThrough, safe, wire);
      if (!isPlain(wire)) return;
      plain++;
      assertEquals(safe, true, wire);
    },
    { runs: 5000 },
  );
  assertEquals(plain > 500, true, `${plain} of them were plain`);
});

Deno.test("names of every day are judged in one pass", () => {
  for (
    const name of ["a", "src/main.ts", "my-project/.gitignore/x y", "a/..."]
  ) {
    assertEquals(isPlain(name), true, name);
  }
  // Of these it says nothing.
  for (const name of ["", ".hidden", "a/..", "a//b", "a/", "/a", "é", "C:x"]) {
    assertEquals(isPlain(name), false, name);
  }
});
