/**
 * Pins what the platform's QUIC says when something fails: these texts are told
 * apart in `transport/quic_errors.ts`, and a new release may change them.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type ErrorCode, ERRORS, SftpxError } from "../../core/errors.ts";
import { makeCertificate } from "../../crypto/certificate.ts";
import { createEndpoint, quicListener } from "../../transport/quic.ts";
import { closeCode, closeNumber } from "../../transport/quic_errors.ts";
import type { Dialer } from "../../transport/transport.ts";
import {
  CERTIFICATE,
  NEVER,
  quicPair,
  type QuicSide,
  quicSides,
} from "./quic_pair.ts";

/** Events of a listener, as they come. */
function recorder(): {
  readonly events: string[];
  readonly log: Parameters<typeof quicListener>[0]["log"] & object;
} {
  const events: string[] = [];
  const log = {
    event: (name: string, fields = {}) => {
      events.push(`${name} ${JSON.stringify(fields)}`);
    },
    child: () => log,
  };
  return { events, log };
}

async function withSides(
  sides: QuicSide,
  run: (sides: QuicSide) => Promise<void>,
): Promise<void> {
  try {
    await run(sides);
  } finally {
    await sides.stop();
  }
}

async function failure(dialer: Dialer): Promise<SftpxError> {
  return await assertRejects(() => dialer.dial(NEVER), SftpxError);
}

function causeOf(error: SftpxError): string {
  return error.cause instanceof Error ? error.cause.message : "";
}

Deno.test("a peer with another certificate is not trusted", () =>
  withSides(quicSides(), async ({ dialerWith, server }) => {
    const error = await failure(
      dialerWith({ fingerprint: new Uint8Array(32).fill(7) }),
    );
    assertEquals(error.code, "unauthorized");
    assertEquals(
      error.message,
      `Cannot trust "${server.address}": its certificate is not the expected one`,
    );
    assertEquals(
      causeOf(error),
      "the cryptographic handshake failed: error 48: invalid peer certificate: UnknownIssuer",
    );
  }));

Deno.test("a peer with one of several certificates is trusted", () =>
  withSides(quicSides(), async ({ dialerWith, listener }) => {
    const fingerprint = [new Uint8Array(32), CERTIFICATE.fingerprint];
    const conn = await dialerWith({ fingerprint }).dial(NEVER);
    assert(await listener.accept() !== undefined);
    conn.close();
  }));

Deno.test("a peer whose certificate has expired is not trusted", async () => {
  const old = await makeCertificate({
    now: new Date(Date.now() - 10 * 86_400_000),
    days: 5,
  });
  const { cert, key, fingerprint } = old;
  await withSides(quicSides({ cert, key }), async ({ dialerWith, server }) => {
    const error = await failure(dialerWith({ fingerprint }));
    assertEquals(error.code, "unauthorized");
    assertEquals(
      error.message,
      `Cannot trust "${server.address}": its certificate is expired or not valid yet`,
    );
  });
});

Deno.test("a peer that speaks something else is a protocol error on our side, and a log event on its", () => {
  const { events, log } = recorder();
  return withSides(quicSides({ log }), async ({ dialerWith, server }) => {
    const error = await failure(dialerWith({ alpn: "other/1" }));
    assertEquals(error.code, "protocol");
    assertEquals(
      error.message,
      `Cannot talk to "${server.address}": it does not speak this version of the protocol`,
    );
    assertEquals(
      causeOf(error),
      "aborted by peer: the cryptographic handshake failed: error 120: peer doesn't support any known protocol",
    );
    assertEquals(events, [
      `listener.handshake-failed {"error":"the cryptographic handshake failed: error 120: peer doesn't support any known protocol"}`,
    ]);
  });
});

Deno.test("a dial to nobody is unreachable after the dial's time", () =>
  withSides(quicSides(), async ({ dialerWith }) => {
    const error = await failure(
      dialerWith({ port: 9, dialTimeoutMs: 100, idleTimeoutMs: 1000 }),
    );
    assertEquals(error.code, "unreachable");
    assertEquals(error.message, 'Cannot reach "127.0.0.1:9": no answer');
  }));

