/**
 * The program, which ends itself with SIGKILL at one call that matters for what
 * is on disk: `DIE_AT` is `<rename:2` for "before the second file gets its
 * name", `>journal:3` for "after the third sync of a journal".
 *
 * @module
 */
import { open } from "node:fs/promises";

const [, side, call, at] = /^([<>])(\w+):(\d+)$/.exec(
  Deno.env.get("DIE_AT") ?? "",
) ?? [];
let seen = 0;

function die(): never {
  Deno.kill(Deno.pid, "SIGKILL");
  for (;;); // a signal takes a moment
}

function around<T>(name: string, work: () => T): T {
  const isIt = name === call && ++seen === Number(at);
  if (isIt && side === "<") die();
  const done = work();
  if (isIt && !(done instanceof Promise)) die();
  return isIt ? (done as Promise<unknown>).then(die) as T : done;
}

const { dlopen } = Deno;
type Call = (...args: unknown[]) => unknown;

function hooked(...args: Parameters<typeof dlopen>): unknown {
  const library = dlopen(...args);
  const all = { ...library.symbols } as Record<string, Call>;
  for (const [name, real] of Object.entries(all)) {
    const known = { renameat2: "rename", syncfs: "sync" }[name];
    if (known === undefined) continue;
    all[name] = (...given) => around(known, () => real(...given));
  }
  return { symbols: all, close: () => library.close() };
}

Deno.dlopen = hooked as typeof dlopen;

const own = await open(new URL(import.meta.url), "r");
const prototype: { datasync(): Promise<void> } = Object.getPrototypeOf(own);
await own.close();
const { datasync } = prototype;
prototype.datasync = function (this: unknown): Promise<void> {
  return around("journal", () => datasync.call(this));
};

await import("./wire_resume.ts"); // not before all of this is in place
