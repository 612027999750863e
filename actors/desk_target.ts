/**
 * A file on the desk, as lanes see it.
 *
 * There is one for every chunk that comes, which is why this is a class.
 *
 * @module
 */
import type { FileEntry } from "../protocol/entry.ts";
import type { PlacedStamp } from "../store/journal_codec.ts";
import type { Incoming } from "../store/incoming.ts";
import type { Target } from "./lane_receive.ts";

/** Shows lanes a file that takes chunks. */
export function deskTarget(run: number, gen: number, file: Incoming): Target {
  return new DeskTarget(run, gen, file);
}

class DeskTarget implements Target {
  readonly run: number;
  readonly gen: number;
  readonly #file: Incoming;

  constructor(run: number, gen: number, file: Incoming) {
    this.run = run;
    this.gen = gen;
    this.#file = file;
  }

  get entry(): FileEntry {
    return this.#file.entry;
  }

  get name(): string {
    return this.#file.name ?? "";
  }

  write(chunk: number, bytes: Uint8Array): Promise<boolean> {
    return this.#file.write(chunk, bytes);
  }

  writeNow(
    chunk: number,
    bytes: Uint8Array<ArrayBuffer>,
  ): boolean | undefined {
    return this.#file.writeNow?.(chunk, bytes);
  }

  beginWrite(): number {
    return this.#file.beginWrite?.() ?? -1;
  }

  endWrite(made: PlacedStamp | undefined): boolean | undefined {
    return this.#file.endWrite?.(made);
  }

  confirm(chunk: number, digest: Uint8Array): boolean {
    return this.#file.confirm(chunk, digest);
  }
}
