/**
 * `sftpx xftp`: stores files on routers, fetches and removes them.
 *
 * @module
 */
import { codeOf, SftpxError } from "../core/errors.ts";
import { printable, quoted, safePath } from "../store/paths.ts";
import { parseRouterAddress } from "../xftp/address.ts";
import type { FetchResult } from "../xftp/client_options.ts";
import type { Description } from "../xftp/description.ts";
import { routersOf } from "../xftp/description.ts";
import { isLink } from "../xftp/link.ts";
import { hinted } from "./hint.ts";
import { type Given, settled } from "./config.ts";
import { defined } from "./defined.ts";
import type { Values } from "./settings.ts";
import type { Surroundings } from "./main.ts";
import { formatSize } from "./units.ts";
import type { XftpAsked } from "./xftp_args.ts";
import {
  findDescription,
  findSenderDescription,
  removeUsed,
  writeDescriptions,
  type WrittenDescriptions,
} from "./xftp_files.ts";
import { qrOf } from "./qr.ts";
import type { FETCH, STORE } from "./store_tables.ts";
import type { RECV, SEND } from "./tables.ts";
import { XFTP_DEL, XFTP_RECV, XFTP_SEND } from "./xftp_tables.ts";

/** Does what was asked for. */
export function xftp(
  asked: XftpAsked,
  given: Given,
  surroundings: Surroundings,
): Promise<number> {
  switch (asked.action) {
    case "send": {
      const flags = settled(XFTP_SEND, asked.flags, given);
      return xftpSend(asked.paths, flags, surroundings);
    }
    case "recv": {
      const flags = settled(XFTP_RECV, asked.flags, given);
      return xftpRecv(asked.from, flags, surroundings);
    }
    case "del": {
      const flags = settled(XFTP_DEL, asked.flags, given);
      return xftpDel(asked.from, flags, surroundings);
    }
    case "info":
      return xftpInfo(asked.from, surroundings);
  }
}

/** `send PATH... --router ADDRESS`. */
export function store(
  paths: readonly string[],
  flags: Values<typeof SEND> & Values<typeof STORE>,
  given: Given,
  surroundings: Surroundings,
): Promise<number> {
  return xftpSend(paths, settled(XFTP_SEND, flags, given), surroundings);
}

/** Tells what is fetched from routers, and is no code: a link, or the file of a description. */
export function isStored(from: string): boolean {
  return isLink(from) || from === "-" || from.endsWith(".xftp");
}

/** `recv LINK` and `recv FILE.xftp`. */
export async function fetchStored(
  from: string,
  flags: Values<typeof RECV> & Values<typeof FETCH>,
  given: Given,
  surroundings: Surroundings,
): Promise<number> {
  const all = settled(XFTP_RECV, { name: undefined, ...flags }, given);
  return await xftpRecv(from, all, surroundings);
}

/** Stores files and folders, and says how to fetch them. */
export async function xftpSend(
  paths: readonly string[],
  flags: Values<typeof XFTP_SEND>,
  { io, output, signal }: Surroundings,
): Promise<number> {
  if (paths.includes("-")) {
    throw hinted(
      new SftpxError(
        "usage",
        "Cannot store standard input on routers: its size must be known first",
      ),
      "write it to a file",
    );
  }
  const { router = [], outDir = ".", qr, routerConnections, ...options } =
    flags;
  if (router.length === 0) {
    throw hinted(
      new SftpxError("usage", "Cannot store anything: no router is given"),
      "--router xftp://..., SFTPX_ROUTER, or router: in config.yaml",
    );
  }
  const routers = router.map((text) => parseRouterAddress(text));
  if (options.name !== undefined && safePath(options.name).includes("/")) {
    throw new SftpxError(
      "usage",
      `Cannot call it ${quoted(options.name)}: it is a name, not a path`,
    );
  }
  const { storeOnRouters } = await import("../xftp/client_send.ts");
  let written: WrittenDescriptions | undefined;
  const result = await storeOnRouters({
    ...defined({ ...options, connections: routerConnections }),
    paths,
    routers,
    signal,
    onEvent: output.event,
    keep: async (result) => {
      written = await writeDescriptions(outDir, result);
    },
  }).catch((error) => {
    throw goOnHint(error, signal);
  });
  if (written === undefined) throw new RangeError("nothing was kept");
  output.note("whoever has one of these can fetch it:");
  for (const [at, path] of written.recipients.entries()) {
    output.data(printable(path), {
      type: "description",
      party: "recipient",
      recipient: at + 1,
      path,
    });
    const link = result.links[at] ?? "";
    output.data(link, { type: "link", recipient: at + 1, link });
    if (qr ?? (io.isTerminal.stderr && result.links.length === 1)) {
      const lines = qrOf(link);
      for (const line of lines ?? ["the link is too long for a QR code"]) {
        output.note(line);
      }
    }
  }
  output.note(
    `it is removed with: sftpx xftp del ${quoted(written.sender)}`,
  );
  output.data(printable(written.sender), {
    type: "description",
    party: "sender",
    path: written.sender,
  });
  for (const path of written.linkSenders) {
    output.data(printable(path), {
      type: "description",
      party: "link-sender",
      path,
    });
  }
  return 0;
}

