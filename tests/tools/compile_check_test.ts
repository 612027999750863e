import { assertEquals } from "@std/assert";
import { findUnseen } from "../../_tools/compile_check.ts";

const here = (specifier: string): boolean => specifier === "./here.ts";

Deno.test("findUnseen() lets pass what a compiler follows", () => {
  for (
    const source of [
      'await import("hash-wasm");',
      "new Worker(import.meta.url, { type: 'module' });",
      'new Worker(import.meta.resolve("./here.ts"));',
      'new URL("./here.ts", import.meta.url);',
      'new URL("https://example.org/");',
      "// import(name) in a comment",
      "/** new Worker(name) */",
      "import.meta.main;",
    ]
  ) {
    assertEquals(findUnseen(source, here), [], source);
  }
});

Deno.test("findUnseen() finds imports, workers and files that a binary would miss", () => {
  for (
    const source of [
      "await import(name);",
      "await import(`./${name}.ts`);",
      "new Worker(url);",
      'import.meta.resolve("./there.ts");',
      'new URL("./there.html", import.meta.url);',
    ]
  ) {
    assertEquals(findUnseen(source, here).length, 1, source);
  }
});
