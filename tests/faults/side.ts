/**
 * Transfers over several connections, whose number the test decides, and what
 * both ends log of them.
 *
 * @module
 */
import { assert } from "@std/assert";
import type { ReceiveInside } from "../../actors/receive.ts";
import type { OpenSidePort } from "../../actors/side_ports.ts";
import { within } from "../testutil/deadline.ts";
import { type FaultProxy, faultProxy } from "../testutil/fault_proxy.ts";
import { type Library, library } from "./library.ts";
import type { Growth, GrowthOptions } from "../../protocol/growth.ts";
import type { Field, Log } from "../../core/log.ts";

/** An event of a log. */
export interface Logged {
  readonly name: string;
  readonly fields: Readonly<Record<string, Field>>;
}

/** A log that is kept. */
export interface KeptLog extends Log {
  readonly all: readonly Logged[];
  /** The events of a name. */
  named(name: string): readonly Logged[];
  /** Resolves once there are so many events of a name. */
  waitFor(name: string, count?: number): Promise<readonly Logged[]>;
}

/** Makes a log that is kept. */
export function keptLog(): KeptLog {
  const all: Logged[] = [];
  const looks = new Set<() => void>();
  const named = (name: string): readonly Logged[] =>
    all.filter((event) => event.name === name);
  const log = (more: Logged["fields"]): Log => ({
    event(name, fields = {}) {
      all.push({ name, fields: { ...more, ...fields } });
      looks.forEach((look) => look());
    },
    child: (fields) => log({ ...more, ...fields }),
  });
  return {
    ...log({}),
    all,
    named,
    waitFor(name, count = 1) {
      const { promise, resolve } = Promise.withResolvers<readonly Logged[]>();
      const look = (): void => {
        const found = named(name);
        if (found.length < count) return;
        looks.delete(look);
        resolve(found);
      };
      looks.add(look);
      look();
      return promise;
    },
  };
}

/** Adds connections until there are as many as there may be, and drops none. */
export function growTo(
  seen: (connections: number) => void = () => {},
): (options: GrowthOptions) => Growth {
  return ({ max }) => ({
    sample({ connections, dialling }) {
      seen(connections);
      return connections + dialling < max ? "add" : "keep";
    },
  });
}

/** Adds connections until so many were added, whatever becomes of them. */
export function growBy(count: number): (options: GrowthOptions) => Growth {
  let added = 0;
  return () => ({ sample: () => added < count && ++added ? "add" : "keep" });
}

/** The ports that events of a name speak of. */
export function portsIn(log: KeptLog, name: string): readonly number[] {
  return log.named(name).map(({ fields }) => Number(fields.port));
}

/** The first port of a receiver. */
export function portOf(
  { receiver }: { readonly receiver: { readonly address: string } },
): number {
  return Number(receiver.address.split(":").at(-1));
}

/** A receiver whose side ports are behind proxies. */
export interface BentSide extends AsyncDisposable {
  readonly lib: Library;
  /** What the sender logs. */
  readonly here: KeptLog;
  /** What stands before the side port that the sender uses, once it does. */
  proxy(): Promise<FaultProxy>;
}

/** Starts one. */
export async function bentSide(
  inside: ReceiveInside = {},
): Promise<BentSide> {
  const proxies: FaultProxy[] = [];
  const sidePort = (open: OpenSidePort): OpenSidePort => async (...args) => {
    const made = await open(...args);
    const target = { hostname: "127.0.0.1", port: made.port };
    const proxy = await faultProxy({ target, keep: 0 });
    proxies.push(proxy);
    return {
      port: proxy.port,
      get load() {
        return made.load;
      },
      close: () => made.close(),
    };
  };
  const lib = await library({}, { sidePort, ...inside });
  const here = keptLog();
  return {
    lib,
    here,
    async proxy() {
      await within(30_000, "a port", here.waitFor("side-port.used"));
      const [proxy] = proxies;
      assert(proxy);
      return proxy;
    },
    async [Symbol.asyncDispose]() {
      await lib[Symbol.asyncDispose]();
      for (const proxy of proxies) await proxy.close();
    },
  };
}
