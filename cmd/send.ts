/**
 * `sftpx send`: sends files and folders to a receiver.
 *
 * @module
 */
import { codeOf, SftpxError } from "../core/errors.ts";
import type { TransferEvent } from "../core/events.ts";
import type { SendOptions, SendResult } from "../actors/options.ts";
import { quoted } from "../store/paths.ts";
import { namedRoots } from "../store/source.ts";
import type { SEND } from "./tables.ts";
import { hinted, hintOf } from "./hint.ts";
import { rememberPeer } from "./peers.ts";
import { destination, findPeer, type FoundPeer } from "./server.ts";
import { defined } from "./defined.ts";
import type { Values } from "./settings.ts";
import type { Surroundings } from "./sftpx.ts";

/** What standard input is called when nothing else is said. */
const DEFAULT_NAME = "stdin";

/** Sends, and says whether all of it arrived. */
export async function send(
  args: readonly string[],
  flags: Values<typeof SEND>,
  { io, output, library, signal, log }: Surroundings,
): Promise<number> {
  const { paths, server, isGuessed } = await destination(args, flags.to);
  const sources = await sourcesOf(paths, flags.name, io);
  const found = await findPeer(io, server, flags).catch((error) => {
    throw withHint(error, signal, isGuessed ? server : undefined);
  });
  const { peer } = found;
  let isConnected = false;
  const onEvent = (event: TransferEvent): void => {
    isConnected ||= event.type === "connected";
    output.event(event);
  };
  const { send } = await library();
  let result: SendResult;
  try {
    const options = optionsOf(flags);
    result = await send({
      ...options,
      paths: sources,
      to: peer,
      signal,
      onEvent,
      ...(log && { log }),
    });
  } catch (error) {
    throw withHint(error, signal, isGuessed ? server : undefined);
  } finally {
    if (isConnected) {
      await remember(found, { io, output });
    }
  }
  return judged(result);
}

function optionsOf(
  flags: Values<typeof SEND>,
): Omit<SendOptions, "paths" | "to"> {
  const {
    to: _,
    cert: __,
    tokenFile: ___,
    certs: ____,
    name: _____,
    streams: lanes,
    cc: congestion,
    giveUpAfter: giveUpAfterMs,
    ...same
  } = flags;
  return defined({ ...same, lanes, congestion, giveUpAfterMs });
}

async function sourcesOf(
  paths: readonly string[],
  name: string | undefined,
  io: Surroundings["io"],
): Promise<SendOptions["paths"]> {
  if (!paths.includes("-")) {
    if (name !== undefined) {
      throw new SftpxError(
        "usage",
        "Cannot send: --name is for standard input, which is -",
      );
    }
    await namedRoots(paths); // what is not there is said before all else
    return paths;
  }
  if (paths.length > 1) {
    throw new SftpxError(
      "usage",
      "Cannot send: standard input goes alone, without other paths",
    );
  }
  return [{ name: name ?? DEFAULT_NAME, stream: io.stdin }];
}

async function remember(
  { peer, isNew }: FoundPeer,
  { io, output }: Pick<Surroundings, "io" | "output">,
): Promise<void> {
  if (isNew) {
    try {
      await rememberPeer(io, peer);
    } catch (error) { // the transfer counts, not this
      const message = error instanceof Error ? error.message : String(error);
      output.event({ type: "warning", message });
    }
  }
}

function judged({ totals, failures }: SendResult): number {
  const [first] = failures;
  if (totals.failed === 0 && first === undefined) {
    return 0;
  }
  const count = Math.max(totals.failed, failures.length);
  const why = first === undefined
    ? "see above"
    : `${quoted(first.path)}: ${first.reason}`;
  const more = count > 1 ? ` and ${count - 1} more` : "";
  throw new SftpxError(
    "local-io",
    `Cannot send everything: ${why}${more}; the rest is there and verified`,
  );
}

function withHint(
  error: unknown,
  signal: AbortSignal,
  guessed: string | undefined,
): unknown {
  if (!(error instanceof Error)) {
    return error;
  }
  if (signal.aborted) {
    return hinted(error, "give the same command again to go on");
  }
  const isAboutPeer = /^un(authorized|reachable)$/.test(codeOf(error));
  if (guessed !== undefined && isAboutPeer) {
    const guess = `${
      quoted(guessed)
    } is no path here, so it was taken for the receiver`;
    const other = hintOf(error);
    return hinted(error, other === undefined ? guess : `${guess}; ${other}`);
  }
  return error;
}
