/**
 * Links to stored files: a description, deflated, behind the `#` of a URL, where
 * no server ever sees it.
 *
 * `https://HOST[:PORT]/#` and base64url of raw deflate. `simplex:/file#/?desc=`
 * and the same under `https://…/file#/?desc=`, with the description as it is,
 * are read as well. Nothing is asked of the host in a link: it is for browsers.
 *
 * @module
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { SftpxError } from "../core/errors.ts";
import type { RouterAddress } from "./address.ts";
import {
  type Description,
  formatDescription,
  MAX_DESCRIPTION_BYTES,
} from "./description.ts";
import { parseDescription } from "./description_parse.ts";

/** A link longer than this is made a redirect. */
export const LONG_LINK = 400;

/** What is taken for a link at most: deflated, a description is no longer than itself. */
const MAX_LINK = MAX_DESCRIPTION_BYTES / 3 * 4;

/** Writes the link of a description. @param host Whose page opens it. */
export function formatLink(
  host: Pick<RouterAddress, "hosts" | "port">,
  description: Description,
): string {
  const [name] = host.hosts;
  const authority = name.includes(":") ? `[${name}]` : name;
  const port = host.port === 443 ? "" : `:${host.port}`;
  const deflated = new Uint8Array(
    deflateRawSync(formatDescription(description), { level: 9 }),
  );
  const text = deflated.toBase64({ alphabet: "base64url" });
  return `https://${authority}${port}/#${text}`;
}

/** Tells whether a text is meant as a link. */
export function isLink(text: string): boolean {
  return /^(https?:\/\/|simplex:)/i.test(text);
}

/**
 * Reads a link.
 *
 * @throws {SftpxError} `usage` when it is none of ours, `protocol` when what is
 * in it is wrong. They do not hold the link, which is a secret.
 */
export async function parseLink(link: string): Promise<Description> {
  if (link.length > MAX_LINK) throw badLink("it is too long");
  if (/^http:/i.test(link)) {
    throw badLink("it is http, so others can change the page that it opens");
  }
  const at = link.indexOf("#");
  const fragment = at < 0 ? "" : link.slice(at + 1);
  if (!isLink(link) || fragment === "") {
    throw badLink("there is no description in it");
  }
  return await parseDescription(
    fragment.startsWith("/?") ? queryOf(fragment) : inflated(fragment),
  );
}

/** The description in `/?desc=…&data=…`. */
function queryOf(fragment: string): string {
  const text = new URLSearchParams(fragment.slice(2)).get("desc");
  if (text === null || text === "") {
    throw badLink("there is no description in it");
  }
  return text;
}

function inflated(fragment: string): Uint8Array {
  let deflated: Uint8Array;
  try {
    if (!/^[\w-]+={0,2}$/.test(fragment)) {
      throw new SyntaxError("not base64url");
    }
    deflated = Uint8Array.fromBase64(fragment, { alphabet: "base64url" });
  } catch (error) {
    throw badLink("it is damaged", error);
  }
  try {
    return new Uint8Array(
      inflateRawSync(deflated, { maxOutputLength: MAX_DESCRIPTION_BYTES }),
    );
  } catch (error) {
    const isBomb = error instanceof RangeError;
    throw badLink(
      isBomb ? "its description is larger than 4 MiB" : "it is damaged",
      error,
    );
  }
}

function badLink(reason: string, cause?: unknown): SftpxError {
  return new SftpxError("usage", `Cannot read the link: ${reason}`, cause);
}
