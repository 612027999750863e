/**
 * The control port: lines of text on the loopback, for the operator.
 *
 * | line                             | does                                        | who           |
 * | -------------------------------- | ------------------------------------------- | ------------- |
 * | `auth PASSWORD`                  | says who asks; once, for the connection     | anyone        |
 * | `delete RECIPIENT`               | removes a chunk, by the id in a link        | user, admin   |
 * | `block RECIPIENT reason=spam`    | removes it and tells those who ask for it   | user, admin   |
 * | `stats`                          | prints what is counted                      | user, admin   |
 * | `stats-rts`                      | prints what the process uses                | anyone        |
 * | `help`, `quit`                   |                                             | anyone        |
 *
 * @module
 */
import { equalBytes } from "../../core/bytes.ts";
import type { Clock } from "../../core/clock.ts";
import { codeOf } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { decodeBlocking } from "../faults.ts";
import type { Stats } from "./stats.ts";
import type { Store } from "./store.ts";

/** Who asks. */
export type ControlRole = "CPRNone" | "CPRUser" | "CPRAdmin";

/** What the control port needs. */
export interface ControlDeps {
  readonly store: Store;
  readonly stats: Stats;
  readonly log: Log;
  readonly clock: Clock;
  /** Lets in as admin; without, nobody is. */
  readonly adminPassword?: string;
  /** Lets in as user; without, nobody is. */
  readonly userPassword?: string;
  /** What `stats` prints. */
  readonly report: () => string;
}

/** One conversation; it ends when it returns `undefined`. */
export interface ControlSession {
  /** What is said first. */
  readonly banner: string;
  /** Answers a line, given without its end. */
  answer(line: string): Promise<string | undefined>;
}

/** A wrong password costs this much, ms. */
const WRONG_PASSWORD_MS = 1000;

/** Begins a conversation. */
export function createControlSession(deps: ControlDeps): ControlSession {
  const { log } = deps;
  let role: ControlRole = "CPRNone";
  const auth = async (password: string): Promise<string> => {
    const asked = roleOf(deps, password);
    if (asked === "CPRNone") await deps.clock.delay(WRONG_PASSWORD_MS);
    if (role === "CPRNone") role = asked;
    return role === asked
      ? `Current role is ${role}`
      : `Current role is ${role}, start new session to change.`;
  };
  const remove = async (
    id: string,
    act: (chunk: Parameters<Store["remove"]>[0]) => Promise<void>,
  ): Promise<string> => {
    if (role === "CPRNone") return "AUTH";
    const bytes = idOf(id);
    if (bytes === undefined) return "error: the id is not base64url";
    const found = deps.store.records.ofRecipient(bytes);
    if (found === undefined) return "error: AUTH";
    try {
      await act(found.chunk);
      return "ok";
    } catch (error) {
      return `error: ${codeOf(error) === "local-io" ? "FILE_IO" : "INTERNAL"}`;
    }
  };
  return {
    banner: "SFTPX router control port\n'help' for supported commands\n",
    async answer(line) {
      const [word = "", argument = "", ...rest] = line.trim().split(/ +/);
      if (!["", "auth", "help", "quit"].includes(word)) {
        log.event("router.control", { command: line.trim(), role });
      }
      switch (word) {
        case "":
          return "";
        case "auth":
          return await auth(line.trim().slice("auth ".length));
        case "delete":
          if (argument === "" || rest.length > 0) return "error: delete ID";
          return await remove(argument, async (chunk) => {
            await deps.store.remove(chunk);
            deps.stats.count("deleted");
          });
        case "block": {
          const blocking = decodeBlocking(rest.join(" "));
          if (blocking === undefined) {
            return 'error: block ID reason=spam|content[,notice={"ttl":SECONDS}]';
          }
          return await remove(argument, async (chunk) => {
            const isNew = chunk.status.type !== "blocked";
            await deps.store.block(chunk, blocking);
            if (isNew) deps.stats.count("blocked");
          });
        }
        case "stats":
          return role === "CPRNone" ? "AUTH" : deps.report();
        case "stats-rts":
          return processReport();
        case "help":
          return "commands: auth, delete, block, stats, stats-rts, help, quit";
        case "quit":
          return undefined;
        default:
          return "error: unknown command, 'help' for those that there are";
      }
    },
  };
}

function roleOf(deps: ControlDeps, password: string): ControlRole {
  // Both are compared, so that the time tells nothing.
  const isAdmin = matches(deps.adminPassword, password);
  const isUser = matches(deps.userPassword, password);
  return isAdmin ? "CPRAdmin" : isUser ? "CPRUser" : "CPRNone";
}

function matches(expected: string | undefined, given: string): boolean {
  const encoder = new TextEncoder();
  const isEqual = equalBytes(
    encoder.encode(expected ?? ""),
    encoder.encode(given),
  );
  return isEqual && expected !== undefined && expected !== "";
}

function idOf(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[\w-]{1,340}={0,2}$/.test(text)) return undefined;
  try {
    return Uint8Array.fromBase64(text, { alphabet: "base64url" });
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function processReport(): string {
  const { rss, heapUsed, external } = Deno.memoryUsage();
  return `rss=${rss} heap=${heapUsed} external=${external}`;
}
