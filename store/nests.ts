/**
 * Which small files of a run are made in folders that are filled out of sight,
 * and when such a folder is complete.
 *
 * A folder that we made, and that many small files are to come to, has a *nest*:
 * they are made there under their own names, and one rename puts all of them in
 * place. That must wait until every file that is in the nest is whole and
 * synced, so a nest is closed by the checkpoint that has all of them. One that
 * has only some waits for the next, once: a folder that is never complete must
 * not keep what it has from its place. Whatever is in the way of it, its files
 * go on as parts, one by one.
 *
 * @module
 */
import type { SafePath } from "./paths.ts";
import type { NestDir, PartialDir, Root } from "./root.ts";

/** What small files of one folder share. */
export interface Nest {
  /** Where they are made, while there is any that is inside. */
  readonly dir: NestDir | undefined;
  /** One more file is to come to the folder. */
  expect(): void;
  /** One of these has its place, or will not come. */
  forget(): void;
  /** Takes a file in, until `leave()`; false when it has to be a part. */
  enter(bytes: number): boolean;
  /** Another thread makes a file that is inside: the nest stays open meanwhile. */
  begin(): void;
  /** That is over. */
  end(): void;
  /** A file is not inside any more: it has its place, is a part, or is no more. */
  leave(): void;
  /**
   * Whether a checkpoint that has `files` of those inside may put the nest in
   * place; then it is closed. If not, they belong to the next checkpoint.
   *
   * @param isLast Nothing waits for a later one.
   */
  isReady(files: number, isLast: boolean): boolean;
  /**
   * Puts the nest in place with all that is inside, which must be synced; if it
   * does not, each file has to leave.
   */
  adopt(): boolean;
}

/** The nests of a run. */
export interface Nests {
  /** What the small files of a folder share. */
  of(folder: SafePath): Nest;
  /** No more files come to a folder; says whether some are to come to it still. */
  ended(folder: SafePath): boolean;
  /** Lets go of all, once nothing is made there; what is inside stays. */
  close(): void;
}

/** When fewer are to come, it is not worth it. */
const LEAST_FILES = 4;
/** A nest has no more than so many files, ... */
const MOST_FILES = 512;
/** ... and bytes: they are lost when the process is killed. */
const MOST_BYTES = 32 * 1024 * 1024;
/** Nests that are open at a time: each has a descriptor. */
const MOST_NESTS = 128;

/** Creates a run's nests, of which there are none. */
export function createNests(root: Root, partial: PartialDir): Nests {
  const known = new Map<SafePath, FolderNest>();
  const open = new Set<FolderNest>();
  const make = (folder: SafePath): NestDir | undefined =>
    open.size < MOST_NESTS ? root.nest(partial, folder) : undefined;
  const over = (folder: SafePath): void => {
    if (known.delete(folder)) root.forgetDir(folder);
  };
  return {
    of(folder) {
      let nest = known.get(folder);
      if (nest === undefined) {
        nest = new FolderNest(folder, { make, open, over });
        known.set(folder, nest);
      }
      return nest;
    },
    ended(folder) {
      known.get(folder)?.ended();
      return known.has(folder);
    },
    close() {
      for (const nest of open) nest.close();
      known.clear();
    },
  };
}

interface NestDeps {
  readonly make: (folder: SafePath) => NestDir | undefined;
  readonly open: Set<FolderNest>;
  /** Told when no file is to come to a folder any more. */
  readonly over: (folder: SafePath) => void;
}

class FolderNest implements Nest {
  dir: NestDir | undefined;
  readonly #folder: SafePath;
  readonly #deps: NestDeps;
  /** `new`: nothing was made; `shut`: takes no more files. */
  #state: "new" | "open" | "shut" = "new";
  #isEnded = false;
  #hasWaited = false;
  #isOver = false;
  #expected = 0;
  #inside = 0;
  #bytes = 0;
  #making = 0;

  constructor(folder: SafePath, deps: NestDeps) {
    this.#folder = folder;
    this.#deps = deps;
  }

  expect(): void {
    this.#expected++;
  }

  forget(): void {
    this.#expected--;
    this.#tidy();
  }

  ended(): void {
    this.#isEnded = true;
    this.#tidy();
  }

  enter(bytes: number): boolean {
    if (this.#state === "new") this.#begin();
    const isFull = this.#inside >= MOST_FILES ||
      this.#bytes + bytes > MOST_BYTES;
    if (isFull) this.#state = "shut";
    if (this.#state !== "open") return false;
    this.#inside++;
    this.#bytes += bytes;
    return true;
  }

  /** Decides, once, as what is put in place by itself is in a nest's way. */
  #begin(): void {
    const isWorth = !this.#isEnded || this.#expected >= LEAST_FILES;
    this.dir = isWorth ? this.#deps.make(this.#folder) : undefined;
    this.#state = this.dir === undefined ? "shut" : "open";
    if (this.dir !== undefined) this.#deps.open.add(this);
  }

  begin(): void {
    this.#making++;
  }

  end(): void {
    this.#making--;
    this.#tidy();
  }

  leave(): void {
    this.#inside--;
    this.#tidy();
  }

  isReady(files: number, isLast: boolean): boolean {
    const isComplete = this.#isEnded && files === this.#expected;
    const mayWait = this.#state === "open" && !isComplete && !this.#hasWaited;
    const isReady = files === this.#inside && (isLast || !mayWait);
    if (isReady || this.#hasWaited) this.#state = "shut";
    this.#hasWaited = true;
    return isReady;
  }

  adopt(): boolean {
    return this.dir?.adopt() ?? false;
  }

  close(): void {
    this.#isOver = true;
    this.#tidy();
  }

  /** Lets go of what nobody needs any more. */
  #tidy(): void {
    const isAll = this.#isEnded && this.#expected === 0;
    if (isAll) this.#deps.over(this.#folder);
    const mayGrow = this.#state === "open" && !isAll;
    const isNeeded = this.#making > 0 ||
      !this.#isOver && (this.#inside > 0 || mayGrow);
    if (isNeeded || this.dir === undefined) return;
    this.#state = "shut";
    this.#deps.open.delete(this);
    this.dir.close();
    this.dir = undefined;
  }
}
