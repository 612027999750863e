/**
 * Where a linted file stands in the repository.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url))
  .replaceAll("\\", "/");

/** The path of a linted file below the repository, with forward slashes. */
export function repositoryPath(filename: string): string {
  const path = filename.replaceAll("\\", "/");
  return path.startsWith(ROOT) ? path.slice(ROOT.length) : path;
}

/** Tells whether `path` is code that only people who work on SFTPX run. */
export function isTooling(path: string): boolean {
  return /^(tests|bench|_tools)\//.test(path) ||
    /_(test|bench)\.ts$/.test(path);
}

/** The dotted name of `node` ("Deno.env.get"), if it is one. */
export function dottedName(
  node: Deno.lint.Node | null | undefined,
): string | undefined {
  if (node?.type === "Identifier") {
    return node.name;
  }
  if (node?.type !== "MemberExpression") {
    return undefined;
  }
  const object = dottedName(node.object);
  const property = node.property;
  const name = !node.computed && property.type === "Identifier"
    ? property.name
    : property.type === "Literal"
    ? String(property.value)
    : undefined;
  if (object === undefined || name === undefined) {
    return undefined;
  }
  return object === "globalThis" ? name : `${object}.${name}`;
}
