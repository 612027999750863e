/**
 * Settings from the three places: `config.yaml`, then the environment, then the
 * command line; what comes later wins.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { quoted } from "../store/paths.ts";
import { hinted } from "./hint.ts";
import type { Io } from "./io.ts";
import { readIfThere, readSecretIfThere } from "./own_files.ts";
import { variableOf } from "./quick_args.ts";
import type { Setting, Table, Values } from "./settings.ts";

/** What is set outside the command line. */
export interface Given {
  /** Reads what `setting` is; `undefined` when it is not set. */
  read<T>(setting: Setting<T>): T | undefined;
}

/** Where configuration and known peers are. */
export function configDir(io: Io): string {
  const home = io.env("XDG_CONFIG_HOME") ??
    (Deno.build.os === "windows" ? io.env("APPDATA") : undefined);
  if (home !== undefined) {
    return `${home}/sftpx`;
  }
  return `${io.env("HOME") ?? io.env("USERPROFILE") ?? "."}/.config/sftpx`;
}

function configFile(io: Io): string {
  return `${configDir(io)}/config.yaml`;
}

/** Whether there may be a configuration file. */
export function mayHaveConfig(io: Io): boolean {
  try {
    Deno.lstatSync(configFile(io));
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound);
  }
}

/**
 * Reads the configuration file and the environment.
 *
 * @param all Every setting of every command: another key is an error.
 * @throws {SftpxError} "config" when the file is wrong.
 */
export async function readConfig(io: Io, all: Table): Promise<Given> {
  const file = configFile(io);
  const text = await readIfThere(file);
  if (text !== undefined && SECRET.test(text)) {
    await readSecretIfThere(file, "configuration with a secret in it");
  }
  const keys = text === undefined
    ? new Map<string, Key>()
    : await readKeys(text, file, Object.values(all).map(({ name }) => name));
  return {
    read(setting) {
      const variable = variableOf(setting.name);
      const value = io.env(variable);
      if (value !== undefined) {
        const values = value.split("\n").filter((line) => line !== "");
        return checked(setting, values, `read ${variable}`);
      }
      const key = keys.get(setting.name);
      return key && checked(
        setting,
        key.values,
        `read ${quoted(file)}, line ${key.line}`,
      );
    },
  };
}

/** Settles each setting of a table. */
export function settled<T extends Table>(
  table: T,
  flags: Values<T>,
  given: Given,
): Values<T> {
  const entries = Object.entries(table).map(([key, setting]) => [
    key,
    flags[key] ?? given.read(setting),
  ]);
  return Object.fromEntries(entries);
}

/** A ticket, or the address of a router with its password. */
const SECRET = /sftpx:\/\/|xftp:\/\/[^@\s:]+:[^@\s]+@/i;

/** What stands under a key, and where. */
interface Key {
  readonly values: readonly string[];
  readonly line: number;
}

async function readKeys(
  text: string,
  file: string,
  known: readonly string[],
): Promise<Map<string, Key>> {
  const { isMap, isScalar, isSeq, LineCounter, parseDocument } = await import(
    "@std/yaml"
  );
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
  });
  const fail = (at: number, reason: string, hint?: string): never => {
    const error = new SftpxError(
      "config",
      `Cannot read ${quoted(file)}, line ${lines.linePos(at).line}: ${reason}`,
    );
    throw hint === undefined ? error : hinted(error, hint);
  };
  const [broken] = document.errors;
  if (broken !== undefined) {
    const [reason = ""] = broken.message.split("\n");
    fail(broken.pos[0], reason.charAt(0).toLowerCase() + reason.slice(1));
  }
  const keys = new Map<string, Key>();
  const { contents } = document;
  if (contents === null) {
    return keys;
  }
  if (!isMap(contents)) {
    return fail(contents.range?.[0] ?? 0, "it is no list of keys and values");
  }
  for (const { key, value } of contents.items) {
    const at = isScalar(key) ? key.range?.[0] ?? 0 : 0;
    const name = isScalar(key) ? String(key.value) : "";
    if (!known.includes(name)) {
      fail(at, `unknown key ${quoted(name)}`, meant(name, known));
    }
    const items = isSeq(value) ? value.items : [value];
    const values = items.map((item) =>
      isScalar(item) && item.value !== null
        ? item.source ?? String(item.value)
        : fail(at, `${quoted(name)} has no plain value`)
    );
    keys.set(name, { values, line: lines.linePos(at).line });
  }
  return keys;
}

function checked<T>(
  setting: Setting<T>,
  values: readonly string[],
  what: string,
): T {
  try {
    return setting.read(values);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SftpxError(
      "config",
      `Cannot ${what}: ${setting.name}: ${reason}`,
      error,
    );
  }
}

/** The known name that is nearest, if one is near. */
function meant(name: string, known: readonly string[]): string {
  if (/token|secret|key|password/i.test(name)) {
    return "secrets stand in a file of their own, or in SFTPX_TOKEN";
  }
  const near = [...new Set(known)]
    .map((other) => ({ other, steps: distance(name, other) }))
    .sort((a, b) => a.steps - b.steps)[0];
  return near !== undefined && near.steps <= Math.min(2, name.length / 3)
    ? `did you mean ${quoted(near.other)}?`
    : "keys are named like the flags, without the dashes";
}

/** How many letters must be added, taken away or changed. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (const [up, letter] of [...a].entries()) {
    const next = [up + 1];
    for (const [at, other] of [...b].entries()) {
      const changed = (row[at] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(changed, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
