/**
 * A stream can be read once, and what is sent may have to be read again. So what
 * comes of it is kept in a file while it is sent.
 *
 * @module
 */
import { mkdir, open, rm } from "node:fs/promises";
import { SftpxError } from "../core/errors.ts";
import { ioError } from "../store/io_error.ts";
import { absolute, fileIn } from "../store/own_path.ts";
import type { SourceRoot } from "../store/source.ts";
import type { StreamSource } from "./options.ts";

/** A stream's content, as a file. */
export interface Spooled {
  readonly roots: readonly SourceRoot[];
  /** Removes the file. */
  close(): Promise<void>;
}

/**
 * Takes in a stream.
 *
 * @throws {SftpxError} `local-io` when there is no room, `cancelled` by `signal`.
 */
export async function spool(
  { name, stream }: StreamSource,
  resumeDir: string,
  signal: AbortSignal,
): Promise<Spooled> {
  const dir = absolute(resumeDir);
  const local = fileIn(dir, `${crypto.randomUUID()}.spool`);
  const close = (): Promise<void> => rm(local, { force: true });
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const file = await open(local, "wx", 0o600);
    try {
      await stream.pipeTo(
        new WritableStream({ write: (bytes) => file.writeFile(bytes) }),
        { signal }, // also while nothing comes
      );
    } finally {
      await file.close();
    }
    return { roots: [{ name, local }], close };
  } catch (error) {
    await close();
    if (signal.aborted) {
      throw new SftpxError("cancelled", "Cannot send: it was stopped", error);
    }
    throw ioError("keep what is to be sent", error);
  }
}
