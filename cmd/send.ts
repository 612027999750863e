/**
 * `sftpx send`: sends files and folders to a receiver.
 *
 * @module
 */
import { codeOf, SftpxError } from "../core/errors.ts";
import type { TransferEvent } from "../core/events.ts";
import type { Peer, SendOptions, SendResult } from "../actors/options.ts";
import { looksLikeTicket } from "../protocol/ticket.ts";
import type { MetReceiver } from "../rendezvous/meet.ts";
import { quoted } from "../store/paths.ts";
import { namedRoots } from "../store/source.ts";
import type { SEND } from "./tables.ts";
import { hinted, hintOf } from "./hint.ts";
import { rememberPeer } from "./peers.ts";
import {
  destination,
  findPeer,
  type FoundPeer,
  nothingToSend,
} from "./server.ts";
import { defined } from "./defined.ts";
import type { Values } from "./settings.ts";
import type { Surroundings } from "./main.ts";

/** What standard input is called when nothing else is said. */
const DEFAULT_NAME = "stdin";

/** What was named on the command line: paths, perhaps the server, and `--to`. */
export interface Named {
  readonly args: readonly string[];
  readonly to: string | undefined;
}

/** Sends, and says whether all of it arrived. */
export async function send(
  { args, to }: Named,
  flags: Values<typeof SEND>,
  surroundings: Surroundings,
): Promise<number> {
  const { io, output, library, signal, log } = surroundings;
  if (
    flags.code !== undefined || flags.local || flags.stun !== undefined
  ) {
    return await sendByCode({ args, to }, flags, surroundings);
  }
  const { paths, server, isGuessed } = await destination(
    args,
    to,
    flags.to,
  );
  const sources = await sourcesOf(paths, flags.name, io);
  const found = await findPeer(io, server, flags).catch((error) => {
    throw withHint(error, signal, isGuessed ? server : undefined);
  });
  const met = found.viaHelper
    ? await throughHelper(found.peer, flags, surroundings)
    : undefined;
  const peer = met ?? found.peer;
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
    await met?.close();
    if (isConnected) {
      await remember(found, { io, output });
    }
  }
  return judged(result);
}

/** Sends to whoever has the code. */
async function sendByCode(
  { args, to }: Named,
  flags: Values<typeof SEND>,
  surroundings: Surroundings,
): Promise<number> {
  const { io, output, library, signal, log } = surroundings;
  if (to !== undefined || args.some(looksLikeTicket)) {
    throw new SftpxError(
      "usage",
      "Cannot send: with --code whoever has the code is the receiver, and there is another",
    );
  }
  if (args.length === 0) throw nothingToSend();
  const sources = await sourcesOf(args, flags.name, io);
  const met = await meetAnyone(args, flags, surroundings).catch((error) => {
    throw withCodeHint(error, signal);
  });
  try {
    const { send } = await library();
    return judged(
      await send({
        ...optionsOf(flags),
        paths: sources,
        to: met,
        signal,
        onEvent: output.event,
        ...(log && { log }),
      }),
    );
  } catch (error) {
    throw withCodeHint(error, signal);
  } finally {
    await met.close();
  }
}

/** Whoever has the code, or our offer. */
async function meetAnyone(
  args: readonly string[],
  flags: Values<typeof SEND>,
  surroundings: Surroundings,
): Promise<MetReceiver> {
  if (flags.stun === undefined) {
    const { meetReceiver } = await surroundings.parts.sendCode();
    return await meetReceiver(flags, surroundings);
  }
  if (args.includes("-")) {
    throw new SftpxError(
      "usage",
      "Cannot send: the other side's offer comes from standard input, and so do the data",
    );
  }
  const { meetByOffer } = await surroundings.parts.offer();
  return await meetByOffer(flags.stun, flags, surroundings);
}

/** The receiver that a helper knows of. */
async function throughHelper(
  { address, fingerprint, token }: Peer,
  flags: Values<typeof SEND>,
  surroundings: Surroundings,
): Promise<MetReceiver> {
  if (token === undefined) {
    throw new SftpxError(
      "usage",
      "Cannot send: a ticket that names a helper must hold a token",
    );
  }
  const { meetOptions } = await surroundings.parts.meet();
  const { reachByTicket } = await surroundings.parts.rendezvous();
  return await reachByTicket({
    ...meetOptions({ ...flags, helper: flags.helper ?? address }, surroundings),
    fingerprint,
    token,
  });
}

function withCodeHint(error: unknown, signal: AbortSignal): unknown {
  if (!(error instanceof Error)) return error;
  const code = codeOf(error);
  return signal.aborted || code === "connection-lost" ||
      code === "unauthorized"
    ? hinted(
      error,
      "a new code goes on where this one stopped: send the same files again",
    )
    : error;
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
    code: ______,
    words: _______,
    helper: ________,
    local: _________,
    directOnly: __________,
    relayOnly: ___________,
    lanOnly: ____________,
    stun: _____________,
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
  if (name !== undefined && (/^\.{0,2}$/.test(name) || /[/\0]/.test(name))) {
    throw new SftpxError(
      "usage",
      `Cannot send: ${quoted(name)} is no name of a file`,
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
