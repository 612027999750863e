/**
 * Where in the journal the done record of a path is: twelve bytes a place.
 *
 * An open hash table in typed arrays, so that a million files cost some twenty
 * megabytes and no garbage. A key is 48 bits of a hash of the path, whose secret
 * keeps a peer from choosing paths that crowd one place. Two paths that share
 * all of them (one chance in 500 among a million) share an entry:
 * the later is found, the earlier is not, and is only compared once more.
 *
 * @module
 */

/** 48 bits of a hash, in the two parts that the table keeps. */
export interface PathKey {
  readonly high: number;
  readonly low: number;
}

/** Offsets by path key. */
export interface DoneIndex {
  /** How many keys there are. */
  readonly size: number;
  /** What the arrays take. */
  readonly byteLength: number;
  /** The offset last set for a key; `undefined` when there is none. */
  get(key: PathKey): number | undefined;
  set(key: PathKey, offset: number): void;
  /** The key of a path. */
  keyOf(path: string): PathKey;
  clone(): DoneIndex;
}

/** Fuller than this, a search for what is not there becomes long. */
const MAX_LOAD = 0.85;
const FIRST_PLACES = 64;
/** Less than doubling, so that a table is never half empty. */
const GROWTH = 1.5;

/** Bytes of the secret that keys are made with. */
export const KEY_SECRET_BYTES = 8;
const NO_SECRET = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

const TWO_32 = 2 ** 32;
/** Numbers below this, times each other, are still exact. */
const TWO_26 = 2 ** 26;
/** A prime is this much less. */
const LESS = 5;

/**
 * Creates what makes keys of paths: two polynomials of a path's characters, each
 * at a secret place and modulo a prime of 26 bits. For who does not know the
 * places any two paths are as likely to meet as any others.
 */
function keysOf(secret: Uint8Array): (path: string) => PathKey {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = secret;
  const at = (high: number, ...rest: readonly [number, number, number]) =>
    rest.reduce((sum, byte) => sum * 256 + byte, (high & 1) + 2);
  const one = at(a, b, c, d);
  const other = at(e, f, g, h);
  return (path) => {
    let [x, y] = [1, 1];
    for (let n = 0; n < path.length; n++) {
      const code = path.charCodeAt(n);
      x = reduced(x * one + code);
      y = reduced(y * other + code);
    }
    return { high: (x * 64 + y % 64) % TWO_32, low: (y >>> 6) & 0xffff };
  };
}

/** A number below 2^53 modulo the prime, or that and a little. */
function reduced(value: number): number {
  const high = Math.floor(value / TWO_26);
  const rest = value - high * TWO_26 + high * LESS;
  return rest % (TWO_26 - LESS);
}

/**
 * Creates an empty index.
 *
 * @param secret {@linkcode KEY_SECRET_BYTES} that no peer knows. @default {numbers that anybody knows}
 */
export function doneIndex(secret: Uint8Array = NO_SECRET): DoneIndex {
  return indexOf(newTable(FIRST_PLACES), keysOf(secret));
}

function indexOf(table: Table, keyOf: DoneIndex["keyOf"]): DoneIndex {
  return {
    get size() {
      return table.size;
    },
    get byteLength() {
      return table.keyHigh.byteLength + table.keyLow.byteLength +
        table.atHigh.byteLength + table.atLow.byteLength;
    },
    get(key) {
      return offsetAt(table, find(table, key));
    },
    set(key, offset) {
      if (table.size + 1 > table.places * MAX_LOAD) table = grown(table);
      put(table, key, offset);
    },
    keyOf,
    clone: () =>
      indexOf({
        ...table,
        keyHigh: table.keyHigh.slice(),
        keyLow: table.keyLow.slice(),
        atHigh: table.atHigh.slice(),
        atLow: table.atLow.slice(),
      }, keyOf),
  };
}

/** Keys and 48-bit offsets; an offset of 0 marks a free place. */
interface Table {
  readonly places: number;
  size: number;
  readonly keyHigh: Uint32Array;
  readonly keyLow: Uint16Array;
  readonly atHigh: Uint16Array;
  readonly atLow: Uint32Array;
}

function newTable(places: number): Table {
  return {
    places,
    size: 0,
    keyHigh: new Uint32Array(places),
    keyLow: new Uint16Array(places),
    atHigh: new Uint16Array(places),
    atLow: new Uint32Array(places),
  };
}

/** The place of `key`, or the free one where it would go. */
function find(table: Table, key: PathKey): number {
  let place = Math.floor(key.high / TWO_32 * table.places);
  while (
    offsetAt(table, place) !== undefined &&
    (table.keyHigh[place] !== key.high || table.keyLow[place] !== key.low)
  ) {
    place = place + 1 === table.places ? 0 : place + 1;
  }
  return place;
}

function offsetAt(table: Table, place: number): number | undefined {
  const offset = (table.atHigh[place] ?? 0) * TWO_32 +
    (table.atLow[place] ?? 0);
  return offset === 0 ? undefined : offset;
}

function put(table: Table, key: PathKey, offset: number): void {
  const place = find(table, key);
  if (offsetAt(table, place) === undefined) table.size++;
  table.keyHigh[place] = key.high;
  table.keyLow[place] = key.low;
  table.atHigh[place] = Math.floor(offset / TWO_32);
  table.atLow[place] = offset;
}

function grown(table: Table): Table {
  const larger = newTable(Math.ceil(table.places * GROWTH));
  for (let place = 0; place < table.places; place++) {
    const offset = offsetAt(table, place);
    if (offset === undefined) continue;
    const high = table.keyHigh[place] ?? 0;
    put(larger, { high, low: table.keyLow[place] ?? 0 }, offset);
  }
  return larger;
}
