/**
 * The ways to one receiver, against a real one.
 */
import { assertEquals } from "@std/assert";
import { peerDialers } from "../../actors/dialers.ts";
import { systemWorld } from "../../actors/world.ts";
import { readCertificate } from "../../crypto/certificate.ts";
import { endpointPool } from "../../transport/quic_endpoint.ts";
import { tcpProxy } from "../testutil/tcp_proxy.ts";
import { CERTIFICATE, NEVER } from "./quic_pair.ts";
import { tlsSides } from "./tls_pair.ts";

Deno.test("dialers: a receiver that said its certificate is not asked for it, and bulk has as many connections as streams", async () => {
  const sides = tlsSides();
  const { der } = readCertificate(CERTIFICATE.cert, new Date());
  const counts: number[] = [];
  for (const isSaid of [true, false]) {
    const proxy = tcpProxy({ hostname: "127.0.0.1", port: sides.port });
    const { bulk, bulkSide, shown } = peerDialers({
      hostname: "127.0.0.1",
      port: proxy.port,
      fingerprint: CERTIFICATE.fingerprint,
      carrier: "auto",
      endpoints: endpointPool(),
      tlsDialer: () => import("../../transport/tls_dialer.ts"),
      world: systemWorld(undefined),
      emit: () => {},
    });
    const said = der.slice();
    if (isSaid) shown(said);
    said.fill(0); // it is the caller's
    const place = { hostname: "127.0.0.1", port: proxy.port };
    for (const dialer of [bulk(3), bulkSide?.(place, 2)]) {
      const [near, far] = await Promise.all([
        dialer?.dial(NEVER),
        sides.listener.accept(),
      ]);
      for (const conn of [near, far]) {
        conn?.close();
        await conn?.closed.catch(() => {});
      }
    }
    counts.push(proxy.count);
    await proxy.close();
  }
  await sides.stop();
  const sockets = 1 + 3 + 1 + 2; // one of each is for control
  assertEquals(counts, [sockets, sockets + 1]);
});
