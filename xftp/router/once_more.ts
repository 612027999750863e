/**
 * Work that many ask for at once and that one run does for all of them, such as
 * a sync of a folder.
 *
 * @module
 */

/**
 * Makes `run` serve all who ask. Who asks while it runs is served by the next
 * run, which begins after the asking: what was done before is covered by it.
 */
export function onceMore(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const start = (): Promise<void> => {
    const mine = run().finally(() => {
      if (running === mine) running = undefined;
    });
    running = mine;
    return mine;
  };
  const after = async (before: Promise<void>): Promise<void> => {
    await before.catch(() => {}); // those who asked for it hear of it
    next = undefined;
    await start();
  };
  return () => {
    if (next !== undefined) return next;
    if (running === undefined) return start();
    next = after(running);
    return next;
  };
}
