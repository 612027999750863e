import { assert, assertEquals, assertThrows } from "@std/assert";
import { ERRORS } from "../../core/errors.ts";
import { findCycles } from "../../_tools/cycles.ts";
import { errorTable, withErrorTable } from "../../_tools/error_table.ts";
import { judgeLengths } from "../../_tools/file_limits.ts";
import { type Graph, parseGraph, readGraph } from "../../_tools/graph.ts";
import { findSecrets } from "../../_tools/secrets_scan.ts";
import { parseSummary } from "../../_tools/test.ts";

/** A graph of modules that import each other as `edges` says. */
function graphOf(edges: Record<string, readonly string[]>): Graph {
  return new Map(
    Object.entries(edges).map(([from, to]) => [
      from,
      to.map((code) => ({ specifier: code, code, isDynamic: false })),
    ]),
  );
}

Deno.test("findCycles() finds rings of any length, each once, and no diamond", () => {
  assertEquals(
    findCycles(graphOf({ a: ["b", "c"], b: ["d"], c: ["d"], d: [] })),
    [],
  );
  assertEquals(findCycles(graphOf({ a: ["a"] })), [["a", "a"]]);
  assertEquals(
    findCycles(graphOf({ x: ["a"], a: ["b"], b: ["c"], c: ["a"] })),
    [["a", "b", "c", "a"]],
  );
});

Deno.test("parseGraph() keeps what runs, and knows import type from import", () => {
  const json = JSON.stringify({
    modules: [{
      specifier: "file:///a.ts",
      dependencies: [
        { specifier: "./b.ts", type: { specifier: "file:///b.ts" } },
        { specifier: "./c.ts", code: { specifier: "file:///c.ts" } },
        {
          specifier: "./d.ts",
          code: { specifier: "file:///d.ts" },
          isDynamic: true,
        },
      ],
    }],
  });
  assertEquals(parseGraph(json).get("file:///a.ts"), [
    { specifier: "./b.ts", isDynamic: false },
    { specifier: "./c.ts", isDynamic: false, code: "file:///c.ts" },
    { specifier: "./d.ts", isDynamic: true, code: "file:///d.ts" },
  ]);
  const missing = JSON.stringify({
    modules: [{ specifier: "file:///a.ts", error: "Module not found" }],
  });
  assertThrows(() => parseGraph(missing), Error, "Module not found");
});

Deno.test("readGraph() reads the modules of the repository", async () => {
  const graph = await readGraph(["core/supervisor.ts"]);
  const names = [...graph.keys()].map((module) => module.split("/").at(-1));
  assert(names.includes("supervisor.ts"));
  assert(names.includes("mailbox.ts"));
  assert(!names.includes("entry.ts"));
});

Deno.test("judgeLengths() warns over 300 lines, refuses over 400, and lets tests be", () => {
  const { warnings, problems } = judgeLengths([
    ["core/a.ts", 300],
    ["core/b.ts", 301],
    ["core/c.ts", 400],
    ["core/d.ts", 401],
    ["core/d_test.ts", 900],
    ["tests/cli/e.ts", 900],
  ]);
  assertEquals(warnings.map((text) => text.split(" ")[0]), [
    "core/b.ts",
    "core/c.ts",
  ]);
  assertEquals(problems.map((text) => text.split(" ")[0]), ["core/d.ts"]);
});

Deno.test("findSecrets() sees a private key, and not the code that reads one", () => {
  // Put together here, so that this file is not what it looks for.
  const header = ["-----BEGIN", "PRIVATE KEY-----"].join(" ");
  const body = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n";
  assertEquals(findSecrets("a.md", `x\n${header}\n${body}`).length, 1);
  const ecHeader = header.replace("PRIVATE", "EC PRIVATE");
  assertEquals(findSecrets("a.txt", `${ecHeader}\r\n${body}`).length, 1);
  assertEquals(findSecrets("a.ts", `const HEADER = "${header}";`), []);
  assertEquals(findSecrets("certs/key.pem", "").length, 1);
  assertEquals(findSecrets("certs/token", "").length, 1);
  assertEquals(findSecrets("certs/README.md", "key.pem"), []);
  assertEquals(findSecrets("crypto/token.ts", ""), []);
});

Deno.test("errorTable() has a row for every code", () => {
  const rows = errorTable().split("\n").slice(2);
  assertEquals(rows.length, Object.keys(ERRORS).length);
  const widths = new Set(errorTable().split("\n").map((row) => row.length));
  assertEquals(widths.size, 1);
});

Deno.test("withErrorTable() renews the block and nothing around it", () => {
  const begin = "<!-- errors: written by _tools/error_table.ts -->";
  const end = "<!-- errors: end -->";
  const text = withErrorTable(`# A\n\n${begin}\nold\n${end}\n\n# B\n`);
  assert(text.startsWith("# A\n\n") && text.endsWith("\n\n# B\n"));
  assert(text.includes(errorTable()) && !text.includes("old"));
  assertEquals(withErrorTable(text), text);
  assertThrows(() => withErrorTable("# A\n"), Error, "is missing");
});

Deno.test("parseSummary() adds up what deno test prints, colours or not", () => {
  assertEquals(parseSummary("ok | 13 passed | 0 failed (59ms)\n"), {
    passed: 13,
    failed: 0,
  });
  assertEquals(
    parseSummary(
      "\x1b[0m\x1b[31mFAILED\x1b[0m | 3 passed (2 steps) | 1 failed | 2 ignored (1s)\n" +
        "ok | 4 passed | 0 failed (1s)\n",
    ),
    { passed: 7, failed: 1 },
  );
  assertEquals(parseSummary("error: Type checking failed.\n"), undefined);
});
