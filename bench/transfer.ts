/**
 * Transfers to measure: ours, and the yardstick.
 *
 * @module
 */
import { ROOT } from "./bench_context.ts";
import {
  type Mark,
  type StartOptions,
  startWatched,
  type Watched,
} from "./process.ts";

/** What one side of a transfer cost, from the moment both were connected. */
export interface Side {
  readonly cpuS: number;
  readonly peakBytes: number;
}

/** One transfer. */
export interface Transfer {
  /** From the handshake's end to the last confirmation, seconds. */
  readonly dataS: number;
  /** When the sender's process was started, ms. */
  readonly beganMs: number;
  /** From the start of the sender's process to its end, seconds. */
  readonly wholeS: number;
  readonly sender: Side;
  readonly receiver: Side;
}

/** Where our transfers are set up, once for many. */
export interface Place {
  readonly folder: string;
}

/** Which machines take part. */
export interface Machines {
  /** What a command must begin with to run there. */
  readonly sender: readonly string[];
  readonly receiver: readonly string[];
  /** The receiver's address. */
  readonly host: string;
}

/** How a transfer is to be. */
export interface TransferOptions {
  readonly place: Place;
  readonly source: string;
  /** Where it goes; made if it is not there. */
  readonly target: string;
  /** What tells the states of transfers apart. @default {the target} */
  readonly limitMs: number;
  /** Both sides print their events: a line for every file. @default {true} */
  readonly isTold?: boolean;
  readonly sendArgs?: readonly string[];
  readonly recvArgs?: readonly string[];
  /** @default {both on this machine, over loopback} */
  readonly at?: Machines;
  /** Told of the events of either side. @default {nobody} */
  readonly onSender?: StartOptions["onEvent"];
  readonly onReceiver?: StartOptions["onEvent"];
}

const HERE: Machines = { sender: [], receiver: [], host: "127.0.0.1" };

const DENO = Deno.execPath();
/** As the tasks in deno.json have them; docs/performance.md says what they are for. */
const FLAGS = "--v8-flags=--min-semi-space-size=4,--max-semi-space-size=4," +
  "--heap-growing-percent=60,--no-lazy,--initial-old-space-size=64," +
  "--invocation-count-for-maglev=2000,--invocation-count-for-turbofan=20000";
const SFTPX = [DENO, "run", "-A", FLAGS, `${ROOT}cmd/sftpx.ts`];
const BARE = [DENO, "run", "-A", FLAGS, `${ROOT}bench/bare_copy.ts`];
const COPY = {
  quic: [DENO, "run", "-A", "--unstable-net", `${ROOT}bench/quic_copy.ts`],
  tls: [DENO, "run", "-A", `${ROOT}bench/tls_copy.ts`],
} as const;

/** Makes certificate and token. */
export async function preparePlace(folder: string): Promise<Place> {
  await run([...SFTPX, "init", "--certs", `${folder}/certs`]);
  return { folder };
}

/** Sends `source` to an empty or given folder, in two processes. */
export async function transfer(options: TransferOptions): Promise<Transfer> {
  const { place: { folder }, source, target, limitMs, isTold = true } = options;
  const { at = HERE, onSender, onReceiver } = options;
  await Deno.mkdir(target, { recursive: true });
  const certs = ["--certs", `${folder}/certs`];
  const how = isTold ? ["--json"] : [];
  const receiver = startWatched({
    command: [
      ...[...at.receiver, ...SFTPX],
      ...["recv", "--bind", `${at.host}:0`, "--once", ...how],
      ...["--upload-dir", target, "--resume-dir", `${target}.state`, ...certs],
      ...options.recvArgs ?? [],
    ],
    cwd: folder,
    limitMs,
    ...(onReceiver && { onEvent: onReceiver }),
  });
  const port = portOf(await receiver.mark(isTold ? "listening" : "text"));
  const began = performance.now();
  const sender = startWatched({
    command: [
      ...[...at.sender, ...SFTPX],
      ...["send", source, "--to", `${at.host}:${port}`, ...how],
      ...["--cert", `${folder}/certs/cert.pem`],
      ...["--token-file", `${folder}/certs/token`],
      ...["--resume-dir", `${target}.sender`, ...options.sendArgs ?? []],
    ],
    cwd: folder,
    limitMs,
    ...(onSender && { onEvent: onSender }),
  });
  return await outcome(receiver, sender, began, isTold);
}

