/**
 * What the bits of a file's mode say, on every system: `node:fs` knows them too,
 * but takes 20 ms to load.
 *
 * @module
 */

/** The bits that say what something is. */
export const S_IFMT = 0o170000;
/** A socket. */
export const S_IFSOCK = 0o140000;
/** A symbolic link. */
export const S_IFLNK = 0o120000;
/** A file. */
export const S_IFREG = 0o100000;
/** A folder. */
export const S_IFDIR = 0o040000;
/** A pipe. */
export const S_IFIFO = 0o010000;
