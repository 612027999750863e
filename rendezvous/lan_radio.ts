/**
 * Multicast on all networks that this machine is in.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { LAN_GROUP, LAN_PORT } from "./lan_announce.ts";
import {
  type Datagram,
  type DatagramSocket,
  datagramSocket,
} from "./stun_socket.ts";

/** What all on the same networks hear. */
export interface LanRadio {
  send(bytes: Uint8Array): Promise<void>;
  /** What comes next, our own words too; `undefined` once closed. */
  receive(): Promise<Datagram | undefined>;
  close(): void;
}

/** Where to speak. */
export interface LanRadioOptions {
  /** IPv4 addresses of our interfaces. @default those of all, this machine's own network included */
  readonly addresses?: readonly string[];
  readonly port?: number;
}

/**
 * Opens it. An interface that has no multicast is left out.
 *
 * @throws {SftpxError} "unreachable" when none has.
 */
export async function lanRadio(
  options: LanRadioOptions = {},
): Promise<LanRadio> {
  const { port = LAN_PORT, addresses = ownAddresses() } = options;
  let ears: Deno.DatagramConn;
  try {
    ears = Deno.listenDatagram({
      transport: "udp",
      hostname: "0.0.0.0",
      port,
      reuseAddress: true, // others on this machine listen as well
    });
  } catch (error) {
    throw cannot(`UDP port ${port} is taken`, error);
  }
  const mouths: DatagramSocket[] = [];
  let reason: unknown;
  for (const address of addresses) {
    try {
      await ears.joinMulticastV4(LAN_GROUP, address);
      mouths.push(await speaker(address));
    } catch (error) {
      reason = error;
    }
  }
  if (mouths.length === 0) {
    ears.close();
    throw cannot("no network of this machine has multicast", reason);
  }
  const hearing = datagramSocket(ears);
  return {
    async send(bytes) {
      for (const mouth of mouths) {
        await mouth.send(bytes, { hostname: LAN_GROUP, port });
      }
    },
    receive: () => hearing.receive(),
    close() {
      hearing.close();
      for (const mouth of mouths) mouth.close();
    },
  };
}

/** Its address says which interface datagrams leave by. */
async function speaker(address: string): Promise<DatagramSocket> {
  const socket = Deno.listenDatagram({
    transport: "udp",
    hostname: address,
    port: 0,
  });
  try {
    const group = await socket.joinMulticastV4(LAN_GROUP, address);
    await group.setTTL(1); // no further than this network
    await group.setLoopback(true); // others on this machine may wait, too
    return datagramSocket(socket);
  } catch (error) {
    socket.close();
    throw error;
  }
}

function ownAddresses(): string[] {
  const all = Deno.networkInterfaces()
    .filter(({ family }) => family === "IPv4").map(({ address }) => address);
  return [...new Set(all)].slice(0, MAX_INTERFACES);
}

/** Of a machine that has more, the first ones. */
const MAX_INTERFACES = 32;

function cannot(reason: string, cause: unknown): SftpxError {
  return new SftpxError(
    "unreachable",
    `Cannot look for peers on the local network: ${reason}`,
    cause,
  );
}
