/** Which folder may import which. Reading down is reading up the stack. */
const LAYERS: Record<string, readonly string[]> = {
  core: [],
  crypto: ["core"],
  protocol: ["core"],
  transport: ["core"],
  store: ["core", "protocol"],
  actors: ["core", "crypto", "protocol", "transport", "store"],
};

/** A lint plugin that keeps imports pointing down. */
export default {
  name: "sftpx",
  rules: {
    "layers": {
      create(context) {
        const root = context.filename.lastIndexOf(
          "/",
          context.filename.lastIndexOf("/") - 1,
        );
        const from = context.filename.slice(root + 1).split("/")[0] ?? "";
        const allowed = LAYERS[from];
        if (allowed === undefined || context.filename.endsWith("_test.ts")) {
          return {};
        }
        const check = (source: Deno.lint.Literal | null | undefined): void => {
          const to = /^\.\.\/([^/]+)\//.exec(String(source?.value))?.[1];
          if (!source || to === undefined || allowed.includes(to)) {
            return;
          }
          context.report({
            node: source,
            message: `${from}/ must not import ${to}/`,
            hint: `It may import: ${allowed.join(", ") || "nothing"}`,
          });
        };
        return {
          ImportDeclaration: (node) => check(node.source),
          ExportNamedDeclaration: (node) =>
            check(node.source as Deno.lint.Literal | null),
          ExportAllDeclaration: (node) =>
            check(node.source as Deno.lint.Literal),
        };
      },
    },
  },
} satisfies Deno.lint.Plugin;
