/**
 * A rule for who may import whom: the table of ARCHITECTURE.md.
 *
 * @module
 */
import { repositoryPath } from "./files.ts";

/** Which folder may import which. Reading down is reading up the stack. */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  protocol: ["core"],
  crypto: ["core"],
  transport: ["core"],
  store: ["core", "protocol"],
  workers: ["core", "protocol", "crypto", "transport", "store"],
  actors: ["core", "protocol", "crypto", "transport", "store", "workers"],
  rendezvous: ["core", "protocol", "crypto", "transport"],
  xftp: ["core", "protocol", "crypto", "transport", "store", "workers"],
  web: ["core", "actors"],
  "mod.ts": [
    "core",
    "protocol",
    "crypto",
    "transport",
    "store",
    "workers",
    "actors",
    "rendezvous",
    "xftp",
  ],
  cmd: [
    "core",
    "protocol",
    "crypto",
    "transport",
    "store",
    "workers",
    "actors",
    "rendezvous",
    "xftp",
    "web",
    "mod.ts",
  ],
};

/** Folders of which others may take types only. */
const TYPES_ONLY: Readonly<Record<string, readonly string[]>> = {
  web: ["actors"],
};

/**
 * The actors, one a file. Another actor may know what can be said to them; the
 * session files, which put a tree together, are the ones to make them.
 */
const ACTORS =
  /^actors\/(connection|migration|.*scheduler|chunker|verifier|persistence|reception|.*_actor)\.ts$/;

/** A lint rule that keeps imports pointing down. */
export const layers: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    const path = repositoryPath(context.filename);
    const from = folderOf(path);
    const allowed = LAYERS[from];
    if (allowed === undefined || path.endsWith("_test.ts")) {
      return {};
    }
    const check = (
      source: Deno.lint.Node | null | undefined,
      names: readonly string[],
    ): void => {
      if (source?.type !== "Literal" || typeof source.value !== "string") {
        return;
      }
      const target = resolveImport(path, source.value);
      if (target === undefined) {
        return;
      }
      const to = folderOf(target);
      if (to === from) {
        const makes = names.includes("*") || names.includes(factoryOf(target));
        if (makes && ACTORS.test(path) && ACTORS.test(target)) {
          context.report({
            node: source,
            message: `${path} must not import the factory of ${target}`,
            hint: "An actor knows of another what can be said to it",
          });
        }
        return;
      }
      if (!allowed.includes(to)) {
        context.report({
          node: source,
          message: `${from} must not import ${to}`,
          hint: `It may import: ${allowed.join(", ") || "nothing"}`,
        });
      } else if (names.length > 0 && TYPES_ONLY[from]?.includes(to)) {
        context.report({
          node: source,
          message: `${from} must not import ${to} but for its types`,
          hint: "Use import type",
        });
      }
    };
    return {
      ImportDeclaration: (node) => check(node.source, importedNames(node)),
      ImportExpression: (node) => check(node.source, ["*"]),
      ExportNamedDeclaration: (node) =>
        check(node.source, node.exportKind === "type" ? [] : ["*"]),
      ExportAllDeclaration: (node) =>
        check(node.source, node.exportKind === "type" ? [] : ["*"]),
    };
  },
};

/** The names of the values that an import takes, `*` for all; none for types. */
function importedNames(node: Deno.lint.ImportDeclaration): string[] {
  if (node.importKind === "type") {
    return [];
  }
  if (node.specifiers.length === 0) {
    return ["*"];
  }
  return node.specifiers.flatMap((binding) => {
    if (binding.type !== "ImportSpecifier") {
      return ["*"];
    }
    const { imported, importKind } = binding;
    const name = imported.type === "Identifier" ? imported.name : "*";
    return importKind === "type" ? [] : [name];
  });
}

/** `actors/send_scheduler.ts` makes a `sendScheduler`. */
function factoryOf(path: string): string {
  const base = path.slice(path.lastIndexOf("/") + 1, -".ts".length);
  return base.replaceAll(/_([a-z])/g, (_, letter) => letter.toUpperCase());
}

/** The first folder of a path, or the file itself at the top. */
function folderOf(path: string): string {
  return path.split("/")[0] ?? "";
}

/** The path that a relative import names, or `undefined` for a package. */
function resolveImport(from: string, specifier: string): string | undefined {
  if (!/^\.\.?\//.test(specifier)) {
    return undefined;
  }
  const base = new URL(from, "file:///");
  return new URL(specifier, base).pathname.slice(1);
}
