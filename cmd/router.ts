/**
 * `sftpx router`: keeps files, encrypted, until they are fetched.
 *
 * @module
 */
import type { RouterAsked } from "./router_args.ts";
import { settled } from "./config.ts";
import {
  ROUTER_CERT,
  ROUTER_DELETE,
  ROUTER_INIT,
  ROUTER_START,
} from "./router_tables.ts";
import type { Surroundings } from "./main.ts";

/** Does what was asked. @param given What stands in the configuration file. */
export async function router(
  asked: RouterAsked,
  given: Parameters<typeof settled>[2],
  surroundings: Surroundings,
): Promise<number> {
  switch (asked.action) {
    case "init": {
      const { routerInit } = await import("./router_init.ts");
      const flags = settled(ROUTER_INIT, asked.flags, given);
      return await routerInit(flags, surroundings);
    }
    case "start": {
      const { routerStart } = await import("./router_start.ts");
      const flags = settled(ROUTER_START, asked.flags, given);
      return await routerStart(flags, surroundings);
    }
    case "status": {
      const { routerStatus } = await import("./router_status.ts");
      const flags = settled(ROUTER_START, asked.flags, given);
      return await routerStatus(flags, surroundings);
    }
    case "cert": {
      const { routerCert } = await import("./router_init.ts");
      const flags = settled(ROUTER_CERT, asked.flags, given);
      return await routerCert(flags, surroundings);
    }
    case "delete": {
      const { routerDelete } = await import("./router_delete.ts");
      const flags = settled(ROUTER_DELETE, asked.flags, given);
      return await routerDelete(flags, surroundings);
    }
  }
}
