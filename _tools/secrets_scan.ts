/**
 * Looks for private keys among the files that would be committed.
 *
 * @module
 */
import { verdict } from "./say.ts";
import { listFiles, ROOT } from "./tree.ts";

/** A PEM header is no secret; a header with key material after it is. */
const PATTERNS: readonly (readonly [what: string, pattern: RegExp])[] = [
  [
    "a private key",
    /-----BEGIN [A-Z ]*PRIVATE KEY-----\s+(?:[A-Za-z0-9+/=]{16,}\s*)+/,
  ],
  ["an age identity", /AGE-SECRET-KEY-1[A-Z0-9]{40,}/],
  ["a registry token", /_authToken\s*=\s*[A-Za-z0-9+/_=-]{16,}/],
];

/** Names of files that hold secrets where `init` makes them. */
const SECRET_NAMES = /(^|\/)(key\.pem|token|id_(rsa|ed25519|ecdsa)|\.env)$/;

/** Returns what is wrong with a file of this path and content. */
export function findSecrets(path: string, content: string): string[] {
  const found = PATTERNS
    .filter(([, pattern]) => pattern.test(content))
    .map(([what]) => `${path} holds ${what}`);
  if (SECRET_NAMES.test(path)) {
    found.push(`${path} has the name of a secret file`);
  }
  return found;
}

/** What git has or would add; without git, all files but those in certs/. */
async function committedFiles(): Promise<string[]> {
  try {
    const { success, stdout } = await new Deno.Command("git", {
      args: ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
      cwd: ROOT,
      stdin: "null",
      stderr: "null",
    }).output();
    if (success) {
      const names = new TextDecoder().decode(stdout).split("\0");
      return names.filter((name) => name !== "");
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return (await listFiles()).filter((path) =>
    !path.startsWith("certs/") || path.endsWith(".md")
  );
}

if (import.meta.main) {
  const problems: string[] = [];
  for (const path of await committedFiles()) {
    try {
      const bytes = await Deno.readFile(ROOT + path);
      problems.push(...findSecrets(path, new TextDecoder().decode(bytes)));
    } catch (error) {
      // Deleted, and not committed so.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  verdict("secrets scan", problems);
}
