import { assertEquals } from "@std/assert";

const read = (path: string): Promise<string> =>
  Deno.readTextFile(new URL(`../../${path}`, import.meta.url));

const PAGE = await read("docs/dependencies.md");
const IMPORTS: Readonly<Record<string, string>> =
  JSON.parse(await read("deno.json")).imports;
const LOCKED: readonly string[] = Object.keys(
  JSON.parse(await read("deno.lock")).npm,
).map((key) => key.slice(0, key.indexOf("@", 1)));

Deno.test("docs/dependencies.md names every import with its version, and no other", () => {
  assertEquals(
    rows().map(([name, version]) => [name, version]).sort(),
    wanted(),
  );
});

Deno.test("docs/dependencies.md says where an import is used", async () => {
  const wrong: string[] = [];
  for (const [name = "", , , places = ""] of rows()) {
    for (const [, path = ""] of places.matchAll(/`([\w/]+\.ts)`/g)) {
      if (!(await read(path)).includes(`"${name}`)) {
        wrong.push(`${path} does not import ${name}`);
      }
    }
  }
  assertEquals(wrong, []);
});

Deno.test("docs/dependencies.md names what imports bring along", () => {
  const said = [...PAGE.matchAll(/`([@\w/*-]+)`/g)].map(([, name = ""]) =>
    name
  );
  const isNamed = (name: string): boolean =>
    said.some((one) =>
      one.endsWith("*") ? name.startsWith(one.slice(0, -1)) : one === name
    );
  assertEquals(LOCKED.filter((name) => !isNamed(name)), []);
});

/** The cells of the rows of the first table. */
function rows(): string[][] {
  const end = PAGE.indexOf("They bring along");
  return [...PAGE.slice(0, end).matchAll(/^\| (`.*) \|$/gm)]
    .map(([, row = ""]) => row.split("|").map((cell) => cell.trim()))
    .map(([name = "", ...rest]) => [name.replaceAll("`", ""), ...rest]);
}

/** What the first two cells must be, from deno.json. */
function wanted(): string[][] {
  return Object.entries(IMPORTS).map(([name, target]) => {
    const [, other = "", version = ""] = /^npm:(.+)@([^@]+)$/.exec(target) ??
      [];
    if (other === "") return [name, `\`${target.replace(/^\.\//, "")}\``];
    return [
      name,
      other === name ? `npm ${version}` : `npm \`${other}\` ${version}`,
    ];
  }).sort();
}
