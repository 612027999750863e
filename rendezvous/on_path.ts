/**
 * A connection that knows by what path it goes.
 *
 * @module
 */
import type { Conn } from "../transport/transport.ts";
import { pathOf } from "./candidates.ts";
import type { Arrival } from "./station.ts";
import type { Path } from "./types.ts";

/** The connection of `arrival`, with its path. */
export function onPath({ conn, candidate }: Arrival): Conn {
  const path: Path = pathOf(candidate.kind);
  return {
    ...conn.carrier && { carrier: conn.carrier },
    path,
    get remote() {
      return conn.remote;
    },
    closed: conn.closed,
    openBidi: () => conn.openBidi(),
    openUni: (priority) => conn.openUni(priority),
    acceptBidi: () => conn.acceptBidi(),
    acceptUni: () => conn.acceptUni(),
    close: (code, reason) => conn.close(code, reason),
  };
}
