/**
 * What stays here: `--exclude` patterns and the ignore files in the tree, with
 * the rules of .gitignore.
 *
 * `--exclude` patterns hold in every root as if they stood in an ignore file at
 * its top, and no ignore file takes them back. Those without a slash hold for
 * the roots themselves as well. An ignore file holds for the folder that it is
 * in and all below; the deepest one that says something about a name decides.
 *
 * @module
 */
import ignore, { type Ignore } from "ignore";
import { SftpxError } from "../core/errors.ts";
import { errorCode } from "./io_error.ts";
import { localChild } from "./source_entry.ts";
import { reasonOf } from "./source_error.ts";

/** Patterns of one place, and those of the places above it. */
export interface IgnoreScope {
  /** True when the child `name` of the scope's folder stays here. */
  ignores(name: string, isDir: boolean): boolean;
  /**
   * The scope of the folder `name` in this one, at `local`.
   *
   * @throws {SftpxError} "local-io" when it has an ignore file that cannot be
   * read: what it would have kept here must not leave for that.
   */
  enter(name: string, local: string): Promise<IgnoreScope>;
}

/** What decides about names. */
export interface IgnoreOptions {
  readonly exclude: readonly string[];
  readonly ignoreFile?: string | undefined;
}

/** The scope in which the roots themselves are. */
export function rootScope(options: IgnoreOptions): IgnoreScope {
  const { exclude, ignoreFile } = options;
  const matches = exclude.length > 0 ? matcher(exclude.join("\n")) : undefined;
  return {
    // In a folder that nobody has, so that "/build" is not about a root.
    ignores: (name, isDir) =>
      matches?.(`\u0001outside/${name}`, isDir) === true,
    enter: (_name, local) =>
      folder(local, ignoreFile, matches && { matches, prefix: "" }, []),
  };
}

/** Says whether the path is left out, or `undefined` when no pattern is about it. */
type Matcher = (path: string, isDir: boolean) => boolean | undefined;

/** The patterns of one ignore file, and how a name here is called there. */
interface Layer {
  readonly matches: Matcher;
  readonly prefix: string;
}

/** An ignore file longer than this is not one. */
const MAX_IGNORE_FILE_BYTES = 1 << 20;

/** The matcher keeps every path it was asked about, so it is made afresh now and then. */
const MAX_REMEMBERED = 4096;

/** The scope of the folder at `local`, whose name is in the prefixes already. */
async function folder(
  local: string,
  ignoreFile: string | undefined,
  exclude: Layer | undefined,
  above: readonly Layer[],
): Promise<IgnoreScope> {
  const patterns = ignoreFile === undefined
    ? undefined
    : await readPatterns(localChild(local, ignoreFile));
  const files = patterns === undefined
    ? above
    : [{ matches: matcher(patterns), prefix: "" }, ...above];
  return {
    ignores: (name, isDir) =>
      (exclude !== undefined && verdict(exclude, name, isDir) === true) ||
      files.map((layer) => verdict(layer, name, isDir))
          .find((said) => said !== undefined) === true,
    enter: (name, local) =>
      folder(
        local,
        ignoreFile,
        exclude && below(exclude, name),
        files.map((layer) => below(layer, name)),
      ),
  };
}

function verdict(
  layer: Layer,
  name: string,
  isDir: boolean,
): boolean | undefined {
  return layer.matches(layer.prefix + name, isDir);
}

function below({ matches, prefix }: Layer, name: string): Layer {
  return { matches, prefix: `${prefix}${name}/` };
}

async function readPatterns(local: string): Promise<string | undefined> {
  try {
    const { isFile, size } = await Deno.stat(local);
    if (!isFile || size > MAX_IGNORE_FILE_BYTES) {
      throw new SftpxError("local-io", "it is no list of patterns");
    }
    return await Deno.readTextFile(local);
  } catch (error) {
    if (errorCode(error) === "ENOENT") {
      return undefined;
    }
    throw new SftpxError(
      "local-io",
      `its ignore file cannot be read: ${reasonOf(error)}`,
      error,
    );
  }
}

function matcher(patterns: string): Matcher {
  let rules: Ignore | undefined;
  let asked = 0;
  return (path, isDir) => {
    if (rules === undefined || ++asked > MAX_REMEMBERED) {
      asked = 0;
      rules = ignore({ ignorecase: IGNORE_CASE }).add(patterns);
    }
    const { ignored, unignored } = rules.test(isDir ? `${path}/` : path);
    return ignored ? true : unignored ? false : undefined;
  };
}

const IGNORE_CASE = Deno.build.os === "windows" || Deno.build.os === "darwin";
