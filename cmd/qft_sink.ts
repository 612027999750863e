/**
 * What `receiver` writes: a file, whole or from a byte on, or standard output.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { FlowSink } from "../rendezvous/flow_receive.ts";
import { ioError } from "../store/io_error.ts";
import { quoted } from "../store/paths.ts";

/** A sink, to be closed in the end. */
export interface OpenSink extends FlowSink {
  close(): void;
}

/** While it is not whole, a file stands under this name. */
export function partOf(path: string): string {
  return `${path}.sftpx-part`;
}

/**
 * Opens `path`; `-` is standard output.
 *
 * @param skip Bytes of the file that are there and stay; `undefined` for none.
 * @throws {SftpxError} "local-io" when it cannot be written.
 */
export async function openSink(
  path: string,
  skip: number | undefined,
  stdout: (bytes: Uint8Array) => Promise<void>,
): Promise<OpenSink> {
  if (path === "-" || path === "/dev/stdout") return stdoutSink(stdout);
  return skip === undefined
    ? await wholeSink(path)
    : await laterSink(path, skip);
}

function stdoutSink(write: (bytes: Uint8Array) => Promise<void>): OpenSink {
  return {
    // What went out is gone: what comes next is all that there is.
    begin: (start) => Promise.resolve({ base: start, from: start }),
    async *existing() {},
    reset: () =>
      Promise.reject(
        new SftpxError(
          "integrity",
          "Cannot go on: the sender has another file now, and the first part of this one is written",
        ),
      ),
    write,
    finish: () => Promise.resolve(),
    close: () => {},
  };
}

/** A new file: under another name until it is whole. */
async function wholeSink(path: string): Promise<OpenSink> {
  if (await sizeOf(path) !== undefined) {
    throw new SftpxError(
      "local-io",
      `Cannot receive ${quoted(path)}: it is there already`,
    );
  }
  const part = partOf(path);
  const file = await openFile(part, path);
  const sink = fileSink(file, path, 0);
  return {
    ...sink,
    begin: async (start) => ({
      base: start,
      from: start + (await file.stat()).size,
    }),
    async finish() {
      await doing(path, () => file.syncData());
      if (await sizeOf(path) !== undefined) {
        throw new SftpxError(
          "local-io",
          `Cannot name ${
            quoted(path)
          }: it has come to be there; what was received is in ${quoted(part)}`,
        );
      }
      await doing(path, () => Deno.rename(part, path));
    },
  };
}

/** A file that is there as far as `skip`. A mark says that what is beyond is of this transfer. */
async function laterSink(path: string, skip: number): Promise<OpenSink> {
  const size = await sizeOf(path) ?? 0;
  if (size < skip) {
    throw new SftpxError(
      "usage",
      `Cannot receive ${
        quoted(path)
      }: it has ${size} bytes, fewer than are to be skipped`,
    );
  }
  const mark = partOf(path);
  const goesOn = await sizeOf(mark) !== undefined;
  const file = await openFile(path, path);
  if (!goesOn) {
    await doing(path, () => file.truncate(skip));
    await doing(path, () => Deno.writeFile(mark, new Uint8Array()));
  }
  const sink = fileSink(file, path, skip);
  return {
    ...sink,
    begin: async () => ({ base: 0, from: (await file.stat()).size }),
    async finish() {
      await doing(path, () => file.syncData());
      await doing(path, () => Deno.remove(mark));
    },
  };
}

type FileSink = Omit<OpenSink, "begin" | "finish">;

function fileSink(file: Deno.FsFile, path: string, keep: number): FileSink {
  return {
    async *existing() {
      await file.seek(0, Deno.SeekMode.Start);
      const buffer = new Uint8Array(1 << 20);
      for (;;) {
        const count = await doing(path, () => file.read(buffer));
        if (count === null) break;
        yield buffer.subarray(0, count);
      }
    },
    async reset() {
      await doing(path, () => file.truncate(keep));
    },
    async write(bytes) {
      await file.seek(0, Deno.SeekMode.End);
      for (let rest = bytes; rest.length > 0;) {
        const count = await doing(path, () => file.write(rest));
        rest = rest.subarray(count);
      }
    },
    close: () => file.close(),
  };
}

function openFile(name: string, path: string): Promise<Deno.FsFile> {
  return doing(
    path,
    () => Deno.open(name, { read: true, write: true, create: true }),
  );
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw ioError(`look at ${quoted(path)}`, error);
  }
}

async function doing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw ioError(`write ${quoted(path)}`, error);
  }
}
