/**
 * The files of descriptions: where they are read from and written to.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { ioError } from "../store/io_error.ts";
import { quoted } from "../store/paths.ts";
import { writeSecret } from "../store/secrets.ts";
import type { StoreResult } from "../xftp/client_options.ts";
import {
  type Description,
  formatDescription,
  MAX_DESCRIPTION_BYTES,
} from "../xftp/description.ts";
import { parseDescription } from "../xftp/description_parse.ts";
import { isLink, parseLink } from "../xftp/link.ts";
import { hinted } from "./hint.ts";
import type { Io } from "./io.ts";
import type { Surroundings } from "./main.ts";

/** A description, and the file that it came from, if it was one. */
export interface FoundDescription {
  readonly description: Description;
  readonly file: string | undefined;
}

/** Reads what stands behind an argument: a link, a file, or `-`. */
export async function findDescription(
  io: Io,
  from: string,
): Promise<FoundDescription> {
  if (isLink(from)) {
    return { description: await parseLink(from), file: undefined };
  }
  if (from === "-") {
    const text = (await readAll(io.stdin)).trim();
    const description = isLink(text)
      ? await parseLink(text)
      : await parseDescription(text);
    return { description, file: undefined };
  }
  return {
    description: await parseDescription(await readOf(from)),
    file: from,
  };
}

/** Reads the sender's description, which nobody else may read. */
export async function findSenderDescription(
  file: string,
): Promise<FoundDescription> {
  const description = await parseDescription(await readOf(file));
  if (description.party === "sender" && Deno.build.os !== "windows") {
    const { mode } = await Deno.stat(file);
    if (((mode ?? 0) & 0o077) !== 0) {
      throw hinted(
        new SftpxError(
          "config",
          `Cannot use the description ${
            quoted(file)
          }: its mode is looser than 0600`,
        ),
        `chmod 600 ${quoted(file)}`,
      );
    }
  }
  return { description, file };
}

/** Where the descriptions of a stored file were written. */
export interface WrittenDescriptions {
  readonly recipients: readonly string[];
  readonly sender: string;
  readonly linkSenders: readonly string[];
}

/**
 * Writes the descriptions of a stored file into a folder of their own:
 * `NAME.xftp/rcv1.xftp`, ..., `NAME.xftp/snd.xftp.private`.
 */
export async function writeDescriptions(
  outDir: string,
  { name, sender, recipients, linkSenders }: StoreResult,
): Promise<WrittenDescriptions> {
  const folder = await freeFolder(outDir, `${name.replaceAll("/", "_")}.xftp`);
  const write = async (file: string, description: Description) => {
    const path = `${folder}/${file}`;
    await writeSecret(path, formatDescription(description));
    return path;
  };
  return {
    recipients: await inTurn(
      recipients,
      (one, at) => write(`rcv${at + 1}.xftp`, one),
    ),
    sender: await write("snd.xftp.private", sender),
    linkSenders: await inTurn(
      linkSenders,
      (one, at) => write(`lnk${at + 1}.xftp.private`, one),
    ),
  };
}

/** Removes a description that was used: as was said, or as is answered now. */
export async function removeUsed(
  file: string,
  yes: boolean | undefined,
  { io, output }: Pick<Surroundings, "io" | "output">,
): Promise<void> {
  if (!(yes ?? await mayRemove(file, { io, output }))) return;
  try {
    await Deno.remove(file);
  } catch (error) {
    throw ioError(`remove ${quoted(file)}`, error);
  }
}

async function mayRemove(
  file: string,
  { io, output }: Pick<Surroundings, "io" | "output">,
): Promise<boolean> {
  if (!io.isTerminal.stdin || !io.isTerminal.stderr) {
    output.note(`${quoted(file)} was used and is kept; --yes removes it`);
    return false;
  }
  const answer = await ask(
    io,
    `remove ${quoted(file)}, which was used? [Y/n] `,
  );
  return /^(y(es)?)?$/i.test(answer.trim());
}

/** Asks at the terminal, and waits for a line. */
async function ask(io: Io, question: string): Promise<string> {
  io.err(question);
  const reader = io.stdin.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    while (!text.includes("\n")) {
      const { value, done } = await reader.read();
      if (done) return "n"; // nobody has answered
      text += decoder.decode(value, { stream: true });
    }
  } finally {
    reader.releaseLock();
  }
  return text.split("\n")[0] ?? "";
}

async function inTurn<T, R>(
  items: readonly T[],
  work: (item: T, at: number) => Promise<R>,
): Promise<R[]> {
  const made: R[] = [];
  for (const [at, item] of items.entries()) made.push(await work(item, at));
  return made;
}

/** Makes a folder; when the name is taken, `_1` goes before its first dot. */
async function freeFolder(outDir: string, name: string): Promise<string> {
  const dot = name.indexOf(".", 1);
  for (let number = 0; number < 10_000; number++) {
    const mark = number === 0 ? "" : `_${number}`;
    const path = `${outDir}/${name.slice(0, dot)}${mark}${name.slice(dot)}`;
    try {
      await Deno.mkdir(outDir, { recursive: true });
      await Deno.mkdir(path, { mode: 0o700 });
      return path;
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) continue;
      throw ioError(`make the folder ${quoted(path)}`, error);
    }
  }
  throw new SftpxError(
    "local-io",
    `Cannot make the folder ${quoted(name)}: there are too many of that name`,
  );
}

async function readOf(file: string): Promise<Uint8Array> {
  try {
    using open = await Deno.open(file);
    return await readUpTo(open.readable);
  } catch (error) {
    throw ioError(`read the description ${quoted(file)}`, error);
  }
}

async function readAll(stream: ReadableStream<Uint8Array>): Promise<string> {
  return new TextDecoder().decode(await readUpTo(stream));
}

async function readUpTo(
  stream: ReadableStream<Uint8Array>,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of stream) {
    length += piece.length;
    if (length > 2 * MAX_DESCRIPTION_BYTES) {
      throw new SftpxError(
        "protocol",
        "Cannot use the file description: it is larger than 4 MiB",
      );
    }
    pieces.push(piece);
  }
  const all = new Uint8Array(length);
  pieces.reduce((at, piece) => {
    all.set(piece, at);
    return at + piece.length;
  }, 0);
  return all;
}
