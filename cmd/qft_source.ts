/**
 * What `sender` reads: a file, a pipe, or one that never ends.
 *
 * @module
 */
import { open } from "node:fs/promises";
import { read } from "node:fs";
import { promisify } from "node:util";
import { Buffer } from "node:buffer";
import { concatBytes } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import type { FlowSource } from "../rendezvous/flow_send.ts";
import { ioError } from "../store/io_error.ts";
import { quoted } from "../store/paths.ts";

/** A source, to be closed in the end. */
export interface OpenSource extends FlowSource {
  close(): Promise<void>;
}

/** How it is read. */
export interface SourceOptions {
  /** The first byte to send. */
  readonly skip: number;
  /** Waits for more at the end, for ever. */
  readonly endless: boolean;
  readonly stdin: ReadableStream<Uint8Array>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** How often a file that grows is looked at, ms. */
const LOOK_MS = 200;

/**
 * Opens `path`; `-` is standard input.
 *
 * @throws {SftpxError} "local-io" when it cannot be read.
 */
export async function openSource(
  path: string,
  options: SourceOptions,
): Promise<OpenSource> {
  if (path === "-" || path === "/dev/stdin") {
    return pipeSource(() => Promise.resolve(options.stdin), false, options);
  }
  let kind: Deno.FileInfo;
  try {
    kind = await Deno.stat(path);
  } catch (error) {
    throw ioError(`read ${quoted(path)}`, error);
  }
  if (kind.isDirectory) {
    throw new SftpxError(
      "usage",
      `Cannot send ${quoted(path)}: it is a folder; sftpx send takes those`,
    );
  }
  if (!kind.isFile) {
    const reopen = async (): Promise<ReadableStream<Uint8Array>> =>
      (await Deno.open(path)).readable;
    return await pipeSource(reopen, options.endless, options);
  }
  return await fileSource(path, kind.size, options);
}

const readAt = promisify(read);

async function fileSource(
  path: string,
  size: number,
  { skip, endless, clock, signal }: SourceOptions,
): Promise<OpenSource> {
  if (skip > size && !endless) {
    throw new SftpxError(
      "usage",
      `Cannot send ${
        quoted(path)
      }: it has ${size} bytes, fewer than are to be skipped`,
    );
  }
  const file = await open(path).catch((error) => {
    throw ioError(`read ${quoted(path)}`, error);
  });
  return {
    start: skip,
    // One that grows is as good as a pipe, but can be read again.
    size: endless ? undefined : size,
    oldest: () => 0,
    async read(offset, length) {
      const wanted = endless ? length : Math.min(length, size - offset);
      if (wanted <= 0) return new Uint8Array();
      const buffer = Buffer.alloc(wanted);
      for (;;) {
        let count: number;
        try {
          const at = Math.max(0, offset);
          ({ bytesRead: count } = await readAt(file.fd, buffer, 0, wanted, at));
        } catch (error) {
          throw ioError(`read ${quoted(path)}`, error);
        }
        if (count > 0) return new Uint8Array(buffer.subarray(0, count));
        if (!endless) {
          throw new SftpxError(
            "local-io",
            `Cannot read ${quoted(path)}: it has become shorter`,
          );
        }
        await clock.delay(LOOK_MS, signal);
      }
    },
    forget: () => {},
    close: () => file.close(),
  };
}

/** Keeps what was read until the receiver has it. */
async function pipeSource(
  openPipe: () => Promise<ReadableStream<Uint8Array>>,
  endless: boolean,
  { skip, signal }: SourceOptions,
): Promise<OpenSource> {
  let reader = (await openPipe()).getReader();
  const kept: Uint8Array[] = [];
  let first = 0; // of what is kept
  let end = 0; // after what is kept
  let isOver = false;
  let filling: Promise<void> | undefined;
  const fill = async (): Promise<void> => {
    const { done, value } = await reader.read();
    if (!done) {
      kept.push(value);
      end += value.length;
    } else if (endless) {
      reader = (await openPipe()).getReader(); // waits for the next writer
    } else isOver = true;
  };
  const gone = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), {
      once: true,
    });
  });
  gone.catch(() => {});
  const more = async (): Promise<void> => {
    filling ??= fill().finally(() => filling = undefined);
    await Promise.race([filling, gone]);
  };
  const forget = (offset: number): void => {
    while (kept[0] !== undefined && first + kept[0].length <= offset) {
      first += kept.shift()?.length ?? 0;
    }
  };
  while (end < skip && !isOver) {
    await more();
    forget(skip);
  }
  return {
    start: skip,
    size: undefined,
    oldest: () => first,
    async read(offset, length) {
      while (offset >= end && !isOver) await more();
      let at = first;
      const parts: Uint8Array[] = [];
      let left = length;
      for (const part of kept) {
        const from = Math.max(0, offset - at);
        at += part.length;
        if (from >= part.length || left === 0) continue;
        const piece = part.subarray(from, from + left);
        parts.push(piece);
        left -= piece.length;
      }
      return concatBytes(...parts);
    },
    forget,
    async close() {
      await reader.cancel().catch(() => {}); // closed already
    },
  };
}
