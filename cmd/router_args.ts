/**
 * The command line of `sftpx router`.
 *
 * @module
 */
import { group, merge, or } from "@optique/core/constructs";
import { map } from "@optique/core/modifiers";
import type { Parser } from "@optique/core/parser";
import { command } from "@optique/core/primitives";
import { parserOf, says, type Values } from "./settings.ts";
import {
  ROUTER_CERT,
  ROUTER_DELETE,
  ROUTER_INIT,
  ROUTER_START,
} from "./router_tables.ts";
import { COMMON } from "./tables.ts";

/** What was asked of the router. */
export type RouterAsked =
  & { readonly command: "router" }
  & (
    | {
      readonly action: "init";
      readonly flags: Values<typeof ROUTER_INIT> & Values<typeof COMMON>;
    }
    | {
      readonly action: "start" | "status";
      readonly flags: Values<typeof ROUTER_START> & Values<typeof COMMON>;
    }
    | {
      readonly action: "cert";
      readonly flags: Values<typeof ROUTER_CERT> & Values<typeof COMMON>;
    }
    | {
      readonly action: "delete";
      readonly flags: Values<typeof ROUTER_DELETE> & Values<typeof COMMON>;
    }
  );

const general = (): ReturnType<typeof parserOf<typeof COMMON>> =>
  group("Output", parserOf(COMMON));

const init = command(
  "init",
  map(
    merge(parserOf(ROUTER_INIT), general()),
    (flags) => ({ command: "router", action: "init", flags }) as const,
  ),
  {
    brief: says("makes identity and configuration"),
    description: says(
      "Makes the router's identity and DIR/file-server.ini, and prints the " +
        "router's address. What is there is kept.",
    ),
  },
);

const start = command(
  "start",
  map(
    merge(parserOf(ROUTER_START), general()),
    (flags) => ({ command: "router", action: "start", flags }) as const,
  ),
  {
    brief: says("stores and gives until it is stopped"),
    description: says(
      "Runs the router that DIR/file-server.ini describes, until it is stopped.",
    ),
  },
);

const status = command(
  "status",
  map(
    merge(parserOf(ROUTER_START), general()),
    (flags) => ({ command: "router", action: "status", flags }) as const,
  ),
  {
    brief: says("says what the router is and holds"),
    description: says(
      "Says the router's address and settings, whether it runs, and, through " +
        "its control port, what it counts.",
    ),
  },
);

const cert = command(
  "cert",
  map(
    merge(parserOf(ROUTER_CERT), general()),
    (flags) => ({ command: "router", action: "cert", flags }) as const,
  ),
  {
    brief: says("makes another certificate of TLS"),
    description: says(
      "Makes another certificate of TLS, signed by the identity. The address " +
        "stays what it is; the identity's key, ca.key, must be in DIR for it.",
    ),
  },
);

const remove = command(
  "delete",
  map(
    merge(parserOf(ROUTER_DELETE), general()),
    (flags) => ({ command: "router", action: "delete", flags }) as const,
  ),
  {
    brief: says("removes the router with all that it stores"),
    description: says(
      "Removes configuration, identity, store log and all chunks. Nobody can " +
        "fetch them any more, and the address is gone for ever.",
    ),
  },
);

/** `sftpx router ...`. */
export const ROUTER_COMMAND: Parser<"sync", RouterAsked, unknown> = command(
  "router",
  or(init, start, status, cert, remove),
  {
    brief: says("keeps files, encrypted, until they are fetched"),
    usageLine: [{ type: "literal", value: "COMMAND [OPTION...]" }],
    description: says(
      "An XFTP router: keeps encrypted pieces of files for those who have its " +
        "address, until they are fetched or their time is over.",
    ),
  },
);
