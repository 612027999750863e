/**
 * The command line in a test: a process that is not one, and a library that
 * moves nothing.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type {
  ReceiveOptions,
  Receiver,
  SendOptions,
  SendResult,
} from "../../actors/options.ts";
import type { TransferEvent } from "../../core/events.ts";
import type { Io } from "../../cmd/io.ts";
import { settle } from "../testutil/fake_clock.ts";
import { type Library, main } from "../../cmd/main.ts";
import { PARTS } from "../../cmd/parts.ts";

/** What a run of the program was. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What surrounds a run. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly library?: Library;
  readonly terminal?: boolean;
  readonly stdin?: string;
  readonly answer?: string;
  readonly addresses?: readonly string[];
  readonly signal?: AbortSignal;
  /** Milliseconds that go by between two looks at the clock. @default {0} */
  readonly tickMs?: number;
}

/** Runs a command line. */
export async function run(
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ran> {
  const { terminal = false, tickMs = 0 } = options;
  let [stdout, stderr, now] = ["", "", 0];
  const io: Io = {
    out: (text) => void (stdout += text),
    err: (text) => void (stderr += text),
    isTerminal: { stdin: terminal, stdout: terminal, stderr: terminal },
    columns: () => 80,
    env: (name) => options.env?.[name] || undefined,
    stdin: new Blob([options.stdin ?? ""]).stream(),
    askSecret(question) {
      stderr += question;
      return options.answer;
    },
    now: () => now += tickMs,
    date: () => new Date("2026-06-01T12:00:00Z"),
    addresses: () => options.addresses ?? ["127.0.0.1", "10.0.0.7"],
  };
  const { library = fakeLibrary(), signal = new AbortController().signal } =
    options;
  const code = await main(
    args,
    io,
    () => Promise.resolve(library),
    signal,
    PARTS,
  );
  return { code, stdout, stderr };
}

/** What the library is told, and what it answers. */
export interface FakeLibrary extends Library {
  readonly sent: SendOptions[];
  readonly received: ReceiveOptions[];
}

/** What a fake transfer does. */
export interface FakeOptions {
  readonly events?: readonly TransferEvent[];
  readonly result?: Partial<SendResult>;
  readonly error?: unknown;
  /** What recv is bound to. */
  readonly address?: string;
  /** Serves until it is stopped. */
  readonly forever?: boolean;
}

/** A library that says `events` and ends as told. */
export function fakeLibrary(options: FakeOptions = {}): FakeLibrary {
  const sent: SendOptions[] = [];
  const received: ReceiveOptions[] = [];
  const play = (sink: SendOptions["onEvent"]): void =>
    options.events?.forEach((event) => sink?.(event));
  return {
    sent,
    received,
    send(given) {
      sent.push(given);
      play(given.onEvent);
      return options.error === undefined
        ? Promise.resolve({ ...RESULT, ...options.result })
        : Promise.reject(options.error);
    },
    receive(given) {
      received.push(given);
      const { promise, resolve } = Promise.withResolvers<void>();
      given.signal?.addEventListener("abort", () => resolve());
      const receiver: Receiver = {
        address: options.address ?? "0.0.0.0:4443",
        fingerprint: FINGERPRINT,
        finished: promise,
        close: () => Promise.resolve(resolve()),
      };
      if (!options.forever) {
        settle().then(() => { // when recv has said where it listens
          play(given.onEvent);
          resolve();
        });
      }
      return Promise.resolve(receiver);
    },
  };
}

/** The fingerprint of the fake receiver. */
export const FINGERPRINT: Uint8Array<ArrayBuffer> = new Uint8Array(32).fill(7);

/** What a fake transfer ends with. */
export const RESULT: SendResult = {
  session: "5e55",
  totals: {
    entries: 3,
    bytes: 3_000_000,
    sent: 2_000_000,
    reused: 1_000_000,
    skipped: 1,
    failed: 0,
  },
  root: "ab".repeat(32),
  ms: 1234,
  failures: [],
};

/**
 * Compares with a file in `golden/`. `UPDATE_GOLDEN=1` writes it instead.
 *
 * @param hide Texts that differ from run to run, and what stands for them.
 */
export async function golden(
  name: string,
  actual: string,
  hide: Readonly<Record<string, string>> = {},
): Promise<void> {
  const file = new URL(`golden/${name}`, import.meta.url);
  const text = Object.entries(hide).reduce(
    (text, [from, to]) => text.replaceAll(from, to),
    actual,
  ).replaceAll(TICKET, "sftpx://$1/#KEY");
  if (Deno.env.get("UPDATE_GOLDEN") === "1") {
    await Deno.writeTextFile(file, text);
  }
  assertEquals(text, await Deno.readTextFile(file), `golden/${name} differs`);
}

/** All that a run said, as a golden file has it. */
export function transcript(args: readonly string[], ran: Ran): string {
  const part = (name: string, text: string): string =>
    text === "" ? "" : `--- ${name}\n${text}`;
  return `$ sftpx ${args.join(" ")}\n${part("stdout", ran.stdout)}${
    part("stderr", ran.stderr)
  }--- exit ${ran.code}\n`;
}

const TICKET = /sftpx:\/\/([^/\s]*)\/#[\w-]{20,}/g;
