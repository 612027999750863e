import { assertEquals, assertStrictEquals } from "@std/assert";
import { PARTS } from "./parts.ts";
import { PARTS_LATER } from "./parts_later.ts";

Deno.test("parts: what is loaded later is what a bundle holds", async () => {
  const names = Object.keys(PARTS) as (keyof typeof PARTS)[];
  assertEquals(Object.keys(PARTS_LATER), names);
  for (const name of names) {
    assertStrictEquals<unknown>(
      await PARTS_LATER[name](),
      await PARTS[name](),
      name,
    );
  }
});

Deno.test("parts: from its sources the program begins with few modules", async () => {
  const first = await loadedAtStart("sftpx.ts");
  assertEquals(first.size, 3, [...first].join());
  const loaded = await loadedAtStart("start.ts");
  assertEquals(loaded.size > 10 && loaded.size < 40, true, `${loaded.size}`);
  // What a plain transfer loads after that must not lead to the whole either.
  for (const part of ["send.ts", "recv.ts", "../actors/send_files.ts"]) {
    const more = await loadedAtStart(part);
    const whole = [...more].find((it) => /\/(parts|meet)\.ts$/.test(it));
    assertEquals(whole, undefined, part);
  }
});

Deno.test("parts: a plain transfer's sender loads nothing of Node", async () => {
  const entries = ["start.ts", "send.ts", "config.ts", "render.ts"];
  for (const entry of [...entries, "../actors/send_files.ts"]) {
    const loaded = await loadedAtStart(entry, { isStatic: true });
    const slow = [...loaded].filter((it) => !/^file:|@noble/.test(it));
    assertEquals(slow, [], entry);
  }
});

Deno.test("parts: what is loaded ahead of a plain send is all that it runs", async () => {
  const needed = new Set<string>();
  const entries = ["start.ts", "config.ts", "heap.ts", "render.ts", "send.ts"];
  entries.push("../actors/send_files.ts", "../crypto/digest_little.ts");
  for (const entry of entries) {
    const loaded = await loadedAtStart(entry, { isStatic: true });
    for (const module of loaded) {
      if (module.startsWith("file:")) needed.add(module);
    }
  }
  const list = new Set(
    await loadedAtStart("send_ahead.ts", { isStatic: true }),
  );
  list.delete(import.meta.resolve("./send_ahead.ts"));
  const text = await Deno.readTextFile(
    new URL("send_ahead.ts", import.meta.url),
  );
  const named = [...text.matchAll(/^import "(.*)";$/gm)]
    .map(([, name = ""]) => import.meta.resolve(name));
  assertEquals(named, [...needed].toSorted());
  const ours = [...list].filter((module) => module.startsWith("file:"));
  assertEquals(ours.toSorted(), named);
});

interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly isDynamic?: boolean;
      readonly code?: { readonly specifier?: string };
    }[];
  }[];
}

/** The modules that Deno reads before `entry` runs: also what a literal names in `import()`. */
async function loadedAtStart(
  entry: string,
  { isStatic = false } = {},
): Promise<ReadonlySet<string>> {
  const url = import.meta.resolve(`./${entry}`);
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", url],
    stdin: "null",
  }).output();
  const { modules }: Info = JSON.parse(new TextDecoder().decode(stdout));
  const found = new Set<string>();
  const visit = (module: string): void => {
    if (found.has(module)) return;
    found.add(module);
    const it = modules.find(({ specifier }) => specifier === module);
    for (const { code, isDynamic = false } of it?.dependencies ?? []) {
      if (isStatic && isDynamic) continue;
      if (code?.specifier !== undefined) visit(code.specifier);
    }
  };
  visit(url);
  return found;
}
