/**
 * Finds modules that import each other in a ring. The lint rule `layers` keeps
 * folders apart; this looks within them. `import type` makes no ring.
 *
 * @module
 */
import { pathToFileURL } from "node:url";
import { type Graph, readGraph } from "./graph.ts";
import { verdict } from "./say.ts";
import { isTestFile, listFiles, ROOT } from "./tree.ts";

/** Returns the rings of `graph`, each as the modules along it. */
export function findCycles(graph: Graph): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (module: string): void => {
    const start = trail.indexOf(module);
    if (start >= 0) {
      cycles.push([...trail.slice(start), module]);
      return;
    }
    if (done.has(module)) {
      return;
    }
    trail.push(module);
    for (const { code } of graph.get(module) ?? []) {
      if (code !== undefined) visit(code);
    }
    trail.pop();
    done.add(module);
  };
  for (const module of graph.keys()) {
    visit(module);
  }
  return cycles;
}

if (import.meta.main) {
  const files = (await listFiles()).filter((path) =>
    path.endsWith(".ts") && !isTestFile(path)
  );
  const cycles = findCycles(await readGraph(files));
  verdict(
    "cycles",
    cycles.map((cycle) =>
      cycle.map((module) => module.replace(pathToFileURL(ROOT).href, "")).join(
        " → ",
      )
    ),
  );
}
