/**
 * Times as the C library takes them.
 *
 * @module
 */

const NS = 1_000_000_000n;

/** Two of `struct timespec`: the times of access and of change, each seconds and nanoseconds. */
export type Times = BigInt64Array<ArrayBuffer>;

/** Makes a place for two times. */
export function newTimes(): Times {
  return new BigInt64Array(4);
}

/**
 * Writes a time of change, in nanoseconds since 1970. The time of access is the
 * same: nobody has read it yet.
 */
export function fillTimes(times: Times, ns: bigint): void {
  let seconds = ns / NS;
  let rest = ns - seconds * NS;
  if (rest < 0n) { // before 1970; the call wants it never negative
    seconds -= 1n;
    rest += NS;
  }
  times[0] = times[2] = seconds;
  times[1] = times[3] = rest;
}
