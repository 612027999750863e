/**
 * What tests of the client share: routers, files, and what was told of them.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { TransferEvent } from "../../core/events.ts";
import type { RouterAddress } from "../../xftp/address.ts";
import type { FetchResult, StoreResult } from "../../xftp/client_options.ts";
import { fetchFromRouters } from "../../xftp/client_recv.ts";
import { storeOnRouters } from "../../xftp/client_send.ts";
import type { FetchOptions, StoreOptions } from "../../xftp/client_options.ts";
import type { Description } from "../../xftp/description.ts";
import { randomBytes, seeded } from "../testutil/random.ts";
import { type TempDir, tempDir } from "../testutil/temp.ts";

/** Where a router is, for its clients. */
export function addressOf(
  { keyHash, port }: { keyHash: Uint8Array<ArrayBuffer>; port: number },
): RouterAddress {
  return { keyHash, hosts: ["127.0.0.1"], port };
}

/** A client with a folder of its own. */
export interface KitUser extends AsyncDisposable {
  readonly dir: TempDir;
  readonly events: TransferEvent[];
  /** Makes a file of noise. */
  file(name: string, bytes: number): Promise<string>;
  store(
    paths: readonly string[],
    routers: readonly RouterAddress[],
    more?: Partial<StoreOptions>,
  ): Promise<StoreResult>;
  fetch(
    description: Description,
    more?: Partial<FetchOptions>,
  ): Promise<FetchResult>;
  /** The last event of a type. */
  last<T extends TransferEvent["type"]>(
    type: T,
  ): Extract<TransferEvent, { type: T }>;
  /** Compares a file with one that was fetched. */
  sameAs(path: string, fetched: string): Promise<void>;
}

/** Makes a client. */
export async function kitUser(): Promise<KitUser> {
  const dir = await tempDir();
  const events: TransferEvent[] = [];
  const common = {
    resumeDir: dir.join("resume"),
    onEvent: (event: TransferEvent) => void events.push(event),
  };
  return {
    dir,
    events,
    async file(name, bytes) {
      const path = dir.join(name);
      await Deno.writeFile(path, randomBytes(seeded(bytes + 1), bytes));
      return path;
    },
    store: (paths, routers, more) =>
      storeOnRouters({ ...common, paths, routers, ...more }),
    fetch: (description, more) =>
      fetchFromRouters({
        ...common,
        description,
        uploadDir: dir.join("uploads"),
        ...more,
      }),
    last(type) {
      const found = events.findLast((event) => event.type === type);
      if (found === undefined) throw new Error(`no event "${type}"`);
      return found as Extract<TransferEvent, { type: typeof type }>;
    },
    async sameAs(path, fetched) {
      const [one, other] = await Promise.all([
        Deno.readFile(path),
        Deno.readFile(dir.join("uploads", fetched)),
      ]);
      assertEquals(other.length, one.length);
      const at = one.findIndex((byte, index) => byte !== other[index]);
      assertEquals(at, -1, `it differs at byte ${at}`);
    },
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

/** The only one of a list. */
export function only<T>(items: readonly T[]): T {
  const [first] = items;
  if (first === undefined || items.length !== 1) {
    throw new Error(`there are ${items.length}, not one`);
  }
  return first;
}
