/**
 * What a router with PCP does, for the lab: forwards the ports that it is asked
 * for, by rules of its firewall. Runs in the router's namespace:
 *
 *     router.ts LISTEN_ADDRESS OUTSIDE_ADDRESS
 *
 * @module
 */
import { bindDatagrams } from "../../rendezvous/stun_socket.ts";
import { PCP_PORT } from "../../rendezvous/port_map_pcp.ts";
import { say } from "../../_tools/say.ts";
import { run } from "./shell.ts";

const [listen = "", outside = ""] = Deno.args;
const socket = bindDatagrams({ hostname: listen, port: PCP_PORT });
const forwarded = new Set<string>();
say("ready");
for (;;) {
  const datagram = await socket.receive();
  if (datagram === undefined) break;
  const { bytes, from } = datagram;
  if (bytes.length !== 60 || bytes[0] !== 2 || bytes[1] !== 1) continue;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const protocol = bytes[36] === 17 ? "udp" : "tcp";
  const port = view.getUint16(40);
  const key = `${protocol} ${port}`;
  // Ports are forwarded as they are, and the lab ends with its rules.
  if (view.getUint32(4) > 0 && !forwarded.has(key)) {
    forwarded.add(key);
    await run([
      ...["nft", "add", "rule", "inet", "lab", "pre"],
      ...["iifname", "wan0", "meta", "nfproto", "ipv4"],
      ...[protocol, "dport", String(port), "dnat", "ip", "to"],
      from.hostname,
    ]);
  }
  const reply = bytes.slice();
  reply[1] = 0x81;
  reply.set([0, 0], 2);
  new DataView(reply.buffer).setUint16(42, port);
  reply.set([255, 255, ...outside.split(".").map(Number)], 54);
  await socket.send(reply, from);
}
