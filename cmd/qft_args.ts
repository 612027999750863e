/**
 * The command lines of `sender` and `receiver`, in qft's order.
 *
 * @module
 */
import { merge, object } from "@optique/core/constructs";
import { map, optional } from "@optique/core/modifiers";
import type { NonEmptyString } from "@optique/core/nonempty";
import { argument, command } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { general, usage } from "./args_parts.ts";
import { parserOf, says } from "./settings.ts";
import { QFT } from "./tables.ts";

/** `sender`. */
export const sender = command(
  "sender",
  map(
    merge(qftArguments(), parserOf(QFT), general()),
    ({ helper, phrase, file, bitrate, skip, ...flags }) => {
      const given = { helper, phrase, file, bitrate, skip };
      return { command: "sender", given, flags } as const;
    },
  ),
  {
    brief: says("sends one file or pipe, with the arguments of qft"),
    usageLine: usage("[OPTION...] HELPER PHRASE FILE [BITRATE] [SKIP]"),
    description: says(
      "Sends one file or pipe to whoever says the same phrase to the same " +
        "helper. Interrupted? Give the same command again.",
    ),
  },
);

/** `receiver`. */
export const receiver = command(
  "receiver",
  map(
    merge(qftArguments(), parserOf(QFT), general()),
    ({ helper, phrase, file, bitrate, skip, ...flags }) => {
      const given = { helper, phrase, file, bitrate, skip };
      return { command: "receiver", given, flags } as const;
    },
  ),
  {
    brief: says("receives it"),
    usageLine: usage("[OPTION...] HELPER PHRASE FILE [BITRATE] [SKIP]"),
    description: says(
      "Receives one file or pipe from whoever says the same phrase to the same " +
        "helper. Interrupted? Give the same command again.",
    ),
  },
);

function qftArguments() {
  const word = (metavar: NonEmptyString, about: string) =>
    argument(string({ metavar }), { description: says(about) });
  return object({
    helper: word(
      "HELPER",
      "Who introduces: host or host:port; local does without",
    ),
    phrase: word(
      "PHRASE",
      "What both sides know; - takes it from SFTPX_CODE, or asks",
    ),
    file: word("FILE", "A file; - is standard input or output"),
    bitrate: optional(
      word("BITRATE", "Bytes a second at most (10M); 0 is as fast as it goes"),
    ),
    skip: optional(word("SKIP", "The byte to go on from, for both the same")),
  });
}
