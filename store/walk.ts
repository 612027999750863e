/**
 * A walk of the sender's disk, entry by entry, with all that it may need: see
 * `source.ts`.
 *
 * @module
 */
import { walkInSteps, type WalkOptions } from "./source.ts";
import type { SourceEntry, SourceRoot } from "./source_entry.ts";

/** Tells what is below `roots`, which have different names. */
export async function* walk(
  roots: readonly SourceRoot[],
  options: WalkOptions = {},
): AsyncGenerator<SourceEntry, void, void> {
  const ignore = () => import("./ignore.ts");
  for await (const told of walkInSteps(roots, { ignore, ...options })) {
    yield* told;
  }
}
