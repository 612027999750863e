/**
 * Opens the store: reads its log, writes it anew without what is over, and puts
 * the old one aside.
 *
 * The log is renamed to `.start`, the new one is written, and `.start` becomes
 * `.<time>`. Whoever finds a `.start` knows that the last start did not get to
 * its end, and takes it for the log. Old ones are kept for a day, three of them
 * for longer, none over three weeks.
 *
 * @module
 */
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "../../core/clock.ts";
import { SftpxError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { errorCode, ioError } from "../../store/io_error.ts";
import { oldLogs } from "./log_backups.ts";
import { createRecords, type Records } from "./records.ts";
import { formatStoreLine, parseStoreLine } from "./store_line.ts";
import type { StoreEvent } from "./store_line.ts";
import { syncFolder } from "./sync_folder.ts";

/** How a store is opened. */
export interface OpenRecordsOptions {
  /** The file of the log. */
  readonly path: string;
  /** Where a chunk is; what the new log says of it. */
  readonly pathOf: (id: Uint8Array) => string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Lines are shorter; what is longer is none. */
const LONGEST_LINE = 1 << 20;
/** The new log is written in pieces of this size. */
const WRITE_BYTES = 1 << 20;

/**
 * Reads the records of the log at `path`, which may not be there yet, and
 * leaves a new one in its place. Lines that are none are told of and skipped.
 *
 * @throws {SftpxError} `local-io`.
 */
export async function openRecords(
  options: OpenRecordsOptions,
): Promise<Records> {
  const { path, clock, log } = options;
  const start = `${path}.start`;
  try {
    if (await exists(start)) {
      log.event("router.log-restored", { path });
      await Deno.rename(start, path);
    }
    const records = createRecords();
    if (!await exists(path)) return records;
    const bad = await readLog(path, records, log);
    await Deno.rename(path, start);
    await writeLog(path, records, options.pathOf);
    const time = new Date(clock.wallMs()).toISOString();
    await Deno.rename(start, `${path}.${time}`);
    await syncFolder(dirname(path));
    for (const old of await oldLogs(path, clock.wallMs())) {
      await Deno.remove(old);
    }
    log.event("router.log-read", { chunks: records.count, bad });
    return records;
  } catch (error) {
    throw ioError(`read store log "${path}"`, error);
  }
}

/** Makes of an event what it makes of the records; throws when it cannot be. */
export function applyEvent(records: Records, event: StoreEvent): void {
  if (event.type === "FNEW") {
    if (!records.add(event, event.status)) throw replay("the chunk is there");
    return;
  }
  if (event.type === "FACK") {
    records.removeRecipient(event.id);
    return;
  }
  const chunk = records.ofSender(event.id);
  if (chunk === undefined) throw replay("its chunk is not there");
  switch (event.type) {
    case "FADD":
      if (!records.addRecipients(chunk, event.recipients)) {
        throw replay("a recipient of that id is there");
      }
      return;
    case "FPUT":
      if (chunk.status.type === "blocked") return;
      records.setUploaded(chunk, true);
      return;
    case "FDEL":
      records.remove(chunk);
      return;
    case "FBLK":
      records.setUploaded(chunk, false);
      records.setStatus(chunk, { type: "blocked", blocking: event.blocking });
      return;
  }
}

/** The events that make `records`, one chunk after the other. */
export function* eventsOf(
  records: Records,
  pathOf: (id: Uint8Array) => string,
): Generator<StoreEvent> {
  for (const chunk of records.all()) {
    const { id, senderKey, size, digest, createdS, status } = chunk;
    yield { type: "FNEW", id, senderKey, size, digest, createdS, status };
    let part = [];
    for (const [name, key] of chunk.recipients) {
      const id = Uint8Array.fromBase64(name, { alphabet: "base64url" });
      part.push({ id, key });
      if (part.length === RECIPIENTS_A_LINE) {
        yield { type: "FADD", id: chunk.id, recipients: part };
        part = [];
      }
    }
    if (part.length > 0) yield { type: "FADD", id, recipients: part };
    if (chunk.uploaded) yield { type: "FPUT", id, path: pathOf(id) };
  }
}

const RECIPIENTS_A_LINE = 255;

async function readLog(
  path: string,
  records: Records,
  log: Log,
): Promise<number> {
  let bad = 0;
  let number = 0;
  for await (const line of linesOf(path)) {
    number++;
    try {
      if (line === undefined) throw replay("it is too long, or has no end");
      applyEvent(records, parseStoreLine(line));
    } catch (error) {
      if (!(error instanceof SftpxError)) throw error;
      bad++;
      log.event("router.log-bad-line", { number, reason: error.message });
    }
  }
  return bad;
}

/** Lines of a file without their ends; `undefined` for what is none. */
async function* linesOf(path: string): AsyncGenerator<string | undefined> {
  using file = await Deno.open(path);
  let rest = "";
  let isTooLong = false;
  const texts = file.readable.pipeThrough(new TextDecoderStream());
  for await (const text of texts) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (isTooLong || line.length > LONGEST_LINE) yield undefined;
      else if (line !== "") yield line;
      isTooLong = false;
    }
    if (rest.length > LONGEST_LINE) {
      isTooLong = true;
      rest = "";
    }
  }
  // What was being written when the process was killed was never said to be done.
  if (isTooLong || rest !== "") yield undefined;
}

async function writeLog(
  path: string,
  records: Records,
  pathOf: (id: Uint8Array) => string,
): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    let text = "";
    for (const event of eventsOf(records, pathOf)) {
      text += `${formatStoreLine(event)}\n`;
      if (text.length > WRITE_BYTES) {
        await file.writeFile(text);
        text = "";
      }
    }
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await Deno.lstat(path)).isFile;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

function replay(reason: string): SftpxError {
  return new SftpxError("protocol", `Cannot replay line: ${reason}`);
}
