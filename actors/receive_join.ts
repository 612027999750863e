/**
 * A further connection of a sender that is there: it carries lanes and nothing
 * else. And where it may come in.
 *
 * @module
 */
import type { Context } from "../core/actor.ts";
import type { ControlFrame, WantPorts, Welcome } from "../protocol/control.ts";
import type { Conn } from "../transport/transport.ts";
import { untilAborted } from "./frames.ts";
import type { ReceiveLink, ReceiveWire } from "./receive_wire.ts";
import type { SidePorts } from "./side_ports.ts";

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

/** Ports for further connections, to be said over the connection of an epoch. */
export interface FoundPorts {
  readonly type: "ports";
  readonly epoch: number;
  readonly frame: Extract<ControlFrame, { type: "ports" }>;
}

/**
 * Finds ports for further connections of a sender that came in by `conn`. There
 * are none where our own address may not be what it dialled, or UDP not pass.
 */
export function findPorts(
  cx: Context<FoundPorts>,
  { epoch, conn, carrier, count }: Pick<WantPorts, "carrier" | "count"> & {
    readonly epoch: number;
    readonly conn: Conn;
  },
  open: SidePorts["take"] | undefined,
): void {
  const isDirect = conn.carrier === "quic" && conn.path === undefined;
  cx.spawn(async (signal) => {
    const ports = isDirect && open ? await open(carrier, count) : [];
    const frame = { type: "ports", carrier, ports } as const;
    await cx.self.send({ type: "ports", epoch, frame }, signal);
  });
}
