/**
 * A real receiver in a sandbox, and senders without manners that come to it.
 *
 * @module
 */
import type { ReceiveOptions } from "../../actors/options.ts";
import type { TransferEvent } from "../../core/events.ts";
import type { Entry, ManifestFrame } from "../../protocol/manifest.ts";
import type { StatusFrame } from "../../protocol/status.ts";
import { type Library, library, TOKEN } from "../faults/library.ts";
import {
  blake3,
  type EnterOptions,
  laneFrame,
  type RawSender,
  rawSender,
  type RawSenderOptions,
} from "../testutil/raw_peer.ts";
import { file } from "./conversation.ts";

export { TOKEN };

/** A receiver with something outside of its upload folder to lose. */
export interface Sandbox extends Library {
  readonly uploads: string;
  readonly resumeDir: string;
  /** All that is in the sandbox, or below `uploads` alone, one line a name. */
  list(below?: string): Promise<string[]>;
  /** All that is outside of upload and resume folders. */
  outside(): Promise<string[]>;
  /** Dials as somebody who has the token; nothing is said yet. */
  dial(options?: Partial<RawSenderOptions>): Promise<RawSender>;
  /** A sender that was let in. */
  sender(options?: EnterOptions): Promise<RawSender>;
}

/** Starts a receiver in a sandbox. */
export async function sandbox(
  options: Partial<ReceiveOptions> = {},
  inside: Parameters<typeof library>[1] = {},
): Promise<Sandbox> {
  const two = await library({ keepFree: 0, ...options }, inside);
  const { dir, receiver } = two;
  await Deno.mkdir(`${dir}/outside`);
  await Deno.writeTextFile(`${dir}/outside/secret`, "secret");
  const dial: Sandbox["dial"] = (more = {}) =>
    rawSender({
      address: receiver.address,
      fingerprint: receiver.fingerprint,
      token: TOKEN,
      ...more,
    });
  return {
    ...two,
    uploads: `${dir}/uploads`,
    resumeDir: `${dir}/resume-recv`,
    list: (below = "") => listTree(below === "" ? dir : `${dir}/${below}`),
    async outside() {
      const all = await listTree(dir);
      return all.filter((line) => !/^(uploads|resume-recv)\b/.test(line));
    },
    dial,
    async sender(options) {
      const sender = await dial();
      await sender.enter(options);
      return sender;
    },
  };
}

/** Every name below `dir`: its kind, mode, size and content. Folders' times change with what is in them. */
export async function listTree(dir: string): Promise<string[]> {
  const lines: string[] = [];
  const look = async (path: string): Promise<void> => {
    for await (const { name } of Deno.readDir(`${dir}/${path}`)) {
      const at = path === "" ? name : `${path}/${name}`;
      await note(at).catch((error) => {
        // A session that ends takes its lock and its parts with it meanwhile.
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    }
  };
  const note = async (at: string): Promise<void> => {
    const info = await Deno.lstat(`${dir}/${at}`);
    const mode = ((info.mode ?? 0) & 0o7777).toString(8);
    if (info.isSymlink) {
      lines.push(`${at} -> ${await Deno.readLink(`${dir}/${at}`)}`);
    } else if (info.isDirectory) {
      lines.push(`${at}/ ${mode}`);
      await look(at);
    } else {
      const bytes = await Deno.readFile(`${dir}/${at}`);
      const digest = blake3(bytes).toHex().slice(0, 16);
      const time = info.mtime?.getTime();
      lines.push(`${at} ${mode} ${bytes.length} ${digest} ${time}`);
    }
  };
  await look("");
  return lines.sort();
}

/** A frame that announces an entry. */
export function announce(index: number, entry: Entry, gen = 0): ManifestFrame {
  return { type: "entry", index, gen, entry };
}

/** A file of one chunk that holds `text`. */
export function textFile(path: string, text: string): Entry {
  return file(path, new TextEncoder().encode(text).length);
}

/** A folder's beginning or end. */
export function folder(
  path: string,
  kind: "dir" | "dir-end" = "dir",
  mode = 0o755,
): Entry {
  return { kind, path, mode, mtimeNs: 0n };
}

/** A symbolic link. */
export function link(path: string, target: string): Entry {
  return { kind: "link", path, mode: 0o777, mtimeNs: 0n, target };
}

/** A lane frame with one chunk of text. */
export function textChunk(index: number, text: string): Uint8Array {
  return laneFrame({ index, bytes: new TextEncoder().encode(text) });
}

/** Picks a verdict on an entry. */
export function verdictOn(
  index: number,
): (frame: StatusFrame) => boolean {
  return (frame) => frame.type === "verdict" && frame.index === index;
}

/** Picks that all entries below `next` are final. */
export function retired(next: number): (frame: StatusFrame) => boolean {
  return (frame) => frame.type === "retired" && frame.next >= next;
}

/** Picks an event that a transfer failed. */
export function failed(event: TransferEvent): boolean {
  return event.type === "failed";
}

/**
 * Announces `entries` at once, sends the text of those files that are wanted,
 * and waits until all of them are final.
 */
export async function sendAll(
  sender: RawSender,
  entries: readonly Entry[],
  text: string,
): Promise<void> {
  await sender.manifest(...entries.map((entry, n) => announce(n, entry)));
  const lane = await sender.open();
  for (const [index, { kind }] of entries.entries()) {
    if (kind !== "file") continue;
    const frame = await sender.status(verdictOn(index));
    const verdict = frame.type === "verdict" ? frame.verdict.kind : undefined;
    if (verdict !== "want" && verdict !== "compare") continue;
    await lane.write(textChunk(index, text));
  }
  await sender.status(retired(entries.length));
}
