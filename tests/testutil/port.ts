/**
 * Ports to listen on.
 *
 * @module
 */

/**
 * Finds a port of 127.0.0.1 that is free for UDP and for TCP. Another may take
 * it before its use: bind port 0 instead wherever the bound port can be asked.
 */
export function freePort(): number {
  for (let attempt = 0; attempt < 100; attempt++) {
    const udp = Deno.listenDatagram({
      transport: "udp",
      hostname: "127.0.0.1",
      port: 0,
    });
    const { port } = udp.addr as Deno.NetAddr;
    try {
      using _tcp = Deno.listen({ hostname: "127.0.0.1", port });
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    } finally {
      udp.close();
    }
  }
  throw new Error("Cannot find a free port: 100 were taken");
}
