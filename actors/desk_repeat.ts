/**
 * What a new connection must hear of the entries that are open.
 *
 * @module
 */
import type { Item } from "./desk_item.ts";
import type { Facts } from "./facts.ts";

/** Says once more what was said of open entries, and what is final for the first time. */
export function repeatItems(
  items: Iterable<Item>,
  run: number,
  facts: Facts,
): void {
  // Of those that are final nothing is known here any more.
  for (const [index, fact] of facts.drain()) {
    if (fact.final !== undefined) facts.add(index, fact);
  }
  for (const { index, gen, verdict, durable, offered } of items) {
    if (verdict === undefined) continue;
    facts.add(index, {
      run,
      gen,
      verdict,
      ...(offered.length > 0 && { candidates: offered }),
      ...(durable !== undefined && { durable: durable.clone() }),
    });
  }
}
