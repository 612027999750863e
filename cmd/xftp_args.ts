/**
 * The command line of `sftpx xftp`.
 *
 * @module
 */
import { group, merge, object, or } from "@optique/core/constructs";
import { map, multiple } from "@optique/core/modifiers";
import { argument, command } from "@optique/core/primitives";
import type { Usage } from "@optique/core/usage";
import { string } from "@optique/core/valueparser";
import { path } from "@optique/run/valueparser";
import { parserOf, says, type Values } from "./settings.ts";
import { COMMON } from "./tables.ts";
import { XFTP_DEL, XFTP_RECV, XFTP_SEND } from "./xftp_tables.ts";

type Common = Values<typeof COMMON>;

/** What was asked of `sftpx xftp`. */
export type XftpAsked =
  & { readonly command: "xftp" }
  & (
    | {
      readonly action: "send";
      readonly paths: readonly string[];
      readonly flags: Values<typeof XFTP_SEND> & Common;
    }
    | {
      readonly action: "recv";
      readonly from: string;
      readonly flags: Values<typeof XFTP_RECV> & Common;
    }
    | {
      readonly action: "del";
      readonly from: string;
      readonly flags: Values<typeof XFTP_DEL> & Common;
    }
    | {
      readonly action: "info";
      readonly from: string;
      readonly flags: Common;
    }
  );

const send = command(
  "send",
  map(
    merge(
      object({
        paths: multiple(
          argument(path({ metavar: "PATH" }), {
            description: says("Files and folders"),
          }),
          { min: 1 },
        ),
      }),
      parserOf(XFTP_SEND),
      general(),
    ),
    ({ paths, ...flags }) =>
      ({ command: "xftp", action: "send", paths, flags }) as const,
  ),
  {
    brief: says("stores files on routers, encrypted"),
    usageLine: usage("[OPTION...] PATH... --router ADDRESS"),
    description: says(
      "Encrypts files and folders and stores them on routers. Prints links and " +
        "writes descriptions; who has one of these can fetch what was stored. " +
        "Interrupted? Give the same command again.",
    ),
  },
);

const FROM = string({ metavar: "LINK|FILE" });

const recv = command(
  "recv",
  map(
    merge(
      object({
        from: argument(FROM, {
          description: says(
            "A link, or the file of a description; - reads either from " +
              "standard input",
          ),
        }),
      }),
      parserOf(XFTP_RECV),
      general(),
    ),
    ({ from, ...flags }) =>
      ({ command: "xftp", action: "recv", from, flags }) as const,
  ),
  {
    brief: says("fetches what was stored"),
    usageLine: usage("[OPTION...] LINK|FILE.xftp"),
    description: says(
      "Fetches what was stored on routers, and proves every byte before it " +
        "appears. Interrupted? Give the same command again.",
    ),
  },
);

const del = command(
  "del",
  map(
    merge(
      object({
        from: argument(path({ metavar: "FILE" }), {
          description: says("The sender's description: snd.xftp.private"),
        }),
      }),
      parserOf(XFTP_DEL),
      general(),
    ),
    ({ from, ...flags }) =>
      ({ command: "xftp", action: "del", from, flags }) as const,
  ),
  {
    brief: says("removes what was stored"),
    usageLine: usage("[OPTION...] FILE"),
    description: says("Removes what was stored from its routers."),
  },
);

const info = command(
  "info",
  map(
    merge(
      object({
        from: argument(FROM, {
          description: says("A link, or the file of a description"),
        }),
      }),
      general(),
    ),
    ({ from, ...flags }) =>
      ({ command: "xftp", action: "info", from, flags }) as const,
  ),
  {
    brief: says("says what a description or link is of"),
    usageLine: usage("LINK|FILE.xftp"),
    description: says(
      "Says how large a stored file is and which routers have it, without " +
        "asking them.",
    ),
  },
);

/** `sftpx xftp ...` */
export const xftp = command("xftp", or(send, recv, del, info), {
  brief: says("stores files on routers, fetches and removes them"),
  usageLine: usage("send|recv|del|info ..."),
  description: says(
    "Stores files, encrypted, on XFTP routers, where others fetch them later.",
  ),
});

function general() {
  return group("Output", parserOf(COMMON));
}

function usage(value: string): Usage {
  return [{ type: "literal", value }];
}
