/**
 * The command line: every command, argument and option, and their help.
 *
 * @module
 */
import { group, merge, object, or } from "@optique/core/constructs";
import { runParser } from "@optique/core/facade";
import { map, multiple, optional } from "@optique/core/modifiers";
import { argument, command } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { path } from "@optique/run/valueparser";
import type { Usage } from "@optique/core/usage";
import type { NonEmptyString } from "@optique/core/nonempty";
import { SftpxError } from "../core/errors.ts";
import { hinted } from "./hint.ts";
import type { QftArguments } from "./qft.ts";
import {
  parserOf,
  says,
  type Table,
  type Values,
  wordsOf,
} from "./settings.ts";
import { ROUTER_COMMAND, type RouterAsked } from "./router_args.ts";
import { FETCH, STORE } from "./store_tables.ts";
import { COMMON, DOCTOR, HELPER, INIT, QFT, RECV, SEND } from "./tables.ts";
import { lowered } from "./words.ts";
import { xftp, type XftpAsked } from "./xftp_args.ts";

/** What was asked for. */
export type Asked =
  | RouterAsked
  | { readonly command: "init"; readonly flags: Flags<typeof INIT> }
  | {
    readonly command: "recv";
    /** A code, or the link that says one; or what to fetch, if it is stored somewhere. */
    readonly from: string | undefined;
    readonly flags: Flags<typeof RECV> & Values<typeof FETCH>;
  }
  | {
    readonly command: "helper";
    /** The port, as qft has it. */
    readonly port: string | undefined;
    readonly flags: Flags<typeof HELPER>;
  }
  | {
    readonly command: "sender" | "receiver";
    readonly given: QftArguments;
    readonly flags: Flags<typeof QFT>;
  }
  | { readonly command: "doctor"; readonly flags: Flags<typeof DOCTOR> }
  | XftpAsked
  | {
    readonly command: "send";
    readonly paths: readonly string[];
    readonly flags: Flags<typeof SEND> & Values<typeof STORE>;
  };

/** What the command line says, of a table and of what all have. */
export type Flags<T extends Table> = Values<T> & Values<typeof COMMON>;

/** What goes to a terminal before the program ends with 0. */
export interface Shown {
  readonly command: "show";
  readonly text: string;
}

/**
 * Reads a command line.
 *
 * @throws {SftpxError} "usage" when it is wrong.
 */
export function readArgs(
  args: readonly string[],
  version: string,
  columns: number,
): Asked | Shown {
  let shown = "";
  const show = (): Shown => ({ command: "show", text: shown });
  return runParser<typeof COMMANDS, Shown, never>(COMMANDS, "sftpx", args, {
    brief: says(`sftpx ${version}: moves files, and proves that they arrived`),
    footer: says(
      "Every option is also an SFTPX_ variable (SFTPX_UPLOAD_DIR) and a key of " +
        "config.yaml (upload-dir).",
    ),
    help: {
      command: true,
      option: { names: ["-h", "--help"] },
      onShow: show,
    },
    version: {
      value: version,
      option: { names: ["-V", "--version"] },
      onShow: show,
    },
    completion: { command: { names: ["completions"] }, onShow: show },
    aboveError: "none",
    colors: false,
    maxWidth: columns,
    termWidth: "auto",
    commandList: "top-level",
    usageLine: usage("COMMAND [OPTION...]"),
    stdout: (text) => shown += `${text}\n`,
    stderr: () => {},
    onError: (_exit, message) => {
      const [words = "", suggestion] = wordsOf(message).split("\n\n");
      const topic = HELP[args[0] ?? ""] ?? "sftpx help";
      throw hinted(
        new SftpxError(
          "usage",
          `Cannot read the command line: ${lowered(plain(words))}`,
        ),
        suggestion === undefined
          ? `${topic} says what there is`
          : lowered(suggestion.trim()),
      );
    },
  });
}

