/**
 * The names in a folder, as Linux lists them.
 *
 * | offset | size | field of `struct linux_dirent64` |
 * | ------ | ---- | -------------------------------- |
 * | 0      | 8    | inode                            |
 * | 8      | 8    | where to go on                   |
 * | 16     | 2    | bytes of all of it               |
 * | 18     | 1    | what it is                       |
 * | 19     |      | the name, which ends with a 0    |
 *
 * @module
 */

/** As the system's own list has it: what is no UTF-8 becomes U+FFFD. */
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });
const LENGTH_AT = 16;
const NAME_AT = 19;

/** Adds the names that `room` holds in its first `length` bytes to `list`. */
export function addNames(
  list: string[],
  room: Uint8Array,
  length: number,
): void {
  for (let at = 0; at + NAME_AT < length;) {
    const size = (room[at + LENGTH_AT] ?? 0) |
      (room[at + LENGTH_AT + 1] ?? 0) << 8;
    const start = at + NAME_AT;
    const end = room.indexOf(0, start);
    const isDot = room[start] === DOT &&
      (end - start === 1 || end - start === 2 && room[start + 1] === DOT);
    if (!isDot) list.push(DECODER.decode(room.subarray(start, end)));
    if (size === 0) return;
    at += size;
  }
}

const DOT = 0x2e;
