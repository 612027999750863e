/**
 * Where peers meet, as the options have it.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import {
  type HelperAddress,
  parseHelper,
} from "../rendezvous/helper_dialer.ts";
import type { MeetOptions } from "../rendezvous/meet.ts";
import type { PathPolicy } from "../rendezvous/types.ts";
import type { CarrierMode } from "../transport/carrier.ts";
import { hinted } from "./hint.ts";
import type { Surroundings } from "./main.ts";

/** What `send` and `recv` can be told of it. */
export interface MeetFlags {
  readonly helper?: string | undefined;
  readonly local?: boolean | undefined;
  readonly directOnly?: boolean | undefined;
  readonly relayOnly?: boolean | undefined;
  readonly lanOnly?: boolean | undefined;
  readonly carrier?: CarrierMode | undefined;
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
  return {
    policy: policyOf(flags),
    ...flags.carrier !== undefined && { carrier: flags.carrier },
    signal,
    helper: flags.local ? "local" : helperOf(flags.helper),
    ...log && { log },
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

/** The paths that may be used. */
export function policyOf(flags: MeetFlags): PathPolicy {
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
