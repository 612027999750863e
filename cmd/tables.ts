/**
 * Every setting of every command.
 *
 * @module
 */
import {
  choice,
  integer,
  string,
  type ValueParser,
} from "@optique/core/valueparser";
import { path } from "@optique/run/valueparser";
import { ROUTER } from "./router_tables.ts";
import { many, one, type Table, toggle, valueOfKind } from "./settings.ts";
import { parseDuration, parseSize, parseThreads } from "./units.ts";

const DIR = path({ metavar: "DIR", type: "directory" });
const FILE = path({ metavar: "FILE", type: "file" });
const SIZE = valueOfKind("SIZE", 0, parseSize);
const RATE = valueOfKind("RATE", 1, (text) => {
  const rate = parseSize(text);
  if (rate === 0) {
    throw new RangeError(`"${text}" is no rate: nothing would ever be sent`);
  }
  return rate;
});
const DURATION = valueOfKind("TIME", 0, parseDuration);
const CHUNK_SIZE = valueOfKind("SIZE", 1 << 20, (text) => {
  const size = parseSize(text);
  if (size < 1 << 16 || size > 1 << 24 || !Number.isInteger(Math.log2(size))) {
    throw new RangeError(`"${text}" is no power of two from 64K to 16M`);
  }
  return size;
});

function count(min: number, max?: number): ValueParser<"sync", number> {
  return integer({ metavar: "N", min, ...(max === undefined ? {} : { max }) });
}

/** What every command can be told. */
export const COMMON = {
  json: toggle("json", "Events as NDJSON on standard output"),
  quiet: toggle("quiet", "Errors only", "-q"),
  verbose: toggle("verbose", "A line for every file too", "-v"),
  logFormat: one(
    "log-format",
    choice(["text", "json"], { metavar: "FORMAT" }),
    "How standard error is written (default text)",
  ),
};

const CERTS = {
  certs: one(
    "certs",
    DIR,
    "Where certificate, key and token are (default certs)",
  ),
};

const STATE = {
  resumeDir: one(
    "resume-dir",
    DIR,
    "Where the state of transfers is (default sftpx_resume)",
  ),
};

const THREADS = {
  threads: one(
    "threads",
    valueOfKind<number | "auto">("N", "auto", parseThreads),
    "Threads for further connections: auto (none on fewer than 4 cores), or 0 to 15 (default auto)",
  ),
};

const CARRIER = {
  carrier: one(
    "carrier",
    choice(["auto", "quic", "tcp"], { metavar: "NAME" }),
    "What to use: auto, quic (UDP) or tcp (default auto)",
  ),
};

const TOKEN = {
  tokenFile: one(
    "token-file",
    FILE,
    "The access token; SFTPX_TOKEN holds one as well",
  ),
};

/** What `init` can be told. */
export const INIT = {
  ip: many(
    "ip",
    string({ metavar: "IP" }),
    "An address that the certificate names (default 127.0.0.1)",
  ),
  dns: many(
    "dns",
    string({ metavar: "NAME" }),
    "A host name that the certificate names",
  ),
  days: one("days", count(1, 36_500), "How long it is valid (default 3650)"),
  force: toggle("force", "Replaces what is there"),
  ...CERTS,
};

const HELPER_AT = {
  helper: one(
    "helper",
    string({ metavar: "HOST" }),
    "Who introduces: host, host:port or host:port/FINGERPRINT",
  ),
};

/** How peers that were introduced may reach each other. */
const PATHS = {
  ...HELPER_AT,
  stun: one(
    "stun",
    string({ metavar: "HOST" }),
    "Meets without a helper: a STUN server says where we are, and you carry what each side prints to the other",
  ),
  local: toggle("local", "Looks on the local network only, without a helper"),
  directOnly: toggle("direct-only", "Takes no path by way of a relay"),
  relayOnly: toggle("relay-only", "Takes no path but by way of a relay"),
  lanOnly: toggle("lan-only", "Takes no path out of the local network"),
};

/** What `helper` can be told. */
export const HELPER = {
  bind: one(
    "bind",
    string({ metavar: "ADDRESS" }),
    "Where to listen (default 0.0.0.0:4277)",
  ),
  metrics: one(
    "metrics",
    string({ metavar: "ADDRESS" }),
    "Where Prometheus finds metrics, over HTTP (none by default)",
  ),
  relay: toggle("relay", "Passes on what peers that find no path say"),
  expire: one("expire", DURATION, "How long a code is waited for (default 1h)"),
  maxPeers: one("max-peers", count(1), "Peers that wait (default 10000)"),
  ...CERTS,
};

