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
import type { PlacedStamp } from "./journal_codec.ts";
import type { Nest } from "./nests.ts";
import { baseName, type SafePath } from "./paths.ts";
import type { BytesElsewhere } from "./root_file.ts";
import type { NestDir } from "./root_nest.ts";
import { partName } from "./root_part_name.ts";
import type { VaultDeps } from "./vault.ts";

/**
 * Creates the receiver's side of a file of one chunk, for which space is reserved.
 *
 * @param nest What it shares with others of its folder.
 */
export function smallIncoming(
  deps: VaultDeps,
  entry: FileEntry,
  path: SafePath,
  slot: number,
  nest: Nest,
): Incoming {
  return new SmallIncoming(deps, entry, path, slot, nest);
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
  readonly #nest: Nest;
  #isExpected = true;
  /** Whether it is in its nest, or being made there, under its own name. */
  #isInside = false;
  #stamp: PlacedStamp | undefined;

  constructor(
    deps: VaultDeps,
    entry: FileEntry,
    path: SafePath,
    slot: number,
    nest: Nest,
  ) {
    this.#deps = deps;
    this.entry = entry;
    this.path = path;
    this.slot = slot;
    this.#nest = nest;
    nest.expect();
  }

  get nest(): Nest | undefined {
    return this.#isInside ? this.#nest : undefined;
  }

  get name(): string {
    return this.#isInside ? baseName(this.path) : partName(this.slot);
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
    if (!this.#makeNow(bytes)) return undefined;
    this.#isWritten = true;
    this.#free();
    return true;
  }

  beginWrite(): number {
    const isBusy = this.#long !== undefined || this.#making !== undefined;
    if (isBusy || this.#isEnded || this.#isWritten) return -1;
    const nest = this.#enter();
    const dir = nest?.fd ?? this.#deps.partial.beginWhole();
    if (dir < 0) return dir;
    this.#making = "part";
    if (nest !== undefined) this.#nest.begin();
    return dir;
  }

  endWrite(made: PlacedStamp | undefined): boolean | undefined {
    const isOurs = this.#making === "part" && made !== undefined;
    this.#making = undefined;
    this.#made?.resolve();
    this.#made = undefined;
    if (this.#isInside) this.#nest.end();
    if (!isOurs || this.#isEnded) this.#removeNested();
    if (!isOurs) return this.#isEnded ? false : undefined;
    this.#stamp = made;
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
    if (!this.isAssembled || this.#isEnded || this.#isInside) return undefined;
    const { root, partial } = this.#deps;
    const stamp = root.commitNow(partial, this.slot, this.path);
    return stamp && this.wasPlaced(digest, stamp);
  }

  wasAdopted(digest: Uint8Array): Placement | undefined {
    if (!this.#isInside || this.#stamp === undefined) return undefined;
    this.#isInside = false;
    this.#nest.leave();
    return this.wasPlaced(digest, this.#stamp);
  }

  leaveNest(): void {
    if (!this.#isInside) return;
    // Where that does not work `place()` tells that there is no such part.
    this.#nest.dir?.release(this.name, this.slot);
    this.#isInside = false;
    this.#nest.leave();
  }

  wasPlaced(digest: Uint8Array, stamp: PlacedStamp): Placement {
    this.#forget();
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
    else this.#removeNested();
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
    this.#forget();
    if (this.#making === undefined) this.#removeNested();
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

  /** Nobody waits for it any more. */
  #forget(): void {
    if (this.#isExpected) this.#nest.forget();
    this.#isExpected = false;
  }

  /** The nest it is to be made in; `undefined` when it has to be a part. */
  #enter(): NestDir | undefined {
    if (this.#nest.enter(this.entry.size)) this.#isInside = true;
    return this.nest?.dir;
  }

  #makeNow(bytes: Uint8Array<ArrayBuffer>): boolean {
    const { entry, slot } = this;
    const nest = this.#enter();
    if (nest === undefined) {
      return this.#deps.partial.createWhole(slot, bytes, entry);
    }
    const made = nest.make(this.name, bytes, entry);
    if (made === undefined) this.#removeNested();
    this.#stamp = made && { ...made, size: Number(made.size) };
    return made !== undefined;
  }

  /** What is in the nest of it is of no use. */
  #removeNested(): void {
    if (!this.#isInside) return;
    this.#nest.dir?.remove(this.name);
    this.#isInside = false;
    this.#nest.leave();
  }

  /** Goes the long way from here on. */
  #other(): Incoming {
    if (this.#long !== undefined) return this.#long;
    this.leaveNest();
    this.#forget();
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
