/**
 * `sftpx sender` and `sftpx receiver`: one file or pipe between two who share a
 * phrase, with the arguments of qft.
 *
 * @module
 */
import { systemClock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import { createRateLimiter } from "../core/rate.ts";
import { loadDigest } from "../crypto/digest.ts";
import { receiveFlow } from "../rendezvous/flow_receive.ts";
import { type FlowEvent, sendFlow } from "../rendezvous/flow_send.ts";
import { hideArgument } from "./code_words.ts";
import { meetOptions } from "./meet.ts";
import { pairAsReceiver, pairAsSender, type PairOptions } from "./qft_pair.ts";
import { openSink } from "./qft_sink.ts";
import { openSource } from "./qft_source.ts";
import type { Values } from "./settings.ts";
import type { Surroundings } from "./main.ts";
import type { COMMON, QFT } from "./tables.ts";
import { formatDuration, formatSize, parseSize } from "./units.ts";

/** What stands on the command line, in this order. */
export interface QftArguments {
  readonly helper: string;
  readonly phrase: string;
  readonly file: string;
  readonly bitrate: string | undefined;
  readonly skip: string | undefined;
}

const DEFAULT_RESUME_DIR = "sftpx_resume";

/** What both can be told besides. */
export type QftFlags = Values<typeof QFT> & Values<typeof COMMON>;

/** Sends. */
export async function sender(
  given: QftArguments,
  flags: QftFlags,
  surroundings: Surroundings,
): Promise<number> {
  const { io, signal } = surroundings;
  const { rate, skip } = numbersOf(given);
  const pairing = await pairingOf(given, flags, surroundings);
  await using tail = new AsyncDisposableStack();
  const source = await openSource(given.file, {
    skip: skip ?? 0,
    endless: /^(1|true|yes|on)$/i.test(io.env("SFTPX_STREAM") ?? ""),
    stdin: io.stdin,
    clock: systemClock,
    signal,
  });
  tail.defer(() => source.close());
  const digest = await loadDigest();
  const peer = await pairAsSender(pairing);
  tail.defer(peer.close);
  const talk = talkOf(surroundings, flags, "sent");
  const bytes = await sendFlow({
    source,
    dial: peer.dial,
    digest,
    limiter: limiterOf(rate),
    clock: systemClock,
    onEvent: talk.event,
  }, signal);
  talk.done(bytes - source.start);
  return 0;
}

/** Receives. */
export async function receiver(
  given: QftArguments,
  flags: QftFlags,
  surroundings: Surroundings,
): Promise<number> {
  const { signal } = surroundings;
  const { rate, skip } = numbersOf(given);
  const pairing = await pairingOf(given, flags, surroundings);
  await using tail = new AsyncDisposableStack();
  const sink = await openSink(given.file, skip, writeStdout);
  tail.defer(() => sink.close());
  const digest = await loadDigest();
  const peer = await pairAsReceiver(pairing);
  tail.defer(peer.close);
  const talk = talkOf(surroundings, flags, "received");
  const bytes = await receiveFlow({
    sink,
    accept: peer.accept,
    digest,
    limiter: limiterOf(rate),
    clock: systemClock,
    onEvent: talk.event,
  }, signal);
  talk.done(bytes);
  return 0;
}

function numbersOf(
  { bitrate, skip }: QftArguments,
): { readonly rate: number | undefined; readonly skip: number | undefined } {
  const read = (what: string, text: string | undefined): number | undefined => {
    try {
      return text === undefined ? undefined : parseSize(text);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new SftpxError("usage", `Cannot read ${what}: ${reason}`, error);
    }
  };
  const rate = read("bitrate", bitrate);
  // 0 is a place to stand for "as fast as it goes", as a skip may follow.
  return { rate: rate || undefined, skip: read("skip", skip) || undefined };
}

async function pairingOf(
  { helper, phrase, file }: QftArguments,
  flags: QftFlags,
  surroundings: Surroundings,
): Promise<PairOptions> {
  const { output, io } = surroundings;
  if (flags.json && (file === "-" || file === "/dev/stdout")) {
    throw new SftpxError(
      "usage",
      "Cannot say events on standard output: the data goes there",
    );
  }
  let words = phrase;
  if (phrase === "-") words = io.env("SFTPX_CODE") ?? asked(surroundings);
  else await hideArgument(phrase);
  const where = helper === "local" ? { local: true } : { helper };
  const meet = meetOptions({ ...flags, ...where }, surroundings);
  return {
    helper,
    phrase: words,
    resumeDir: flags.resumeDir ?? DEFAULT_RESUME_DIR,
    meet,
    note: output.note,
  };
}

function asked({ io }: Surroundings): string {
  const answer = io.isTerminal.stdin && io.isTerminal.stderr
    ? io.askSecret("Phrase: ")
    : undefined;
  if (answer !== undefined) return answer;
  throw new SftpxError("usage", "Cannot pair: no phrase was given");
}

function limiterOf(
  rate: number | undefined,
): ReturnType<typeof createRateLimiter> | undefined {
  return rate === undefined ? undefined : createRateLimiter(rate, systemClock);
}

/** A line of progress so often, ms. */
const LINE_MS = 5000;

interface Talk {
  event(event: FlowEvent): void;
  done(bytes: number): void;
}

function talkOf(
  { output, io }: Surroundings,
  { json = false }: QftFlags,
  word: "sent" | "received",
): Talk {
  const began = io.now();
  let lastMs = began;
  let isUp = false;
  const say = (words: string, event: Record<string, string>): void => {
    if (json) output.data(words, { type: "flow", ...event });
    else output.note(words);
  };
  return {
    event(event) {
      switch (event.type) {
        case "up": {
          const { path = "direct", carrier = "quic" } = event.conn;
          const from = event.from === 0
            ? ""
            : `, going on at byte ${event.from}`;
          say(`connected (${path}${carrier === "tcp" ? ", TCP" : ""})${from}`, {
            state: "up",
            path,
            carrier,
            from: String(event.from),
          });
          isUp = true;
          return;
        }
        case "down":
          if (!isUp) return; // it was said, or there was none yet
          isUp = false;
          say("paused: the line is dead; going on when it is back", {
            state: "down",
          });
          return;
        case "progress": {
          if (io.now() - lastMs < LINE_MS) return;
          lastMs = io.now();
          const of = event.size === undefined
            ? ""
            : ` of ${formatSize(event.size)}`;
          say(`${formatSize(event.bytes)}${of}`, {
            state: "progress",
            bytes: String(event.bytes),
          });
          return;
        }
      }
    },
    done(bytes) {
      const ms = io.now() - began;
      say(`${word} ${formatSize(bytes)} in ${formatDuration(ms)}`, {
        state: "done",
        bytes: String(bytes),
      });
    },
  };
}

async function writeStdout(bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) {
    rest = rest.subarray(await Deno.stdout.write(rest));
  }
}