/** Copies `bytes` from memory to memory over plain QUIC or TLS, in two processes. */
export async function plainCopy(
  bytes: number,
  limitMs: number,
  { at = HERE, by = "quic" }: {
    readonly at?: Machines;
    readonly by?: keyof typeof COPY;
  } = {},
): Promise<Transfer & { readonly handshakeMs: number }> {
  const receiver = startWatched({
    command: [...at.receiver, ...COPY[by], "receive", at.host],
    limitMs,
  });
  const { event } = await receiver.mark("listening");
  const began = performance.now();
  const sender = startWatched({
    command: [
      ...[...at.sender, ...COPY[by], "send", at.host],
      `${event["port"]}`,
      `${event["fingerprint"]}`,
      `${bytes}`,
    ],
    limitMs,
  });
  const result = await outcome(receiver, sender, began, true);
  const { event: { handshakeMs } } = await sender.mark("connected");
  return { ...result, handshakeMs: Number(handshakeMs) };
}

/** Copies a file or a tree by the least that does it: see `bare_copy.ts`. */
export async function bareCopy(
  source: string,
  target: string,
  limitMs: number,
  at: Machines = HERE,
): Promise<Transfer> {
  const receiver = startWatched({
    command: [...at.receiver, ...BARE, "receive", at.host, target],
    limitMs,
  });
  const { event } = await receiver.mark("listening");
  const began = performance.now();
  const sender = startWatched({
    command: [
      ...[...at.sender, ...BARE, "send", at.host],
      ...[`${event["port"]}`, `${event["fingerprint"]}`, source],
    ],
    limitMs,
  });
  return await outcome(receiver, sender, began, true);
}

/** Runs a program to its end; returns how long that took, seconds. */
export async function run(command: readonly string[]): Promise<number> {
  const began = performance.now();
  const child = startWatched({ command, limitMs: 600_000 });
  const { code } = await child.ended;
  if (code !== 0) {
    throw new Error(
      `${command.join(" ")} ended with ${code}\n${child.lastWords()}`,
    );
  }
  return (performance.now() - began) / 1000;
}

async function outcome(
  receiver: Watched,
  sender: Watched,
  began: number,
  isTold: boolean,
): Promise<Transfer> {
  const sent = await sender.ended;
  if (sent.code !== 0) receiver.kill();
  const received = await receiver.ended;
  if (sent.code !== 0 || received.code !== 0) {
    throw new Error(
      `a transfer failed: ${sender.lastWords()}${receiver.lastWords()}`,
    );
  }
  const first = isTold ? await sender.mark("connected") : undefined;
  const last = isTold ? await sender.mark("done") : sent.last;
  const met = isTold ? await receiver.mark("connected") : undefined;
  return {
    dataS: (last.atMs - (first?.atMs ?? began)) / 1000,
    beganMs: began,
    wholeS: (sent.last.atMs - began) / 1000,
    sender: side(first, sent.last),
    receiver: side(met, received.last),
  };
}

function side(from: Mark | undefined, to: Mark): Side {
  const cpuS = to.usage.cpuS - (from?.usage.cpuS ?? 0);
  return { cpuS, peakBytes: to.usage.peakBytes };
}

function portOf({ event }: Mark): string {
  const text = JSON.stringify(event);
  const port = /\d\.\d+:(\d+)/.exec(text)?.[1];
  if (port === undefined) throw new Error(`no port in ${text}`);
  return port;
}
