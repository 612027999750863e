import { assert, assertEquals, assertThrows } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { freePort } from "../tests/testutil/port.ts";
import { bindSamePort } from "./same_port.ts";
import type { Listener } from "./transport.ts";

const HERE = { hostname: "127.0.0.1", bufferBytes: 0 };

const fakeListener = (): Listener => ({
  address: "127.0.0.1:1",
  accept: () => Promise.resolve(undefined),
  close: () => {},
});

const taken = (): never => {
  throw new SftpxError("config", "Cannot listen: it is taken");
};

Deno.test("bindSamePort() takes another port where TCP has the first", () => {
  const tried: number[] = [];
  const listener = (port: number): Listener => {
    tried.push(port);
    if (tried.length < 3) taken();
    return fakeListener();
  };
  const { endpoint, tcp, noTcp } = bindSamePort(HERE, listener);
  assertEquals(tried.length, 3);
  assertEquals(endpoint.port, tried.at(-1));
  assert(tcp !== undefined && noTcp === undefined);
  endpoint.close();
});

Deno.test("bindSamePort() is content with UDP where no try gives both", () => {
  let tries = 0;
  const { endpoint, tcp, noTcp } = bindSamePort(HERE, () => {
    tries++;
    return taken();
  });
  assert(tries > 1 && tries < 16);
  assertEquals(endpoint.closed, false);
  assertEquals(tcp, undefined);
  assertEquals(noTcp?.code, "config");
  endpoint.close();
});

Deno.test("bindSamePort() tries no port but the one that was asked for", () => {
  const port = freePort();
  const tried: number[] = [];
  const { endpoint, noTcp } = bindSamePort({ ...HERE, port }, (port) => {
    tried.push(port);
    return taken();
  });
  assertEquals(tried, [port]);
  assertEquals(endpoint.port, port);
  assertEquals(noTcp?.code, "config");
  endpoint.close();
});

Deno.test("bindSamePort() hides no bug of who listens", () => {
  assertThrows(
    () =>
      bindSamePort(HERE, () => {
        throw new TypeError("a bug");
      }),
    TypeError,
    "a bug",
  );
});
