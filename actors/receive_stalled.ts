/**
 * Connections that hold what others wait for, and bring nothing.
 *
 * A lane has memory for a frame from when its header is there. Where a
 * connection goes dark in the middle of frames, that memory is gone until QUIC
 * calls it lost, half a minute later; and if it was all there is, nobody else can
 * bring anything. So the one that has brought nothing for a while is ended.
 *
 * Time is counted in beats: while this process does not run there are none, and
 * so nothing is held against those who were not read.
 *
 * @module
 */

/** What is seen of a further connection. */
export interface Carrying {
  /** Bytes that came over it. */
  readonly bytes: number;
  /** Lanes of it that have memory, and wait for the network to fill it. */
  readonly waiting: number;
}

/** Looks out for connections that hold up others. */
export interface StallWatch {
  /** The first connection was heard: the path is there. */
  heard(): void;
  /**
   * Looks once a beat.
   *
   * @param isCrowded True when lanes wait for memory that others have.
   * @returns A further connection that is to be ended; `undefined`: none.
   */
  beat(
    isCrowded: boolean,
    further: ReadonlyMap<number, Carrying>,
  ): number | undefined;
}

/** Beats without a byte after which a connection that holds up others is ended. */
const STALLED_BEATS = 15;
/** Beats within which the sender must have been heard over the first connection. */
const HEARD_BEATS = 10;

/** Creates a watch. */
export function stallWatch(): StallWatch {
  const seen = new Map<number, { bytes: number; beats: number }>();
  let silentBeats = 0;
  return {
    heard() {
      silentBeats = 0;
    },
    beat(isCrowded, further) {
      silentBeats++;
      // Else everything is dark, and no connection is worse than others.
      const mayEnd = isCrowded && silentBeats <= HEARD_BEATS;
      if (!mayEnd) seen.clear();
      for (const connection of seen.keys()) {
        if (!further.has(connection)) seen.delete(connection);
      }
      if (!mayEnd) return undefined;
      for (const [connection, { bytes, waiting }] of further) {
        const before = seen.get(connection);
        const isStill = waiting > 0 && before?.bytes === bytes;
        const beats = isStill ? before.beats + 1 : 0;
        if (beats >= STALLED_BEATS) {
          seen.clear(); // what it gives back may be enough
          return connection;
        }
        seen.set(connection, { bytes, beats });
      }
      return undefined;
    },
  };
}
