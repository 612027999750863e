/**
 * A small file that is coming in, to where nothing can be in its way.
 *
 * It has one chunk, and the folder it goes to is one that we made. So there is
 * nothing to compare and nothing to remember, and each step is done at once. As
 * soon as anything is not as it should be, an `incoming()` takes over.
 *
 * Thousands of them are open at a time, which is why this is a class: what they
 * share is there once.
 *
 * @module
 */
import type { FileEntry } from "../protocol/entry.ts";
import { rangeSet, type ReadonlyRangeSet } from "../protocol/ranges.ts";
import {
  type Candidate,
  type Incoming,
  incoming,
  type Placement,
} from "./incoming.ts";
import type { SafePath } from "./paths.ts";
import type { PlacedStamp } from "./journal_codec.ts";
import type { BytesElsewhere } from "./root_file.ts";
import type { VaultDeps } from "./vault.ts";

/** Creates the receiver's side of a file of one chunk, for which space is reserved. */
export function smallIncoming(
  deps: VaultDeps,
  entry: FileEntry,
  path: SafePath,
  slot: number,
): Incoming {
  return new SmallIncoming(deps, entry, path, slot);
}

const ONE: ReadonlyRangeSet = rangeSet([{ start: 0, end: 1 }]);
const NONE: ReadonlyRangeSet = rangeSet();

class SmallIncoming implements Incoming {
  readonly entry: FileEntry;
  readonly path: SafePath;
  readonly slot: number;
  readonly #deps: VaultDeps;
  #isReserved = true;
  #isWritten = false;
  #isEnded = false;
  /** While another thread makes the part: what it makes may be of no use then. */
  #making: "part" | "stale part" | undefined;
  #made: PromiseWithResolvers<void> | undefined;
  #long: Incoming | undefined;

  constructor(
    deps: VaultDeps,
    entry: FileEntry,
    path: SafePath,
    slot: number,
  ) {
    this.#deps = deps;
    this.entry = entry;
    this.path = path;
    this.slot = slot;
  }

  get written(): ReadonlyRangeSet {
    return this.#long?.written ?? (this.#isWritten ? ONE : NONE);
  }

  writeNow(
    _chunk: number,
    bytes: Uint8Array<ArrayBuffer>,
  ): boolean | undefined {
    if (this.#long !== undefined || this.#making !== undefined) {
      return undefined;
    }
    if (this.#isEnded) return false; // nobody waits for it any more
    if (this.#isWritten) return true;
    const { partial } = this.#deps;
    if (!partial.createWhole(this.slot, bytes, this.entry)) return undefined;
    this.#isWritten = true;
    this.#free();
    return true;
  }

  beginWrite(): number {
    const isBusy = this.#long !== undefined || this.#making !== undefined;
    if (isBusy || this.#isEnded || this.#isWritten) return -1;
    const dir = this.#deps.partial.beginWhole();
    if (dir >= 0) this.#making = "part";
    return dir;
  }

  endWrite(isDone: boolean): boolean | undefined {
    const isOurs = this.#making === "part";
    this.#making = undefined;
    this.#made?.resolve();
    this.#made = undefined;
    if (!isDone || !isOurs) return this.#isEnded ? false : undefined;
    this.#isWritten = true;
    this.#free();
    return !this.#isEnded;
  }

  async write(
    chunk: number,
    bytes: Uint8Array | BytesElsewhere,
  ): Promise<boolean> {
    await this.#whenMade();
    const isTwice = this.#long === undefined && this.#isWritten;
    if (isTwice) return !this.#isEnded;
    return await this.#other().write(chunk, bytes);
  }

  get isAssembled(): boolean {
    return this.#long === undefined && this.#isWritten;
  }

  placeNow(digest: Uint8Array): Placement | undefined {
    if (!this.isAssembled || this.#isEnded) return undefined;
    const { root, partial } = this.#deps;
    const stamp = root.commitNow(partial, this.slot, this.path);
    return stamp && this.wasPlaced(digest, stamp);
  }

  wasPlaced(digest: Uint8Array, stamp: PlacedStamp): Placement {
    const { path, entry } = this;
    const { size, mtimeNs } = entry;
    this.#deps.journal.done({
      path,
      size,
      mtimeNs,
      digest,
      finalPath: path,
      local: stamp,
    });
    return { finalPath: path, skipped: false };
  }

  place(digest: Uint8Array): Promise<Placement> {
    return this.#other().place(digest);
  }

  confirm(chunk: number, digest: Uint8Array): boolean {
    return this.#long?.confirm(chunk, digest) ?? this.#isWritten;
  }

  rewind(): void {
    this.#isWritten = false;
    if (this.#making !== undefined) this.#making = "stale part";
    this.#long?.rewind();
  }

  async *candidates(): AsyncGenerator<Candidate> {
    // nothing was found
  }

  async assemble(): Promise<void> {
    await this.#other().assemble();
  }

  content(): AsyncGenerator<Uint8Array> {
    return this.#other().content();
  }

  sync(): Promise<void> {
    return this.#other().sync();
  }

  close(): void {
    this.#isEnded = true;
    this.#long?.close();
    this.#free();
  }

  async settled(): Promise<void> {
    await this.#whenMade();
    await this.#long?.settled();
  }

  async discard(): Promise<void> {
    this.close();
    await this.settled();
    await this.#deps.partial.remove(this.slot);
  }

  async #whenMade(): Promise<void> {
    if (this.#making === undefined) return;
    this.#made ??= Promise.withResolvers<void>();
    await this.#made.promise;
  }

  #free(): void {
    if (this.#isReserved) this.#deps.release(this.entry.size);
    this.#isReserved = false;
  }

  /** Goes the long way from here on. */
  #other(): Incoming {
    if (this.#long !== undefined) return this.#long;
    const { entry, path, slot } = this;
    const reserved = this.#isReserved ? entry.size : 0;
    this.#isReserved = false;
    this.#long = incoming(this.#deps, {
      ...{ entry, path, slot, reserved },
      isKept: false,
      found: undefined,
      replaces: undefined,
      isWritten: this.#isWritten,
    });
    if (this.#isEnded) this.#long.close();
    return this.#long;
  }
}
