/**
 * A rule that keeps `protocol/` pure: bytes in, bytes and effects out. No I/O,
 * time, randomness or promises, so that every run of it can be repeated.
 *
 * @module
 */
import { dottedName, repositoryPath } from "./files.ts";

const IMPURE =
  /^(Deno|Promise|fetch|crypto|performance|process|queueMicrotask|setTimeout|setInterval)(\.|$)|^(Date\.now|Math\.random)$/;

/** A lint rule for the folder `protocol/`. */
export const pureProtocol: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    const path = repositoryPath(context.filename);
    if (!path.startsWith("protocol/") || path.endsWith("_test.ts")) {
      return {};
    }
    const report = (node: Deno.lint.Node, what: string): void =>
      context.report({
        node,
        message: `protocol/ must not use ${what}`,
        hint: "It is pure and synchronous: let the caller do it",
      });
    const checkName = (node: Deno.lint.Node): void => {
      const name = dottedName(node);
      if (name !== undefined && IMPURE.test(name)) {
        report(node, name);
      }
    };
    const checkAsync = (node: Deno.lint.Node & { async: boolean }): void => {
      if (node.async) {
        report(node, "an async function");
      }
    };
    return {
      FunctionDeclaration: checkAsync,
      FunctionExpression: checkAsync,
      ArrowFunctionExpression: checkAsync,
      AwaitExpression: (node) => report(node, "await"),
      ImportExpression: (node) => report(node, "a dynamic import"),
      MemberExpression: checkName,
      CallExpression: (node) => {
        // A member's name is seen above.
        if (node.callee.type === "Identifier") checkName(node.callee);
      },
      NewExpression: (node) => checkName(node.callee),
      TSTypeReference(node) {
        if (
          node.typeName.type === "Identifier" &&
          /^Promise(Like)?$/.test(node.typeName.name)
        ) {
          report(node, node.typeName.name);
        }
      },
      ImportDeclaration(node) {
        if (/^node:/.test(node.source.value)) {
          report(node, node.source.value);
        }
      },
    };
  },
};
