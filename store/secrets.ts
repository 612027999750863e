/**
 * Files that hold secrets: keys and tokens. Only their owner may read them, from
 * the moment that they exist; one that others may read is not used, as nobody
 * knows who has.
 *
 * @module
 */
import { fromBase64Url, toBase64Url } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";
import { errorCode, ioError } from "./io_error.ts";
import { folderOf } from "./own_file.ts";
import { quoted } from "./paths.ts";

/** How a secret is written. */
export interface WriteSecretOptions {
  /** Replaces what is there. @default {false} */
  readonly force?: boolean;
}

/** Larger than any key; what is larger is another file. */
const LARGEST_SECRET = 65_536;

/** Bytes of an access token. */
const TOKEN_LENGTH = 32;

const OWNER_ONLY = 0o600;

/**
 * Writes a secret with mode 0600, whole or not at all. What is there already, of
 * whatever kind, is kept unless `force` is said. Folders that are missing are
 * made, for the owner only.
 *
 * @returns Whether it was written, or kept as it was.
 * @throws {SftpxError} `local-io`.
 */
export function writeSecret(
  path: string,
  content: string | Uint8Array,
  options: WriteSecretOptions = {},
): Promise<"written" | "kept"> {
  return Promise.try(writeNow, path, content, options.force ?? false);
}

/**
 * Reads a secret.
 *
 * @param what What errors are to call it: `key`.
 * @throws {SftpxError} `config`, when it cannot be read, or others may read it.
 */
export function readSecret(
  path: string,
  what: string,
): Promise<Uint8Array<ArrayBuffer>> {
  return Promise.try(readNow, path, `${what} ${quoted(path)}`);
}

/** Writes an access token as its file has it: one line of base64url. */
export function formatToken(token: Uint8Array): string {
  if (token.length !== TOKEN_LENGTH) {
    throw new RangeError(
      `Cannot format token as it must have ${TOKEN_LENGTH} bytes: current length is ${token.length}`,
    );
  }
  return `${toBase64Url(token)}\n`;
}

/**
 * Reads an access token. Space around it is ignored.
 *
 * @param what What errors are to call it: `token "certs/token"`.
 * @throws {SftpxError} `config`, without what was read.
 */
export function parseToken(
  text: string | Uint8Array,
  what = "token",
): Uint8Array<ArrayBuffer> {
  const line = typeof text === "string" ? text : new TextDecoder().decode(text);
  const token = fromBase64Url(line.trim());
  if (token?.length !== TOKEN_LENGTH) {
    throw new SftpxError(
      "config",
      `Cannot read ${what}: it must be one line of 43 characters of base64url`,
    );
  }
  return token;
}

// A secret is a dozen calls of the system of 10 µs each; each would take ten
// times as long on another thread.

function writeNow(
  path: string,
  content: string | Uint8Array,
  force: boolean,
): "written" | "kept" {
  let temporary: string | undefined;
  try {
    if (!force && isThere(path)) return "kept";
    const dir = folderOf(path);
    Deno.mkdirSync(dir, { recursive: true, mode: 0o700 });
    // Made by the system under a name that was free, readable by us alone.
    temporary = Deno.makeTempFileSync({ dir, prefix: ".sftpx-secret-" });
    fill(temporary, content);
    if (force) {
      Deno.renameSync(temporary, path);
      temporary = undefined;
    } else {
      // Unlike a rename, a link replaces nothing that came in between.
      Deno.linkSync(temporary, path);
    }
    syncFolder(dir);
    return "written";
  } catch (error) {
    if (!force && errorCode(error) === "EEXIST") return "kept";
    throw ioError(`write ${quoted(path)}`, error);
  } finally {
    if (temporary !== undefined) remove(temporary);
  }
}

function remove(temporary: string): void {
  try {
    Deno.removeSync(temporary);
  } catch {
    // What went wrong before counts; it is readable by us alone.
  }
}

function readNow(path: string, name: string): Uint8Array<ArrayBuffer> {
  try {
    checkLink(path, name);
    // Looked at before it is opened: a pipe would have us wait for its writer.
    checkFile(Deno.statSync(path), name);
    using file = Deno.openSync(path);
    checkFile(file.statSync(), name);
    return readAll(file, name);
  } catch (error) {
    if (error instanceof SftpxError) throw error;
    const { message } = ioError(`read ${name}`, error);
    throw new SftpxError("config", message, error);
  }
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

function fill(path: string, content: string | Uint8Array): void {
  // On Windows the folder says who may read.
  if (Deno.build.os !== "windows") Deno.chmodSync(path, OWNER_ONLY);
  let rest = typeof content === "string"
    ? new TextEncoder().encode(content)
    : content;
  using file = Deno.openSync(path, { write: true });
  while (rest.length > 0) rest = rest.subarray(file.writeSync(rest));
  file.syncSync();
}

/** Makes the name last, where the system has such a thing as a synced folder. */
function syncFolder(dir: string): void {
  if (Deno.build.os === "windows") return;
  using folder = Deno.openSync(dir);
  folder.syncSync();
}

/** Who owns a link decides what we read; the system's owner and ourselves may. */
function checkLink(path: string, name: string): void {
  const { isSymlink, uid } = Deno.lstatSync(path);
  if (isSymlink && uid !== null && uid !== 0 && uid !== Deno.uid()) {
    throw unusable(name, "it is a symbolic link that belongs to another user");
  }
}

function checkFile(stat: Deno.FileInfo, name: string): void {
  if (!stat.isFile) throw unusable(name, "it is not a file");
  const mode = (stat.mode ?? 0) & 0o7777;
  if (Deno.build.os !== "windows" && (mode & 0o077) !== 0) {
    const shown = mode.toString(8).padStart(4, "0");
    throw unusable(name, `its mode is ${shown}, looser than 0600`);
  }
}

function readAll(file: Deno.FsFile, name: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(LARGEST_SECRET + 1);
  let length = 0;
  while (length < bytes.length) {
    const count = file.readSync(bytes.subarray(length));
    if (count === null) break;
    length += count;
  }
  if (length === 0) throw unusable(name, "it is empty");
  if (length > LARGEST_SECRET) throw unusable(name, "it is larger than 64 KiB");
  return bytes.slice(0, length);
}

function unusable(name: string, reason: string): SftpxError {
  return new SftpxError("config", `Cannot use ${name}: ${reason}`);
}
