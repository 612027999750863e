/**
 * Symbolic links at the receiver: which are made, and under which name.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { Entry } from "../protocol/entry.ts";
import { taken } from "../store/incoming_place.ts";
import {
  linkStaysInside,
  numberedPath,
  quoted,
  type SafePath,
} from "../store/paths.ts";
import type { Root } from "../store/root.ts";
import type { Conflict } from "../store/vault.ts";
import type { LinkPolicy } from "./options.ts";

type LinkEntry = Extract<Entry, { kind: "link" }>;

/** Names that are tried when one is taken. */
const MAX_NUMBER = 9999;

/**
 * Makes a link, or finds it there.
 *
 * @returns Where it stands, and whether it was there.
 * @throws {SftpxError} `unauthorized` when the policy has no place for it,
 * `local-io` when its name is taken.
 */
export async function placeLink(
  root: Root,
  path: SafePath,
  entry: LinkEntry,
  policy: { readonly links: LinkPolicy; readonly onConflict: Conflict },
): Promise<{ readonly finalPath: SafePath; readonly skipped: boolean }> {
  const { links, onConflict } = policy;
  const { target } = entry;
  const make = async (at: SafePath, replace: boolean): Promise<boolean> => {
    if (!await root.makeLink(at, target, { replace })) return false;
    await root.setMeta(at, entry);
    return true;
  };
  if (links === "none") {
    throw new SftpxError(
      "unauthorized",
      `Cannot receive link ${quoted(path)}: this receiver takes no links`,
    );
  }
  if (links === "inside" && !linkStaysInside(path, target)) {
    throw new SftpxError(
      "unauthorized",
      `Cannot receive link ${quoted(path)}: it leads out of what is sent, to ${
        quoted(target)
      }`,
    );
  }
  if (await root.readLink(path) === target) {
    return { finalPath: path, skipped: true };
  }
  if (await make(path, onConflict === "overwrite")) {
    return { finalPath: path, skipped: false };
  }
  if (onConflict === "rename") {
    for (let number = 1; number <= MAX_NUMBER; number++) {
      const finalPath = numberedPath(path, number);
      if (await root.readLink(finalPath) === target) {
        return { finalPath, skipped: true };
      }
      if (await make(finalPath, false)) {
        return { finalPath, skipped: false };
      }
    }
  }
  throw taken(path);
}
