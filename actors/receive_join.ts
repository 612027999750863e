/**
 * A further connection of a sender that is there: it carries lanes and nothing
 * else.
 *
 * @module
 */
import type { Context } from "../core/actor.ts";
import type { Welcome } from "../protocol/control.ts";
import { untilAborted } from "./frames.ts";
import type { ReceiveLink, ReceiveWire } from "./receive_wire.ts";

/** Welcomes a connection, and takes lanes over it once that is said. */
export function letIn(
  cx: Pick<Context<never>, "spawn">,
  link: ReceiveLink,
  wire: Pick<ReceiveWire, "join">,
  welcome: Welcome,
): void {
  const lost = (): void => link.conn.close(); // whoever dialled it hears of it
  // Not waited for: a peer need not take it.
  cx.spawn((signal) =>
    untilAborted(
      link.control.write(welcome).then(() => wire.join(link), lost),
      signal,
    )
  );
}