Deno.test("a dial to nobody is unreachable when the platform gives up", () =>
  withSides(quicSides(), async ({ dialerWith }) => {
    const error = await failure(dialerWith({ port: 9, idleTimeoutMs: 500 }));
    assertEquals(error.code, "unreachable");
    assertEquals(error.message, 'Cannot reach "127.0.0.1:9": no answer');
    assertEquals(causeOf(error), "timed out");
  }));

Deno.test("a listener that is closed does not answer, and a later one on its socket lets in", async () => {
  const sides = quicSides();
  await withSides(sides, async ({ dialer, dialerWith, listener, server }) => {
    listener.close();
    assertEquals(await listener.accept(), undefined);
    const dial = { dialTimeoutMs: 300, idleTimeoutMs: 500 };
    const error = await failure(dialerWith(dial));
    assertEquals(error.code, "unreachable");
    const { cert, key } = CERTIFICATE;
    const again = quicListener({
      endpoint: server,
      cert,
      key,
      alpn: "sftpx/1",
    });
    const [conn, peer] = await Promise.all([
      dialer.dial(NEVER),
      again.accept(),
    ]);
    assertEquals(peer?.remote, sides.client.address);
    conn.close();
  });
});

Deno.test("a listener with as many peers waiting as may wait refuses the next one", () => {
  const { events, log } = recorder();
  const sides = quicSides({ maxWaiting: 2, log });
  return withSides(sides, async ({ dialer, listener, server }) => {
    const conns = [await dialer.dial(NEVER), await dialer.dial(NEVER)];
    // The dialer is done a little before the listener is.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const error = await failure(dialer);
    assertEquals(error.code, "peer-busy");
    assertEquals(
      error.message,
      `Cannot reach "${server.address}": it takes no more connections now`,
    );
    assertEquals(
      causeOf(error),
      "aborted by peer: the server refused to accept a new connection",
    );
    assertEquals(events, ['listener.refused {"waiting":2}']);
    conns[0]?.close();
    await new Promise((resolve) => setTimeout(resolve, 50));
    conns.push(await dialer.dial(NEVER)); // the one that left made room
    assert(await listener.accept() !== undefined);
    for (const conn of conns) conn.close();
  });
});

Deno.test("a dial from a socket that is closed is unreachable", () =>
  withSides(quicSides(), async ({ dialer, client }) => {
    client.close();
    const error = await failure(dialer);
    assertEquals(error.code, "unreachable");
    assertEquals(causeOf(error), "endpoint stopping");
  }));

Deno.test("a dial can be given up", () =>
  withSides(quicSides(), async ({ dialerWith }) => {
    const stop = new AbortController();
    const dialing = dialerWith({ port: 9, idleTimeoutMs: 500 })
      .dial(stop.signal);
    stop.abort(new SftpxError("cancelled", "Cannot go on: enough"));
    await assertRejects(() => dialing, SftpxError, "enough");
    await assertRejects(
      () => dialerWith({}).dial(stop.signal),
      SftpxError,
      "enough",
    );
  }));

Deno.test("a connection's own end is told as such when its socket is closed", () =>
  withSides(quicSides(), async (sides) => {
    const { near, far, client } = await quicPair(sides);
    client.close();
    assertEquals((await near.closed).remote, false);
    assertEquals((await far.closed).remote, true);
  }));

Deno.test("a port that is in use, and an address that is not ours, are mistakes of configuration", async () => {
  const taken = createEndpoint({ hostname: "127.0.0.1" });
  const busy = assertThrows(
    () => createEndpoint({ hostname: "127.0.0.1", port: taken.port }),
    SftpxError,
    `Cannot listen on "${taken.address}": the port is in use`,
  );
  assertEquals(busy.code, "config");
  const foreign = assertThrows(
    () => createEndpoint({ hostname: "192.0.2.1", port: 4433 }),
    SftpxError,
    'Cannot listen on "192.0.2.1:4433": this machine does not have that address',
  );
  assertEquals(foreign.code, "config");
  assertEquals(
    assertThrows(
      () =>
        quicListener({
          endpoint: taken,
          cert: "no",
          key: "no",
          alpn: "sftpx/1",
        }),
      SftpxError,
    ).code,
    "config",
  );
  taken.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
});

Deno.test("every code that has a number of its own comes back from it", () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const number = closeNumber(code);
    assertEquals(closeCode(number), number === 0 ? undefined : code);
  }
  assertEquals(closeNumber(undefined), 0);
  assertEquals(closeCode(0x7fff), undefined);
});
