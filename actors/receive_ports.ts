/**
 * Where further connections of a sender that is there may come in.
 *
 * @module
 */
import type { Context } from "../core/actor.ts";
import type { ControlFrame, WantPorts } from "../protocol/control.ts";
import type { Conn } from "../transport/transport.ts";
import type { SidePorts } from "./side_ports.ts";

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