/** What `recv` can be told. */
export const RECV = {
  code: one(
    "code",
    string({ metavar: "CODE" }),
    "What the sender said; without it, it is asked for",
  ),
  ...PATHS,
  bind: one(
    "bind",
    string({ metavar: "ADDRESS" }),
    "Where to listen (default 0.0.0.0:4443)",
  ),
  ...CARRIER,
  uploadDir: one("upload-dir", DIR, "Where files go (default uploads)"),
  once: toggle("once", "Ends after one complete transfer"),
  open: toggle("open", "Takes files from anyone, without a token"),
  onConflict: one(
    "on-conflict",
    choice(["rename", "skip", "overwrite", "fail"], { metavar: "POLICY" }),
    "When a name is taken: rename, skip, overwrite or fail (default rename)",
  ),
  links: one(
    "links",
    choice(["inside", "all", "none"], { metavar: "POLICY" }),
    "Links to make: inside (those that stay inside), all or none (default inside)",
  ),
  allowHidden: toggle("allow-hidden", "Takes names that begin with a dot"),
  maxSize: one("max-size", SIZE, "Bytes of one transfer at most"),
  maxFiles: one("max-files", count(1), "Entries of one transfer at most"),
  maxSessions: one("max-sessions", count(1), "Transfers at once (default 128)"),
  ...THREADS,
  keepFree: one("keep-free", SIZE, "Disk space to leave free (default 64M)"),
  ...CERTS,
  ...TOKEN,
  ...STATE,
};

/** What `send` can be told. */
export const SEND = {
  code: one(
    "code",
    string({ metavar: "PHRASE" }),
    "Offers it to whoever has the code; without PHRASE one is made",
  ),
  words: one("words", count(2, 8), "Words of a code that is made (default 2)"),
  ...PATHS,
  to: one(
    "to",
    string({ metavar: "SERVER" }),
    "The receiver: host, host:port or a ticket (default 127.0.0.1:4443)",
  ),
  cert: one("cert", FILE, "The receiver's certificate"),
  ...TOKEN,
  follow: toggle("follow", "Sends what symbolic links point to"),
  exclude: many(
    "exclude",
    string({ metavar: "GLOB" }),
    "Leaves out what matches, as .gitignore has it",
  ),
  ignoreFile: one(
    "ignore-file",
    string({ metavar: "NAME" }),
    "Files of this name in the folders hold more such patterns",
  ),
  name: one(
    "name",
    string({ metavar: "NAME" }),
    "What standard input is called",
  ),
  limitRate: one("limit-rate", RATE, "Bytes a second at most (10M)"),
  streams: one("streams", count(1, 64), "Data streams (default 8)"),
  connections: one(
    "connections",
    count(1, 16),
    "Connections at most; as many as the path needs are used (default 4)",
  ),
  ...THREADS,
  cc: one(
    "cc",
    choice(["auto", "cubic", "bbr"], { metavar: "NAME" }),
    "How to meet loss: auto, cubic or bbr (default auto)",
  ),
  ...CARRIER,
  chunkSize: one(
    "chunk-size",
    CHUNK_SIZE,
    "What is hashed and resent at once, 64K to 16M (default 1M)",
  ),
  giveUpAfter: one(
    "give-up-after",
    DURATION,
    "Time without progress (default 10m)",
  ),
  fresh: toggle("fresh", "Forgets what an interrupted run has left"),
  checksum: toggle("checksum", "Compares files that look unchanged by content"),
  b3sum: toggle("b3sum", "Checks each file's own BLAKE3 as well"),
  ...CERTS,
  ...STATE,
};

/** What `doctor` can be told. */
export const DOCTOR = {
  helper: one(
    "helper",
    string({ metavar: "HOST" }),
    "A helper to ask where we are: host or host:port",
  ),
  stun: many(
    "stun",
    string({ metavar: "HOST" }),
    "A STUN server to ask as well (port 3478)",
  ),
  uploadDir: RECV.uploadDir,
};

/** What `sender` and `receiver` can be told, besides what stands in its place. */
export const QFT = {
  directOnly: PATHS.directOnly,
  relayOnly: PATHS.relayOnly,
  lanOnly: PATHS.lanOnly,
  ...STATE,
};

/** Every setting that there is, for the configuration file. */
export const ALL: Table = {
  ...COMMON,
  ...INIT,
  ...RECV,
  ...SEND,
  ...DOCTOR,
  ...HELPER,
  ...ROUTER,
  ...QFT,
};
