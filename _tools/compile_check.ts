/**
 * Checks what the single binary needs, all but the runtime (`denort`) that
 * `deno compile` would download: that everything the program reads at run time
 * is in it, that one script made of it sends and receives, and that compiling
 * goes through.
 *
 * With DENORT_BIN set to a `denort`, the binary itself sends and receives too.
 *
 * @module
 */
import { pathToFileURL } from "node:url";
import { compareTrees } from "./demo/compare.ts";
import { makeTree } from "./demo/make_tree.ts";
import { freePort, start } from "./demo/process.ts";
import { type Graph, readGraph } from "./graph.ts";
import { say } from "./say.ts";
import { ROOT } from "./tree.ts";

const ENTRY = "cmd/whole.ts";
const DENO = Deno.execPath();
/** The runtime as it is, and what SFTPX adds to it at least. */
const ADDED_BYTES = 200_000;

/**
 * Finds what a module asks for at run time that no compiler can see.
 *
 * @param source The text of the module.
 * @param included Tells whether the file of this specifier is in the binary.
 */
export function findUnseen(
  source: string,
  included: (specifier: string) => boolean,
): string[] {
  const unseen: string[] = [];
  const code = source.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  for (const [, argument = ""] of code.matchAll(/\bimport\(\s*([^)]*)\)/g)) {
    if (!/^(["'])[^"']+\1/.test(argument)) {
      unseen.push(`import(${argument}) has no literal name`);
    }
  }
  const files = [
    /import\.meta\.resolve\(\s*["'`]([^"'`]*)["'`]/g,
    /new URL\(\s*["'`]([^"'`]*)["'`]\s*,\s*import\.meta\.url/g,
  ];
  for (
    const [, specifier = ""] of files.flatMap((it) => [...code.matchAll(it)])
  ) {
    if (!included(specifier)) {
      unseen.push(`"${specifier}" is not in the binary: --include it`);
    }
  }
  for (const [, argument = ""] of code.matchAll(/new Worker\(\s*([^,)]*)/g)) {
    const known = /^(import\.meta\.url|import\.meta\.resolve\(|new URL\()/;
    if (!known.test(argument)) {
      unseen.push(`new Worker(${argument}) cannot be followed`);
    }
  }
  return unseen;
}

/** Looks through all modules of the program. */
async function scan(
  graph: Graph,
  includes: readonly string[],
): Promise<string[]> {
  const packed = new Set([
    ...graph.keys(),
    ...includes.map((path) => pathToFileURL(ROOT + path).href),
  ]);
  const problems: string[] = [];
  for (const module of graph.keys()) {
    if (!module.startsWith("file:")) continue;
    const source = await Deno.readTextFile(new URL(module));
    const unseen = findUnseen(
      source,
      (specifier) => packed.has(new URL(specifier, module).href),
    );
    problems.push(...unseen.map((what) => `${module}: ${what}`));
  }
  return problems;
}

/** The command of a task of deno.json, as its words. */
async function taskWords(name: string): Promise<string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  return String(tasks[name].command).split(" ");
}

/** What the words after each `flag` are. */
function valuesOf(words: readonly string[], flag: string): string[] {
  return words.filter((_, i) => words[i - 1] === flag);
}

/** Runs Deno and returns what it printed on stdout; throws with all it said. */
async function deno(
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(DENO, {
    args: [...args],
    cwd: options.cwd ?? ROOT,
    env: { NO_COLOR: "1", ...options.env },
    stdin: "null",
  }).output();
  const [out, talk] = [stdout, stderr].map((it) =>
    new TextDecoder().decode(it)
  );
  if (code !== 0) {
    throw new Error(`deno ${args[0]} ended with ${code}\n${out}${talk}`);
  }
  return out ?? "";
}

/** Sends a small tree from one process of `command` to another. */
async function transfer(
  command: readonly string[],
  folder: string,
): Promise<string> {
  const [from, to] = [`${folder}/from`, `${folder}/to`];
  await Deno.mkdir(to, { recursive: true });
  await makeTree(from, { bigBytes: 20_000_000, smallFiles: 200 });
  const address = `127.0.0.1:${freePort()}`;
  const receiver = start({
    command,
    args: ["recv", "--bind", address, "--once", "--json"],
    cwd: to,
  });
  try {
    await receiver.next("listening");
    const sender = start({
      command,
      args: ["send", from, "--to", address, "--json"],
      // Here are certs/ and with it all that a sender needs.
      cwd: to,
    });
    const codes = [await sender.ended, await receiver.ended];
    if (codes.some((code) => code !== 0)) {
      throw new Error(
        `exit codes ${
          codes.join(" and ")
        }\n${sender.lastWords()}${receiver.lastWords()}`,
      );
    }
  } finally {
    await receiver.kill();
  }
  const { differences, files } = await compareTrees(from, `${to}/uploads/from`);
  if (differences.length > 0) throw new Error(differences.join("\n"));
  return `${files} files arrived, all the same`;
}

async function main(): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "sftpx-compile-" });
  const script = `${folder}/sftpx.js`;
  let failed = 0;
  const step = async (
    name: string,
    run: () => Promise<string>,
  ): Promise<void> => {
    try {
      say(`compile: ${name}: ${await run()}`);
    } catch (error) {
      failed++;
      const reason = error instanceof Error ? error.message : String(error);
      say(`compile: ${name}: FAILED: ${reason}`);
    }
  };
  const replaceOutput = (words: readonly string[], output: string): string[] =>
    words.slice(1).map((word, i) => words[i] === "-o" ? output : word);

  try {
    const compile = await taskWords("compile");
    const bundle = await taskWords("bundle");
    await step("types", async () => {
      await deno(["check", ENTRY]);
      return "ok";
    });
    await step("what is read at run time", async () => {
      const includes = valuesOf(compile, "--include");
      const graph = await readGraph([ENTRY, ...includes]);
      const problems = await scan(graph, includes);
      if (problems.length > 0) throw new Error(problems.join("\n"));
      return `all of it is in the ${graph.size} modules`;
    });
    await step("one script", async () => {
      await deno(replaceOutput(bundle, script));
      const { size } = await Deno.stat(script);
      const version = await deno(["run", "-A", script, "--version"], {
        cwd: folder,
      });
      return `${Math.round(size / 1024)} KiB, and says "${version.trim()}"`;
    });
    await step("one script sends and receives", () =>
      transfer(
        [DENO, "run", "-A", "--unstable-net", script],
        `${folder}/script`,
      ));
    await step("packaging", async () => {
      const output = `${folder}/packed`;
      const own = Deno.env.get("DENORT_BIN");
      // Deno stands in for the runtime: all is packed, though it cannot run.
      await deno(replaceOutput(compile, output), {
        env: { DENORT_BIN: own ?? DENO },
      });
      const runtime = await Deno.stat(own ?? DENO);
      const { size } = await Deno.stat(output);
      if (size < runtime.size + ADDED_BYTES) {
        throw new Error(`${size} bytes are too few: nothing was added`);
      }
      const added = Math.round((size - runtime.size) / 1024);
      return `${added} KiB on top of the runtime`;
    });
    if (Deno.env.get("DENORT_BIN") === undefined) {
      say("compile: running the binary: skipped, as it needs denort, which");
      say("  deno compile downloads; set DENORT_BIN to one to run this too");
    } else {
      await step(
        "the binary sends and receives",
        () => transfer([`${folder}/packed`], `${folder}/binary`),
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) {
  Deno.exitCode = await main();
}
