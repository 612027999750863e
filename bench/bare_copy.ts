/**
 * The third yardstick: the least that copies files in this runtime and leaves
 * nothing out that a copy must do. Files are read, hashed, sent over one TLS
 * connection, hashed again, written, renamed, and synced at the end; nothing is
 * judged, told, kept for a next run, or sent by a second way.
 *
 * `bare_copy.ts receive HOST TARGET` prints where it listens; `bare_copy.ts send
 * HOST PORT CERTIFICATE SOURCE` dials it. On Linux only, like our own short ways.
 *
 * @module
 */
import { type Digest, loadDigest } from "../crypto/digest.ts";
import { openReader } from "../store/native_read.ts";
import { openSmallFiles } from "../store/root_small.ts";
import { acceptOne, dialOne, tell } from "./plain_tls.ts";
import { writeAll } from "./trees.ts";

const MIB = 1024 * 1024;
/** Name's length u16, kind u16, size f64. */
const HEADER_BYTES = 12;
const FOLDER = 1;
/** A file of more goes, and is made, in pieces of this size. */
const PIECE_BYTES = MIB;
/** What may be written and not synced; nobody waits for that before the end. */
const SYNC_BYTES = 64 * MIB;
const FILE_MODE = 0o644;
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

async function receive(hostname: string, target: string): Promise<void> {
  const tree = openTree(target, await loadDigest());
  using conn = await acceptOne(hostname);
  const buffer = new Uint8Array(4 * PIECE_BYTES);
  const view = new DataView(buffer.buffer);
  let held = 0;
  let left = 0; // of a file in pieces
  for (let count; (count = await conn.read(buffer.subarray(held))) !== null;) {
    held += count;
    let at = 0;
    for (;;) {
      if (left > 0) {
        const piece = Math.min(left, PIECE_BYTES);
        if (held - at < piece) break;
        tree.piece(buffer.subarray(at, at + piece), piece === left);
        at += piece;
        left -= piece;
        continue;
      }
      if (held - at < HEADER_BYTES) break;
      const content = at + HEADER_BYTES + view.getUint16(at);
      const isFolder = view.getUint16(at + 2) === FOLDER;
      const size = view.getFloat64(at + 4);
      const isWhole = size <= PIECE_BYTES;
      const end = isWhole ? content + size : content;
      if (held < end) break;
      const name = DECODER.decode(buffer.subarray(at + HEADER_BYTES, content));
      if (isFolder) tree.folder(name);
      else if (isWhole) tree.file(name, buffer.subarray(content, end));
      else {
        tree.begin(name);
        left = size;
      }
      at = end;
    }
    if (at > 0) buffer.copyWithin(0, at, held);
    held -= at;
  }
  await tree.end();
  await conn.write(ENCODER.encode("."));
  await conn.closeWrite();
}

/** Makes what comes below `target`. */
function openTree(target: string, digest: Digest): {
  folder(name: string): void;
  file(name: string, bytes: Uint8Array<ArrayBuffer>): void;
  begin(name: string): void;
  piece(bytes: Uint8Array, isLast: boolean): void;
  end(): Promise<void>;
} {
  const calls = openSmallFiles();
  if (calls === undefined) throw new Error("not on this system");
  const library = Deno.dlopen("libc.so.6", SYMBOLS);
  const { symbols } = library;
  const open = (path: string): { readonly fd: number } => ({
    fd: symbols.open(ENCODER.encode(`${path}\0`), 0),
  });
  Deno.mkdirSync(target, { recursive: true });
  const root = open(target);
  const folders = new Map([["", root]]);
  const meta = { mode: FILE_MODE, mtimeNs: 0n };
  let large: { readonly file: Deno.FsFile; readonly name: string } | undefined;
  let unsynced = 0;
  let syncing: Promise<unknown> | undefined;
  const sync = async (): Promise<void> => {
    if (await symbols.syncfs(root.fd) !== 0) throw new Error("cannot sync");
  };
  const count = (bytes: number): void => {
    unsynced += bytes;
    if (unsynced < SYNC_BYTES || syncing !== undefined) return;
    unsynced = 0;
    syncing = sync().then(() => syncing = undefined);
  };
  const parted = (name: string): [{ readonly fd: number }, string] => {
    const slash = name.lastIndexOf("/");
    const folder = folders.get(slash < 0 ? "" : name.slice(0, slash));
    if (folder === undefined) throw new Error(`no folder for ${name}`);
    return [folder, name.slice(slash + 1)];
  };
  return {
    folder(name) {
      const [folder, own] = parted(name);
      calls.makeDir(folder, own, 0o755);
      folders.set(name, open(`${target}/${name}`));
    },
    file(name, bytes) {
      const [folder, own] = parted(name);
      digest.digest(bytes);
      const isDone = calls.make(folder, `.${own}`, bytes, meta) !== undefined &&
        calls.renameNew(folder, `.${own}`, folder, own);
      if (!isDone) throw new Error(`cannot make ${name}`);
      count(bytes.length);
    },
    begin(name) {
      const file = Deno.openSync(`${target}/${name}.part`, {
        write: true,
        createNew: true,
      });
      large = { file, name };
    },
    piece(bytes, isLast) {
      if (large === undefined) throw new Error("a piece of nothing");
      digest.digest(bytes);
      for (let at = 0; at < bytes.length;) {
        at += large.file.writeSync(bytes.subarray(at));
      }
      count(bytes.length);
      if (!isLast) return;
      large.file.close();
      const path = `${target}/${large.name}`;
      Deno.renameSync(`${path}.part`, path);
    },
    async end() {
      await syncing;
      await sync();
      calls.close();
      library.close();
    },
  };
}

