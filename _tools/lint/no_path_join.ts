/**
 * A rule that keeps the making of paths in one place.
 *
 * A name from a peer becomes a place on disk in `store/paths.ts` and nowhere
 * else. The files that open the upload directory and the source do it for names
 * of their own, and `cmd/` for what a person typed.
 *
 * @module
 */
import { isTooling, repositoryPath } from "./files.ts";

// core/ and protocol/ have no disk: their names are of actors and of entries.
const ALLOWED =
  /^(store\/(paths|own_path|root|source|ignore)[a-z_]*\.ts$|cmd\/|core\/|protocol\/)/;
const PATH_MODULE = /^(node:path|@std\/path)(\/.*)?$/;
const PATH_NAME = /(path|dir|directory|folder|root|name)$/i;
const HINT = "Only store/paths.ts makes a path out of a name: call it";

/** A lint rule against joining paths by hand. */
export const noPathJoin: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    const path = repositoryPath(context.filename);
    if (isTooling(path) || ALLOWED.test(path)) {
      return {};
    }
    const report = (node: Deno.lint.Node, what: string): void =>
      context.report({ node, message: `${path} must not ${what}`, hint: HINT });
    return {
      ImportDeclaration(node) {
        if (!PATH_MODULE.test(node.source.value)) {
          return;
        }
        for (const binding of node.specifiers) {
          if (
            binding.type !== "ImportSpecifier" ||
            /^(join|resolve|posix|win32)$/.test(importedName(binding))
          ) {
            report(binding, `import ${binding.local.name} of a path module`);
          }
        }
      },
      TemplateLiteral(node) {
        const joins = node.expressions.some((expression, index) => {
          const before = node.quasis[index]?.raw ?? "";
          const after = node.quasis[index + 1]?.raw ?? "";
          return isPathName(expression) &&
            (after.startsWith("/") || index > 0 && before.endsWith("/"));
        });
        if (joins) {
          report(node, "join a path in a template");
        }
      },
      BinaryExpression(node) {
        if (node.operator !== "+") {
          return;
        }
        const { left, right } = node;
        if (
          isPathName(left) && startsWithSlash(right) ||
          isPathName(right) && endsWithSlash(left)
        ) {
          report(node, 'join a path with "+"');
        }
      },
    };
  },
};

function importedName(binding: Deno.lint.ImportSpecifier): string {
  const { imported } = binding;
  return imported.type === "Identifier" ? imported.name : String(imported);
}

function isPathName(node: Deno.lint.Node): boolean {
  if (node.type === "Identifier") {
    return PATH_NAME.test(node.name);
  }
  return node.type === "MemberExpression" && !node.computed &&
    isPathName(node.property);
}

function startsWithSlash(node: Deno.lint.Node): boolean {
  return node.type === "Literal" && String(node.value).startsWith("/") ||
    node.type === "TemplateLiteral" &&
      node.quasis[0]?.raw.startsWith("/") === true;
}

/** `a + "/"`, whose right end is what meets the name. */
function endsWithSlash(node: Deno.lint.Node): boolean {
  if (node.type === "BinaryExpression") {
    return endsWithSlash(node.right);
  }
  return node.type === "Literal" && String(node.value).endsWith("/");
}
