/**
 * The module graph, as `deno info --json` tells it.
 *
 * @module
 */
import { pathToFileURL } from "node:url";
import { ROOT } from "./tree.ts";

/** One import of a module. */
export interface Import {
  /** As it is written. */
  readonly specifier: string;
  /** What it means when the program runs; none for `import type`. */
  readonly code?: string;
  readonly isDynamic: boolean;
}

/** The imports of every module, by the module's URL. */
export type Graph = ReadonlyMap<string, readonly Import[]>;

interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly error?: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly code?: { readonly specifier?: string; readonly error?: string };
      readonly isDynamic?: boolean;
    }[];
  }[];
}

/** Reads the graph of all that `entries`, paths in the repository, import. */
export async function readGraph(entries: readonly string[]): Promise<Graph> {
  const folder = await Deno.makeTempDir({ prefix: "sftpx-graph-" });
  try {
    const entry = `${folder}/entry.ts`;
    const lines = entries.map((path) =>
      `import ${JSON.stringify(pathToFileURL(ROOT + path).href)};\n`
    );
    await Deno.writeTextFile(entry, lines.join(""));
    const graph = parseGraph(await runInfo(entry));
    return new Map(
      [...graph].filter(([module]) => module !== pathToFileURL(entry).href),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Parses what `deno info --json` prints. */
export function parseGraph(json: string): Graph {
  const info: Info = JSON.parse(json);
  return new Map(info.modules.map((module) => {
    if (module.error !== undefined) {
      throw new Error(`Cannot read the module graph: ${module.error}`);
    }
    const imports = (module.dependencies ?? []).map((dependency) => ({
      specifier: dependency.specifier,
      isDynamic: dependency.isDynamic ?? false,
      ...dependency.code?.specifier === undefined
        ? {}
        : { code: dependency.code.specifier },
    }));
    return [module.specifier, imports];
  }));
}

async function runInfo(entry: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--config", `${ROOT}deno.json`, entry],
    stdin: "null",
  }).output();
  if (!success) {
    throw new Error(
      `Cannot run deno info: ${new TextDecoder().decode(stderr)}`,
    );
  }
  return new TextDecoder().decode(stdout);
}