const HELP: Readonly<Record<string, string>> = {
  init: "sftpx init --help",
  recv: "sftpx recv --help",
  helper: "sftpx helper --help",
  sender: "sftpx sender --help",
  receiver: "sftpx receiver --help",
  send: "sftpx send --help",
  xftp: "sftpx xftp --help",
  router: "sftpx router --help",
  doctor: "sftpx doctor --help",
};

const init = command(
  "init",
  map(
    merge(parserOf(INIT), general()),
    (flags) => ({ command: "init", flags }) as const,
  ),
  {
    brief: says("makes certificate, key and token"),
    usageLine: usage("[OPTION...]"),
    description: says(
      "Makes certs/cert.pem, certs/key.pem and certs/token, and prints the " +
        "ticket: one line that is all a sender needs. What is there is kept.",
    ),
  },
);

const recv = command(
  "recv",
  map(
    merge(
      object({
        from: optional(argument(string({ metavar: "CODE|LINK|FILE" }), {
          description: says(
            "The sender's code, or what to fetch from routers: a link, or the " +
              "file of a description. --code asks for a code instead, so that " +
              "nobody sees it in the list of processes",
          ),
        })),
      }),
      parserOf(RECV),
      group("With a link or description", parserOf(FETCH)),
      general(),
    ),
    ({ from, ...flags }) => ({ command: "recv", from, flags }) as const,
  ),
  {
    brief: says("takes in files"),
    usageLine: usage("[OPTION...] [CODE|LINK|FILE.xftp]"),
    description: says(
      "Takes in files from many senders until it is stopped, and prints the " +
        "ticket that they need. With CODE, takes one transfer from the sender " +
        "who said it; with a link or a description, fetches what was stored on " +
        "routers.",
    ),
  },
);

const send = command(
  "send",
  map(
    merge(
      object({
        paths: multiple(argument(path({ metavar: "PATH" }), {
          description: says(
            "Files and folders; - is standard input. The last one may be the " +
              "SERVER: host, host:port or a ticket",
          ),
        })),
      }),
      parserOf(SEND),
      group("With routers", parserOf(STORE)),
      general(),
    ),
    ({ paths, ...flags }) => ({ command: "send", paths, flags }) as const,
  ),
  {
    brief: says("sends files and folders"),
    usageLine: usage("[OPTION...] PATH... [SERVER]"),
    description: says(
      "Sends files and folders to a receiver. When it ends with 0, the " +
        "receiver has verified every byte and put it safely on disk. " +
        "Interrupted? Give the same command again. With --router it stores " +
        "them, encrypted, on XFTP routers instead.",
    ),
  },
);

const doctor = command(
  "doctor",
  map(
    merge(parserOf(DOCTOR), general()),
    (flags) => ({ command: "doctor", flags }) as const,
  ),
  {
    brief: says("explains the network and the machine"),
    usageLine: usage("[OPTION...]"),
    description: says(
      "Looks at this machine and its network, and says in plain words what " +
        "will work and what will not.",
    ),
  },
);

const helper = command(
  "helper",
  map(
    merge(
      object({
        port: optional(argument(string({ metavar: "PORT" }), {
          description: says("Where to listen, in place of --bind"),
        })),
      }),
      parserOf(HELPER),
      general(),
    ),
    ({ port, ...flags }) => ({ command: "helper", port, flags }) as const,
  ),
  {
    brief: says("introduces peers to each other"),
    usageLine: usage("[OPTION...] [PORT]"),
    description: says(
      "Introduces peers who share a code or a ticket, until it is stopped. It " +
        "learns neither codes nor files.",
    ),
  },
);

const sender = command(
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

const receiver = command(
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

const COMMANDS = or(
  or(init, recv, send, doctor, helper),
  or(sender, receiver, ROUTER_COMMAND, xftp),
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

function general(): ReturnType<typeof parserOf<typeof COMMON>> {
  return group("Output", parserOf(COMMON));
}

/** The whole line would be longer than the help below it. */
function usage(value: string): Usage {
  return [{ type: "literal", value }];
}

/** A sentence without its period. */
function plain(words: string): string {
  return words.trim().replace(/\.$/, "");
}
