/**
 * A router on loopback that forwards ports, or says that it does.
 *
 * @module
 */
import { bindDatagrams } from "../../rendezvous/stun_socket.ts";

/** What it knows. */
export interface FakeGatewayOptions {
  readonly pcp?: boolean;
  readonly natPmp?: boolean;
  readonly upnp?: boolean;
  /** Its address outside. @default {"198.51.100.2"} */
  readonly outside?: string;
  /** UPnP errors that it gives first, one for each mapping. */
  readonly refuse?: readonly number[];
  /** Where UPnP's description says that its service is. */
  readonly control?: string;
}

/** A router. */
export interface FakeGateway extends AsyncDisposable {
  readonly pcpPort: number;
  readonly ssdpPort: number;
  /** What it forwards: `udp 5000 -> 4000`. */
  readonly ports: Set<string>;
  /** What was asked, by which words. */
  readonly asked: string[];
}

/** Starts one. */
export function fakeGateway(options: FakeGatewayOptions): FakeGateway {
  const { outside = "198.51.100.2", refuse = [] } = options;
  const ports = new Set<string>();
  const asked: string[] = [];
  const refusals = [...refuse];
  const set = (
    protocol: string,
    external: number,
    internal: number,
    lifetime: number,
  ): void => {
    if (lifetime > 0) ports.add(`${protocol} ${external} -> ${internal}`);
    else {
      for (const port of ports) {
        if (port.startsWith(`${protocol} `) && port.endsWith(` ${internal}`)) {
          ports.delete(port);
        }
      }
    }
  };
  const pcp = bindDatagrams({ hostname: "127.0.0.1", port: 0 });
  const servePcp = async (): Promise<void> => {
    for (;;) {
      const datagram = await pcp.receive();
      if (datagram === undefined) return;
      const { bytes, from } = datagram;
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      if (bytes[0] === 2 && options.pcp) {
        asked.push("pcp");
        const protocol = bytes[36] === 17 ? "udp" : "tcp";
        const external = view.getUint16(42) || 1;
        set(protocol, external, view.getUint16(40), view.getUint32(4));
        const reply = bytes.slice();
        reply[1] = 0x81;
        reply.set([0, 0], 2);
        reply.set(new Uint8Array(16), 44);
        reply.set([255, 255, ...outside.split(".").map(Number)], 54);
        await pcp.send(reply, from);
      } else if (bytes[0] === 2 && options.natPmp) {
        asked.push("pcp");
        await pcp.send(Uint8Array.of(0, 0x81, 0, 1, 0, 0, 0, 0), from);
      } else if (bytes[0] === 0 && options.natPmp) {
        asked.push("nat-pmp");
        if (bytes[1] === 0) {
          const address = outside.split(".").map(Number);
          await pcp.send(
            Uint8Array.of(0, 128, 0, 0, 0, 0, 0, 1, ...address),
            from,
          );
          continue;
        }
        const external = view.getUint16(6) || 1;
        const internal = view.getUint16(4);
        set(
          bytes[1] === 1 ? "udp" : "tcp",
          external,
          internal,
          view.getUint32(8),
        );
        const reply = new Uint8Array(16);
        reply.set([0, 128 + (bytes[1] ?? 0), 0, 0, 0, 0, 0, 1]);
        const out = new DataView(reply.buffer);
        out.setUint16(8, internal);
        out.setUint16(10, external);
        out.setUint32(12, view.getUint32(8));
        await pcp.send(reply, from);
      }
    }
  };
  const ssdp = bindDatagrams({ hostname: "127.0.0.1", port: 0 });
  const http = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      if (request.method === "GET") {
        asked.push("description");
        return new Response(description(options.control ?? "/control"));
      }
      const body = await request.text();
      const action = /u:(\w+) /.exec(body)?.[1] ?? "";
      const value = (name: string): string =>
        new RegExp(`<${name}>([^<]*)`).exec(body)?.[1] ?? "";
      asked.push(action);
      const refusal = action === "AddPortMapping"
        ? refusals.shift()
        : undefined;
      if (refusal !== undefined) {
        return new Response(
          envelope(`<s:Fault><errorCode>${refusal}</errorCode></s:Fault>`),
          { status: 500 },
        );
      }
      const protocol = value("NewProtocol").toLowerCase();
      const external = Number(value("NewExternalPort"));
      if (action === "AddPortMapping") {
        set(protocol, external, Number(value("NewInternalPort")), 1);
        asked.push(`lease ${value("NewLeaseDuration")}`);
      } else if (action === "DeletePortMapping") {
        for (const port of ports) {
          if (port.startsWith(`${protocol} ${external} `)) ports.delete(port);
        }
      }
      return new Response(envelope(
        `<u:${action}Response><NewExternalIPAddress>${outside}` +
          `</NewExternalIPAddress></u:${action}Response>`,
      ));
    },
  );
  const serveSsdp = async (): Promise<void> => {
    for (;;) {
      const datagram = await ssdp.receive();
      if (datagram === undefined) return;
      if (!options.upnp) continue;
      const answer = [
        "HTTP/1.1 200 OK",
        "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1",
        `LOCATION: http://127.0.0.1:${http.addr.port}/description.xml`,
        "",
        "",
      ].join("\r\n");
      await ssdp.send(new TextEncoder().encode(answer), datagram.from);
    }
  };
  const serving = [servePcp(), serveSsdp()];
  return {
    pcpPort: pcp.address.port,
    ssdpPort: ssdp.address.port,
    ports,
    asked,
    async [Symbol.asyncDispose]() {
      pcp.close();
      ssdp.close();
      await http.shutdown();
      await Promise.all(serving);
    },
  };
}

function description(control: string): string {
  const service = (type: string, url: string): string =>
    `<service><serviceType>urn:schemas-upnp-org:service:${type}</serviceType>` +
    `<controlURL>${url}</controlURL></service>`;
  return `<?xml version="1.0"?><root><device><serviceList>${
    service("Layer3Forwarding:1", "/other")
  }${service("WANIPConnection:1", control)}</serviceList></device></root>`;
}

function envelope(body: string): string {
  return `<s:Envelope><s:Body>${body}</s:Body></s:Envelope>`;
}
