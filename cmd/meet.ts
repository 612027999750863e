/**
 * Where peers meet, as the options have it.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { systemClock } from "../core/clock.ts";
import { nullLog } from "../core/log.ts";
import { systemRandomBytes } from "../crypto/random.ts";
import {
  type HelperAddress,
  parseHelper,
} from "../rendezvous/helper_dialer.ts";
import { scopeOf } from "../rendezvous/ip.ts";
import { lanHelper } from "../rendezvous/lan_helper.ts";
import type { MeetOptions } from "../rendezvous/meet.ts";
import { portMapSource } from "../rendezvous/port_map_source.ts";
import { relayClient } from "../rendezvous/relay_client.ts";
import type { PathPolicy } from "../rendezvous/types.ts";
import { familyOf } from "../transport/address.ts";
import { hinted } from "./hint.ts";
import type { Surroundings } from "./sftpx.ts";

/** What `send` and `recv` can be told of it. */
export interface MeetFlags {
  readonly helper?: string | undefined;
  readonly local?: boolean | undefined;
  readonly directOnly?: boolean | undefined;
  readonly relayOnly?: boolean | undefined;
  readonly lanOnly?: boolean | undefined;
}

/**
 * Where to meet, and by which paths.
 *
 * @throws {SftpxError} `usage` when there is no place, or no path.
 */
export function meetOptions(
  flags: MeetFlags,
  { log, signal }: Pick<Surroundings, "log" | "signal">,
): MeetOptions {
  const policy = policyOf(flags);
  const common = { policy, signal, ...log && { log } };
  if (flags.local) {
    const random = systemRandomBytes;
    return {
      ...common,
      policy: "lan-only",
      helper: () =>
        lanHelper({ clock: systemClock, log: log ?? nullLog, random }),
    };
  }
  const helper = helperOf(flags.helper);
  return {
    ...common,
    helper,
    relay: relayClient(),
    // No router stands between this machine and itself.
    sources: isHere(helper) || policy === "lan-only" || policy === "relay-only"
      ? []
      : [portMapSource()],
  };
}

/** Reads `--helper`; there must be one. */
export function helperOf(text: string | undefined): HelperAddress {
  if (text === undefined) {
    throw hinted(
      new SftpxError("usage", "Cannot meet the other side: there is no helper"),
      "--helper HOST or SFTPX_HELPER names one, sftpx helper runs one, and " +
        "--local does without on one network",
    );
  }
  return parseHelper(text);
}

function policyOf(flags: MeetFlags): PathPolicy {
  const all: PathPolicy[] = [];
  if (flags.directOnly) all.push("direct-only");
  if (flags.relayOnly) all.push("relay-only");
  if (flags.lanOnly) all.push("lan-only");
  const [first = "any", ...more] = all;
  if (more.length > 0) {
    throw new SftpxError(
      "usage",
      `Cannot meet the other side: --${first} and --${
        more.join(" and --")
      } leave no path`,
    );
  }
  return first;
}

function isHere({ hostname }: HelperAddress): boolean {
  return hostname === "localhost" ||
    familyOf(hostname) !== undefined && scopeOf(hostname) === "loopback";
}
