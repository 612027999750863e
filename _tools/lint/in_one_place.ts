/**
 * A rule for globals that belong to one place: the clock, the environment, the
 * way out.
 *
 * @module
 */
import { dottedName, isTooling, repositoryPath } from "./files.ts";

/** What is kept where. */
export interface InOnePlaceOptions {
  /** Names of globals and of their members ("Date.now"). */
  readonly globals: readonly string[];
  /** Also `new Date()` without arguments, which reads the clock. */
  readonly emptyDate?: boolean;
  /** The files that may, by their path in the repository. */
  readonly allowed: RegExp;
  readonly hint: string;
}

/** Makes a rule that keeps `globals` in the `allowed` files, tests and tools aside. */
export function inOnePlace(options: InOnePlaceOptions): Deno.lint.Rule {
  const globals = new Set(options.globals);
  return {
    create(context): Deno.lint.LintVisitor {
      const path = repositoryPath(context.filename);
      if (isTooling(path) || options.allowed.test(path)) {
        return {};
      }
      const report = (node: Deno.lint.Node, name: string): void =>
        context.report({
          node,
          message: `${path} must not use ${name}`,
          hint: options.hint,
        });
      const checkCallee = (node: Deno.lint.Node): void => {
        // Members are seen by themselves; here, only bare names.
        if (node.type === "Identifier" && globals.has(node.name)) {
          report(node, node.name);
        }
      };
      return {
        CallExpression: (node) => checkCallee(node.callee),
        MemberExpression(node) {
          const name = dottedName(node);
          if (name !== undefined && globals.has(name)) {
            report(node, name);
          }
        },
        NewExpression(node) {
          const empty = node.arguments.length === 0;
          if (
            options.emptyDate && empty && dottedName(node.callee) === "Date"
          ) {
            report(node, "new Date() without a time");
          }
        },
        VariableDeclarator(node) {
          // `const { exit } = Deno` is the same by another way.
          const from = dottedName(node.init);
          if (from === undefined || node.id.type !== "ObjectPattern") {
            return;
          }
          for (const property of node.id.properties) {
            const key = property.type === "Property"
              ? dottedName(property.key)
              : undefined;
            if (key !== undefined && globals.has(`${from}.${key}`)) {
              report(property, `${from}.${key}`);
            }
          }
        },
      };
    },
  };
}
