/**
 * What the commands have in common on the command line.
 *
 * @module
 */
import { group } from "@optique/core/constructs";
import type { Usage } from "@optique/core/usage";
import { parserOf } from "./settings.ts";
import { COMMON } from "./tables.ts";

/** The options of all commands. */
export function general(): ReturnType<typeof parserOf<typeof COMMON>> {
  return group("Output", parserOf(COMMON));
}

/** How a command is written; the whole line would be longer than the help below it. */
export function usage(value: string): Usage {
  return [{ type: "literal", value }];
}