const SYMBOLS = {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  syncfs: { parameters: ["i32"], result: "i32", nonblocking: true },
} as const;

async function send(
  hostname: string,
  port: number,
  cert: string,
  source: string,
): Promise<void> {
  const [calls, digest] = [openReader(), await loadDigest()];
  if (calls === undefined) throw new Error("not on this system");
  using conn = await dialOne(hostname, port, cert);
  let full = new Uint8Array(4 * PIECE_BYTES);
  let spare = new Uint8Array(full.length);
  let used = 0;
  let writing: Promise<void> | undefined;
  /** Writes what there is while the other buffer is filled. */
  const flush = async (): Promise<void> => {
    await writing;
    writing = writeAll(conn, full.subarray(0, used));
    [full, spare] = [spare, full];
    used = 0;
  };
  const say = (name: string, kind: number, size: number): void => {
    const at = used + HEADER_BYTES;
    const { written } = ENCODER.encodeInto(name, full.subarray(at));
    const view = new DataView(full.buffer, used);
    view.setUint16(0, written);
    view.setUint16(2, kind);
    view.setFloat64(4, size);
    used = at + written;
  };
  /** Reads a part of a file, hashes it, and has it sent once there is enough. */
  const put = async (
    fd: number,
    position: number,
    size: number,
  ): Promise<void> => {
    const into = full.subarray(used, used + size);
    let count = calls.readCached(fd, into, position);
    if (count !== size) count = await calls.read(fd, into, position);
    if (count !== size) throw new Error("a file changes");
    digest.digest(into);
    used += size;
    if (used >= PIECE_BYTES) await flush();
  };
  const sendFile = async (
    path: string,
    name: string,
    size: number,
  ): Promise<void> => {
    const fd = calls.openPlain(path);
    say(name, 0, size);
    for (let at = 0; at < size; at += PIECE_BYTES) {
      await put(fd, at, Math.min(PIECE_BYTES, size - at));
    }
    calls.closePlain(fd);
  };
  const walk = async (folder: string, prefix: string): Promise<void> => {
    for (const own of calls.names(folder) ?? []) {
      const [path, name] = [`${folder}/${own}`, `${prefix}${own}`];
      const found = calls.stat(path);
      if (found === undefined || found === "missing") {
        throw new Error(`cannot look at ${path}`);
      }
      if ((found.mode & 0o170000) === 0o040000) {
        say(name, FOLDER, 0);
        await walk(path, `${name}/`);
      } else await sendFile(path, name, Number(found.size));
    }
  };
  const { isFile, size } = await Deno.stat(source);
  if (isFile) await sendFile(source, source.split("/").at(-1) ?? "", size);
  else await walk(source, "");
  await flush();
  await writing;
  await conn.closeWrite();
  if (await conn.read(new Uint8Array(1)) !== 1) throw new Error("no answer");
  tell({ type: "done" });
}

const [role, host = "", ...rest] = Deno.args;
const [first = "", cert = "", source = ""] = rest;
if (role === "receive") await receive(host, first);
else await send(host, Number(first), cert, source);