/** Fetches what was stored. */
export async function xftpRecv(
  from: string,
  flags: Values<typeof XFTP_RECV>,
  { io, output, signal }: Surroundings,
): Promise<number> {
  const { description, file } = await findDescription(io, from);
  const { yes, routerConnections, ...options } = flags;
  const { fetchFromRouters } = await import("../xftp/client_recv.ts");
  const result = await fetchFromRouters({
    ...defined({ ...options, connections: routerConnections }),
    description,
    signal,
    onEvent: output.event,
  }).catch((error) => {
    throw codeOf(error) === "unauthorized" &&
        /router does not know/.test(error.message)
      ? hinted(error, "it was fetched already, removed, or has expired")
      : goOnHint(error, signal);
  });
  for (const place of result.places) {
    const path = `${options.uploadDir ?? "uploads"}/${place}`;
    output.data(printable(path), { type: "file", path });
  }
  checkComplete(result);
  if (file !== undefined) await removeUsed(file, yes, { io, output });
  return 0;
}

/** Ends with the first thing that is left out, before its description is removed. */
function checkComplete({ places, failed, failures }: FetchResult): void {
  const [first] = failures;
  if (first === undefined) return;
  const { path, reason } = first;
  const more = failed > 1 ? ` and ${failed - 1} more` : "";
  throw hinted(
    new SftpxError(
      "local-io",
      failed === 1 && places.length === 0
        ? reason
        : `Cannot receive everything: ${
          quoted(path)
        }: ${reason}${more}; the rest is there and verified`,
    ),
    "the routers keep all of it: try again with another --on-conflict, --links or --allow-hidden",
  );
}

/** Removes what was stored. */
export async function xftpDel(
  from: string,
  flags: Values<typeof XFTP_DEL>,
  { io, output, signal }: Surroundings,
): Promise<number> {
  const { description, file } = await findSenderDescription(from);
  const { yes, routerConnections: _, ...options } = flags;
  const { removeFromRouters } = await import("../xftp/client_remove.ts");
  const { removed, gone } = await removeFromRouters({
    ...defined(options),
    description,
    signal,
    onEvent: output.event,
  });
  if (gone > 0) {
    output.note(`${gone} chunks were not there any more`);
  }
  output.data(`removed ${removed} chunks`, {
    type: "removed",
    chunks: removed,
    gone,
  });
  if (file !== undefined) await removeUsed(file, yes, { io, output });
  return 0;
}

/** Says what a description is of. */
export async function xftpInfo(
  from: string,
  { io, output }: Surroundings,
): Promise<number> {
  const { description } = await findDescription(io, from);
  const { party, size, chunks, redirect } = description;
  const kind = redirect === undefined
    ? `${party}'s description of a file`
    : `${party}'s description of another description`;
  const servers = bytesByRouter(description);
  output.data(
    [
      kind,
      `${formatSize(size)} to fetch, in ${chunks.length} chunks`,
      ...servers.map(([name, bytes]) => `${formatSize(bytes)} on ${name}`),
    ].join("\n"),
    {
      type: "stored-file",
      party,
      bytes: size,
      chunks: chunks.length,
      redirect: redirect === undefined ? "no" : "yes",
      routers: servers.map(([name]) => name),
    },
  );
  return 0;
}

function bytesByRouter({ chunks }: Description): [string, number][] {
  return routersOf(chunks).map(({ name }) => [
    name,
    chunks.filter(({ replicas }) =>
      routersOf([{ size: 0, digest: new Uint8Array(), replicas }])
        .some((router) => router.name === name)
    ).reduce((sum, chunk) => sum + chunk.size, 0),
  ]);
}

function goOnHint(error: unknown, signal: AbortSignal): unknown {
  return signal.aborted && error instanceof Error
    ? hinted(error, "give the same command again to go on")
    : error;
}
