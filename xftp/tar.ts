/**
 * The archive in which folders and several files are stored: POSIX tar, so that
 * who has another program of XFTP can unpack it with what they have.
 *
 * Written are plain headers (ustar), and where a name does not fit or is not
 * ASCII an extended one (pax) before it. Owners are not told.
 *
 * @module
 */
import { concatBytes } from "../core/bytes.ts";
import type { Bytes } from "./encoding.ts";

/** Something in an archive. */
export interface TarEntry {
  readonly kind: "file" | "dir" | "link";
  /** Relative, `/` between its parts. */
  readonly path: string;
  /** Bytes of content; 0 for all but files. */
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  /** Seconds since 1970, rounded down. */
  readonly mtimeSeconds: number;
  /** Where a link leads. */
  readonly target?: string;
}

/** Archives are made of such blocks. */
export const TAR_BLOCK = 512;

/** What ends an archive. */
export const TAR_END: Bytes = new Uint8Array(2 * TAR_BLOCK);

/** Where the fields of a header are, and how long. */
export const TAR_FIELDS = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  target: [157, 100],
  magic: [257, 8],
} as const;

/** What stands in front of an entry's content. */
export function tarHeader(entry: TarEntry): Bytes {
  const path = entry.path + (entry.kind === "dir" ? "/" : "");
  const target = entry.target ?? "";
  const records = [
    ...fits(path) ? [] : [paxRecord("path", path)],
    ...fits(target) ? [] : [paxRecord("linkpath", target)],
  ];
  const plain = header({
    name: fits(path) ? path : "long-name",
    target: fits(target) ? target : "long-name",
    type: { file: "0", link: "2", dir: "5" }[entry.kind],
    size: entry.size,
    mode: entry.mode & 0o777,
    mtime: Math.max(0, entry.mtimeSeconds),
  });
  if (records.length === 0) return plain;
  const pax = concatBytes(...records);
  const before = header({
    name: "PaxHeader",
    target: "",
    type: "x",
    size: pax.length,
    mode: 0o644,
    mtime: 0,
  });
  return concatBytes(before, pax, tarFill(pax.length), plain);
}

/** What fills content up to whole blocks. */
export function tarFill(size: number): Bytes {
  return new Uint8Array((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

/** The sum of a header's bytes, its own field read as spaces. */
export function tarChecksum(block: Uint8Array): number {
  const [from, length] = TAR_FIELDS.checksum;
  return block.reduce(
    (sum, byte, at) => sum + (at >= from && at < from + length ? 0x20 : byte),
    0,
  );
}

const encoder = new TextEncoder();

function fits(text: string): boolean {
  return text.length <= TAR_FIELDS.name[1] && /^[\x20-\x7e]*$/.test(text);
}

function header(of: {
  readonly name: string;
  readonly target: string;
  readonly type: string;
  readonly size: number;
  readonly mode: number;
  readonly mtime: number;
}): Bytes {
  const block = new Uint8Array(TAR_BLOCK);
  const put = (field: keyof typeof TAR_FIELDS, text: string): void =>
    block.set(encoder.encode(text), TAR_FIELDS[field][0]);
  const octal = (field: keyof typeof TAR_FIELDS, value: number): void =>
    put(field, value.toString(8).padStart(TAR_FIELDS[field][1] - 1, "0"));
  put("name", of.name);
  octal("mode", of.mode);
  octal("uid", 0);
  octal("gid", 0);
  octal("size", of.size);
  octal("mtime", of.mtime);
  put("type", of.type);
  put("target", of.target);
  put("magic", "ustar\x0000");
  const sum = tarChecksum(block);
  put("checksum", `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}

/** `LENGTH KEY=VALUE\n`, whose length counts itself. */
function paxRecord(key: string, value: string): Bytes {
  const rest = encoder.encode(` ${key}=${value}\n`);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length++;
  return concatBytes(encoder.encode(String(length)), rest);
}
