/**
 * What the system said, in words that a person can act on.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";

/**
 * The one error of this folder, made of what the system threw.
 *
 * The system's own text is left out of the message, as it holds names raw; it is
 * kept as the cause. An `SftpxError` is returned as it is.
 *
 * @param what What could not be done, names in it by `quoted()`: `write "x"`.
 * @param error What was thrown.
 */
export function ioError(what: string, error: unknown): SftpxError {
  if (error instanceof SftpxError) {
    return error;
  }
  return new SftpxError(
    "local-io",
    `Cannot ${what}: ${plainWords(error)}`,
    error,
  );
}

/** The system's own code for an error, `ENOENT` and the like, if it has one. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) {
    return undefined;
  }
  return typeof error.code === "string" ? error.code : undefined;
}

/** What the disk as a whole refuses: no other entry will fare better. */
const DISK_CODES: ReadonlySet<string> = new Set([
  "ENOSPC",
  "EDQUOT",
  "EROFS",
  "EIO",
  "EMFILE",
  "ENFILE",
  "ENOMEM",
]);

/** True for a `local-io` failure of one place alone: others may fare better. */
export function isPlaceFailure({ code, cause }: SftpxError): boolean {
  return code === "local-io" && !DISK_CODES.has(errorCode(cause) ?? "");
}

/**
 * Does quick work of the disk at once, and tells how it went by a promise.
 *
 * Calls about names take 2 to 20 µs when done at once and 30 to 60 µs when sent
 * to another thread, so they are not; see `root.ts` for what was measured.
 *
 * @param what As for `ioError()`, asked for only when it is needed.
 */
export function attempt<T>(what: () => string, work: () => T): Promise<T> {
  try {
    return Promise.resolve(work());
  } catch (error) {
    return Promise.reject(
      error instanceof RangeError ? error : ioError(what(), error),
    );
  }
}

const WORDS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EBADF: "it is no longer open",
  EBUSY: "it is in use",
  EDQUOT: "the disk quota is used up",
  EEXIST: "something of that name is there already",
  EFBIG: "it is too large for this file system",
  EIO: "the disk reported an error",
  EISDIR: "a folder is in the way",
  ELOOP: "a symbolic link is in the way",
  EMFILE: "too many files are open in this process",
  EMLINK: "it has too many names already",
  ENAMETOOLONG: "the name is too long for this file system",
  ENFILE: "too many files are open on this machine",
  ENOENT: "it is not there",
  ENOMEM: "the machine is out of memory",
  ENOSPC: "the disk is full",
  ENOTDIR: "a file or a symbolic link is where a folder should be",
  ENOTEMPTY: "the folder is not empty",
  ENOTSUP: "this file system cannot do that",
  EOPNOTSUPP: "this file system cannot do that",
  EPERM: "the system does not allow it",
  EROFS: "the file system is read-only",
  ESTALE: "the network file system lost it",
  ETXTBSY: "it is being run",
  EXDEV: "it is on another file system",
};

function plainWords(error: unknown): string {
  const code = errorCode(error);
  if (code !== undefined) {
    return WORDS[code] ?? `the system said ${code}`;
  }
  return error instanceof Error ? `the system said ${error.name}` : "unknown";
}
