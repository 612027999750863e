/**
 * A binary heap: the least item first.
 *
 * @module
 */

/** Items of which the least is at hand. */
export interface Heap<T> {
  readonly size: number;
  push(item: T): void;
  /** Returns the least item, which stays. */
  peek(): T | undefined;
  /** Takes the least item. */
  pop(): T | undefined;
}

/** Creates an empty heap. */
export function heap<T>(less: (a: T, b: T) => boolean): Heap<T> {
  const items: T[] = [];
  function pop(): T | undefined {
    const least = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return least;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const left = items[child];
      if (left === undefined) break;
      let smaller = left;
      const right = items[child + 1];
      if (right !== undefined && less(right, left)) {
        smaller = right;
        child++;
      }
      if (!less(smaller, last)) break;
      items[at] = smaller;
      at = child;
    }
    items[at] = last;
    return least;
  }
  return {
    get size() {
      return items.length;
    },
    push(item) {
      let at = items.length;
      while (at > 0) {
        const above = (at - 1) >> 1;
        const parent = items[above];
        if (parent === undefined || !less(item, parent)) break;
        items[at] = parent;
        at = above;
      }
      items[at] = item;
    },
    peek: () => items[0],
    pop,
  };
}
