/**
 * How `sender` and `receiver` find each other by a phrase, the first time and
 * again.
 *
 * The first time they meet by the phrase, which is good for one meeting. What
 * they agreed on then is kept in the state folder, for the owner only: the same
 * command finds the other side by it, after a kill or a restart.
 *
 * @module
 */
import { createHash, scryptSync } from "node:crypto";
import { systemClock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import { secret } from "../core/secret.ts";
import { readCertificate } from "../crypto/certificate.ts";
import { systemRandomBytes } from "../crypto/random.ts";
import { parseOwnPhrase, strength } from "../rendezvous/code.ts";
import {
  hostByTicket,
  type MeetOptions,
  offerByCode,
  reachByTicket,
  takeByCode,
} from "../rendezvous/meet.ts";
import type { Conn } from "../transport/transport.ts";
import { fileIn } from "../store/own_path.ts";
import { writeSecret } from "../store/secrets.ts";
import { hinted } from "./hint.ts";
import { readSecretIfThere } from "./own_files.ts";

/** Who pairs, and where that is kept. */
export interface PairOptions {
  /** As it was given, to tell helpers apart. */
  readonly helper: string;
  readonly phrase: string;
  readonly resumeDir: string;
  readonly meet: MeetOptions;
  /** Says what a person should know. */
  readonly note: (words: string) => void;
}

/** A number of a phrase without one: what it says of the phrase is little, and takes a while to try. */
const FIRST_SLOT = 1_000_000;
const SLOTS = 1024;
/** What a phrase without a number must be worth: ten bits of it are its number. */
const LEAST_BITS = 30;
/** Certificates of a meeting are good for two weeks. */
const KEPT_MS = 13 * 86_400_000;

/**
 * The code that a phrase stands for: with its own number, or one made of it.
 *
 * @throws {SftpxError} "usage" when it is weak.
 */
export function codeOfPhrase(phrase: string): string {
  const { slot, phrase: words } = parseOwnPhrase(phrase);
  if (slot !== undefined) return `${slot}-${words}`;
  if (strength(words) < LEAST_BITS) {
    throw hinted(
      new SftpxError(
        "usage",
        "Cannot use phrase: without a number it must be longer",
      ),
      "begin it with a number of your own, as in 7391-tiger-lemon-cable, or take more words",
    );
  }
  const bytes = scryptSync(words, "sftpx qft slot", 4, SCRYPT);
  return `${FIRST_SLOT + bytes.readUInt32BE(0) % SLOTS}-${words}`;
}

const SCRYPT = { N: 1 << 15, r: 8, p: 1, maxmem: 64 << 20 };

/** Gets the receiver, as often as need be. */
export async function pairAsSender(options: PairOptions): Promise<{
  readonly dial: (signal: AbortSignal) => Promise<Conn>;
  readonly close: () => Promise<void>;
}> {
  const { meet } = options;
  const kept = await keptOf(options, "sender") ??
    await keep(options, "sender", async (phrase) => {
      const met = await offerByCode({
        ...meet,
        phrase,
        onCode: () => options.note("waiting for the receiver"),
      });
      closeLater(met.close);
      if (met.token === undefined) {
        throw new SftpxError("internal", "Cannot pair: there is no token");
      }
      return {
        fingerprint: new Uint8Array(met.fingerprint),
        token: new Uint8Array(met.token.reveal()),
      };
    });
  const met = await reachByTicket({
    ...meet,
    fingerprint: kept.fingerprint,
    token: secret(kept.token),
  });
  return { dial: (signal) => met.dialers.cubic.dial(signal), close: met.close };
}

/** Is there for the sender, as often as it comes. */
export async function pairAsReceiver(options: PairOptions): Promise<{
  readonly accept: () => Promise<Conn | undefined>;
  readonly close: () => Promise<void>;
}> {
  const { meet } = options;
  const kept = await keptOf(options, "receiver") ??
    await keep(options, "receiver", async (code) => {
      const met = await takeByCode({
        ...meet,
        code,
        identity: systemRandomBytes(32),
        onWaiting: () => options.note("waiting for the sender"),
      });
      closeLater(met.close);
      const { cert, key } = met.certificate;
      const now = new Date(systemClock.wallMs());
      return {
        fingerprint: readCertificate(cert, now, "certificate").fingerprint,
        token: new Uint8Array(met.token.reveal()),
        cert,
        key: new TextDecoder().decode(key.reveal()),
      };
    });
  const { fingerprint, token, cert = "", key = "" } = kept;
  const listener = await hostByTicket({
    ...meet,
    certificate: { cert, key: secret(new TextEncoder().encode(key)) },
    fingerprint,
    token: secret(token),
  });
  return { accept: () => listener.accept(), close: () => listener.close() };
}

/** Our last words of the exchange must reach the other side: not at once. */
function closeLater(close: () => Promise<void>): void {
  systemClock.delay(FAREWELL_MS).then(close);
}

const FAREWELL_MS = 10_000;

/** What two agreed on. */
interface Kept {
  readonly fingerprint: Uint8Array<ArrayBuffer>;
  readonly token: Uint8Array<ArrayBuffer>;
  /** The receiver's. */
  readonly cert?: string;
  readonly key?: string;
}

async function keptOf(
  options: PairOptions,
  role: string,
): Promise<Kept | undefined> {
  const path = placeOf(options, role);
  const bytes = await readSecretIfThere(path, "pairing");
  if (bytes === undefined) return undefined;
  const kept = readKept(new TextDecoder().decode(bytes));
  if (kept !== undefined) {
    options.note("paired before, under this phrase: going on");
  }
  return kept;
}

/** Reads what was kept; `undefined` when it is too old, or not ours. */
function readKept(text: string): Kept | undefined {
  try {
    const { madeMs, fingerprint, token, cert, key } = JSON.parse(text);
    if (!(systemClock.wallMs() - madeMs < KEPT_MS)) return undefined;
    return {
      fingerprint: Uint8Array.fromHex(fingerprint),
      token: Uint8Array.fromHex(token),
      ...typeof cert === "string" && { cert },
      ...typeof key === "string" && { key },
    };
  } catch {
    return undefined; // it is made anew
  }
}

async function keep(
  options: PairOptions,
  role: string,
  pair: (code: string) => Promise<Kept>,
): Promise<Kept> {
  const kept = await pair(codeOfPhrase(options.phrase));
  const { fingerprint, token, ...more } = kept;
  const text = JSON.stringify({
    madeMs: systemClock.wallMs(),
    fingerprint: fingerprint.toHex(),
    token: token.toHex(),
    ...more,
  });
  await writeSecret(placeOf(options, role), text, { force: true });
  return kept;
}

/** The phrase is not in the name: what is takes as long to try as the phrase itself. */
function placeOf(
  { helper, phrase, resumeDir }: PairOptions,
  role: string,
): string {
  const salt = createHash("sha256").update(`sftpx qft ${role} ${helper}`)
    .digest();
  const name = scryptSync(codeOfPhrase(phrase), salt, 12, SCRYPT);
  return fileIn(resumeDir, `pair-${name.toString("hex")}`);
}
