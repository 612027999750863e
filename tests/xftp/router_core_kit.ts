/**
 * A router without a door: its core over a store in a folder, with a clock and
 * ids that a test can own.
 *
 * @module
 */
import { concatBytes } from "../../core/bytes.ts";
import type { Log } from "../../core/log.ts";
import { nullLog } from "../../core/log.ts";
import { type RandomBytes, systemRandomBytes } from "../../crypto/random.ts";
import {
  createAuthorize,
  verifyAuth,
  type VerifyTransmission,
} from "../../xftp/router/authorize.ts";
import { type Body, takeHead } from "../../xftp/router/body.ts";
import {
  type ChunkFiles,
  openChunkFiles,
} from "../../xftp/router/chunk_files.ts";
import { createRouter, type RouterCore } from "../../xftp/router/core.ts";
import type { RouterPolicy } from "../../xftp/router/execute.ts";
import {
  createIdentity,
  type LoadedIdentity,
  loadIdentity,
} from "../../xftp/router/identity.ts";
import { type LogFile, openLogFile } from "../../xftp/router/log_file.ts";
import { createRecords } from "../../xftp/router/records.ts";
import {
  createSession,
  type RouterSession,
} from "../../xftp/router/session.ts";
import { createStats, type Stats } from "../../xftp/router/stats.ts";
import { createStore, type Store } from "../../xftp/router/store.ts";
import { openRecords } from "../../xftp/router/store_open.ts";
import { FakeClock } from "../testutil/fake_clock.ts";
import { type TempDir, tempDir } from "../testutil/temp.ts";
import type { RawH2 } from "./raw_h2.ts";
import { greet, type KitClient, kitClient } from "./router_kit.ts";

/** What a core can be told. */
export interface CoreKitOptions {
  readonly quotaBytes?: number;
  readonly policy?: RouterPolicy;
  readonly random?: RandomBytes;
  readonly verify?: VerifyTransmission;
  readonly log?: Log;
  /** In place of the files on disk. */
  readonly files?: (files: ChunkFiles) => ChunkFiles;
  /** In place of the log on disk. */
  readonly logFile?: (log: LogFile) => LogFile;
}

/** A core, and what it stands on. */
export interface CoreKit extends AsyncDisposable {
  readonly dir: TempDir;
  readonly clock: FakeClock;
  readonly store: Store;
  readonly stats: Stats;
  readonly router: RouterCore;
  readonly identity: LoadedIdentity;
  /** A new session, and a connection in it that says what it is told. */
  session(options?: { sni?: boolean; legacy?: boolean }): CoreLine;
  /** A client that is through its handshake. */
  client(version?: number): Promise<KitClient & { readonly line: CoreLine }>;
}

/** A connection without a line. */
export interface CoreLine {
  readonly session: RouterSession;
  readonly h2: RawH2;
  /** Says a block with a body that the test owns. */
  say(head: Uint8Array, body: Body): Promise<Uint8Array<ArrayBuffer>>;
}

let shared: Promise<LoadedIdentity> | undefined;

/** An identity for all tests of a process: making one takes its time. */
export function sharedIdentity(): Promise<LoadedIdentity> {
  return shared ??= (async () => {
    await using dir = await tempDir();
    await createIdentity(dir.path, { hosts: [], now: new Date() });
    return await loadIdentity(dir.path, new Date());
  })();
}

/** Creates a core in a folder of its own. */
export async function coreKit(options: CoreKitOptions = {}): Promise<CoreKit> {
  const {
    quotaBytes,
    policy = {},
    random = systemRandomBytes,
    verify = verifyAuth,
    log = nullLog,
  } = options;
  const identity = await sharedIdentity();
  const dir = await tempDir();
  const clock = new FakeClock();
  const onDisk = await openChunkFiles(dir.join("files"), systemRandomBytes);
  const files = options.files?.(onDisk) ?? onDisk;
  const logPath = dir.join("store.log");
  const logFile = await openLogFile(logPath);
  const store = createStore({
    records: createRecords(),
    files,
    log: options.logFile?.(logFile) ?? logFile,
    ...(quotaBytes === undefined ? {} : { quotaBytes }),
  });
  const stats = createStats(clock.wallMs());
  const router = createRouter({
    identity,
    store,
    stats,
    authorize: createAuthorize(store.records, verify),
    policy,
    random,
    clock,
    log,
    verify,
  });
  const session: CoreKit["session"] = (more = {}) =>
    coreLine(router, createSession({ id: systemRandomBytes(32), ...more }));
  return {
    dir,
    clock,
    store,
    stats,
    router,
    identity,
    session,
    async client(version = 3) {
      const line = session();
      const greeted = await greet(line.h2, identity.keyHash, version);
      return { ...kitClient(line.h2, greeted), line };
    },
    async [Symbol.asyncDispose]() {
      await store.close();
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** The records that a router would read of the log of a kit that was closed. */
export async function reread(
  kit: Pick<CoreKit, "dir" | "clock">,
): Promise<Awaited<ReturnType<typeof openRecords>>> {
  return await openRecords({
    path: kit.dir.join("store.log"),
    pathOf: (id) => `/files/${id.toHex()}`,
    clock: kit.clock,
    log: nullLog,
  });
}

/** Lines of the log of a kit. */
export async function logLines(kit: Pick<CoreKit, "dir">): Promise<string[]> {
  const text = await Deno.readTextFile(kit.dir.join("store.log"));
  return text.split("\n").slice(0, -1);
}

function coreLine(router: RouterCore, session: RouterSession): CoreLine {
  const answer = async (
    head: Uint8Array,
    body: Body,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Uint8Array<ArrayBuffer>> => {
    const response = await router(session, {
      head,
      body,
      webHello: "xftp-web-hello" in headers,
      handshake: "xftp-handshake" in headers,
    });
    const rest = response.body === undefined
      ? new Uint8Array(0)
      : new Uint8Array(await new Response(response.body).arrayBuffer());
    return concatBytes(response.block, rest);
  };
  const ask: RawH2["ask"] = async (bytes, headers) => {
    const { head, body } = await takeHead(
      bytes.length === 0 ? null : new Blob([new Uint8Array(bytes)]).stream(),
    );
    return {
      status: 200,
      headers: new Uint8Array(0),
      body: await answer(head, body, headers),
    };
  };
  return {
    session,
    say: answer,
    h2: {
      alpn: "h2",
      certificate: new Uint8Array(0),
      begin: () => {
        throw new Error("there is no line");
      },
      ask,
      raw: () => {},
      closed: Promise.resolve(),
      close: () => {},
    },
  };
}

/** A body that gives what it is told to, when it is told to. */
export interface SlowBody extends Body {
  give(bytes: Uint8Array): void;
  end(): void;
  readonly cancelled: boolean;
}

/** Creates a body that a test owns. */
export function slowBody(): SlowBody {
  const pieces: (Uint8Array | undefined)[] = [];
  let waiting: ((piece: Uint8Array | undefined) => void) | undefined;
  let cancelled = false;
  const put = (piece: Uint8Array | undefined): void => {
    if (waiting === undefined) pieces.push(piece);
    else waiting(piece);
    waiting = undefined;
  };
  return {
    give: put,
    end: () => put(undefined),
    get cancelled() {
      return cancelled;
    },
    next: () =>
      pieces.length > 0
        ? Promise.resolve(pieces.shift())
        : new Promise((resolve) => waiting = resolve),
    cancel() {
      cancelled = true;
      return Promise.resolve();
    },
  };
}
