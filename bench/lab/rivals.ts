/**
 * What else moves a file over a link: scp, rsync over ssh and rsync's daemon,
 * as they come, over TCP by CUBIC.
 *
 * @module
 */
import { startWatched, type Watched } from "../process.ts";
import { run } from "../transfer.ts";
import type { Machines } from "../transfer.ts";
import { PAYLOAD } from "./lab.ts";

/** Which machines take part, and what may be known of the link between them. */
export interface Where extends Machines {
  /** What went over the link so far, of TCP. @default {unknown} */
  readonly seen?: () => Promise<
    { readonly tcp: { readonly passedBytes: number } }
  >;
}

/** How a program did. */
export interface Timed {
  readonly seconds: number;
  /** Megabits of content a second, from its start. */
  readonly mbit: number;
  /** False when it was stopped before it was done. */
  readonly isWhole: boolean;
}

/** A program that sends one file. */
export interface Rival {
  readonly name: string;
  /** Sends it, for `limitS` at most; a program that is stopped is judged by what it had sent. */
  send(file: string, bytes: number, limitS: number): Promise<Timed>;
}

/** What answers for the rivals at the receiver. */
export interface Rivals extends AsyncDisposable {
  readonly all: readonly Rival[];
  /** Names of those that are not installed. */
  readonly absent: readonly string[];
}

const SSH_PORT = 2222;
const RSYNC_PORT = 8730;
const SSHD = "/usr/sbin/sshd";
const LIFE_MS = 600_000;

/** Starts what answers for them, and says which there are. `folder` is empty, and theirs. */
export async function openRivals(lab: Where, folder: string): Promise<Rivals> {
  const servers: Watched[] = [];
  const all: Rival[] = [];
  const absent: string[] = [];
  const into = `${folder}/out`;
  await Deno.mkdir(into, { recursive: true });
  const rival = (name: string, command: (file: string) => string[]): void => {
    all.push({
      name,
      send: (file, bytes, limitS) =>
        timed(lab, command(file), { bytes, limitS, into }),
    });
  };
  const hasRsync = await isThere(["rsync", "--version"]);
  const hasSsh = await isThere(["ssh", "-V"]) &&
    await isThere(["test", "-x", SSHD]);
  if (hasSsh) {
    servers.push(await startSshd(lab, folder));
    const config = `${folder}/ssh_config`;
    rival("scp", (file) => ["scp", "-q", "-F", config, file, `lab:${into}/`]);
    if (hasRsync) {
      rival("rsync over ssh", (file) => [
        ...["rsync", "-a", "-e", `ssh -F ${config}`, file, `lab:${into}/`],
      ]);
    }
  } else absent.push("scp", "rsync over ssh");
  if (hasRsync) {
    servers.push(await startRsync(lab, folder, into));
    const url = `rsync://${lab.host}:${RSYNC_PORT}/out/`;
    rival("rsync's daemon", (file) => ["rsync", "-a", file, url]);
  } else absent.push("rsync's daemon");
  return {
    all,
    absent,
    async [Symbol.asyncDispose]() {
      for (const server of servers) {
        server.kill();
        await server.ended;
      }
    },
  };
}

async function timed(
  lab: Where,
  command: readonly string[],
  { bytes, limitS, into }: {
    readonly bytes: number;
    readonly limitS: number;
    readonly into: string;
  },
): Promise<Timed> {
  const before = (await lab.seen?.())?.tcp.passedBytes ?? 0;
  const began = performance.now();
  const limit = ["timeout", `${limitS}`]; // ends what it has started, too
  const child = startWatched({
    command: [...lab.sender, ...limit, ...command],
    limitMs: (limitS + 5) * 1000,
  });
  const { code } = await child.ended;
  const seconds = (performance.now() - began) / 1000;
  const carried = (((await lab.seen?.())?.tcp.passedBytes ?? 0) - before) *
    PAYLOAD;
  for await (const { name } of Deno.readDir(into)) {
    await Deno.remove(`${into}/${name}`);
  }
  if (code !== 0 && code !== 124) {
    throw new Error(`${command[0]} ended with ${code}: ${child.lastWords()}`);
  }
  const isWhole = code === 0;
  const mbit = (isWhole ? bytes : Math.min(bytes, carried)) * 8e-6 / seconds;
  return { seconds, mbit, isWhole };
}

async function startSshd(lab: Where, folder: string): Promise<Watched> {
  for (const name of ["host", "user"]) {
    await run(
      [
        "ssh-keygen",
        "-q",
        "-t",
        "ed25519",
        "-N",
        "",
        "-f",
        `${folder}/${name}`,
      ],
    );
  }
  await Deno.mkdir("/run/sshd", { recursive: true });
  await Deno.writeTextFile(
    `${folder}/sshd_config`,
    [
      `ListenAddress ${lab.host}:${SSH_PORT}`,
      `HostKey ${folder}/host`,
      `AuthorizedKeysFile ${folder}/user.pub`,
      "StrictModes no",
      "UsePAM no",
      "PermitRootLogin yes",
      "PidFile none",
      "Subsystem sftp internal-sftp",
    ].join("\n"),
  );
  await Deno.writeTextFile(
    `${folder}/ssh_config`,
    [
      "Host lab",
      `HostName ${lab.host}`,
      `Port ${SSH_PORT}`,
      "User root",
      `IdentityFile ${folder}/user`,
      "IdentitiesOnly yes",
      "StrictHostKeyChecking no",
      "UserKnownHostsFile /dev/null",
      "LogLevel ERROR",
    ].join("\n"),
  );
  const config = `${folder}/sshd_config`;
  return await started(lab, [SSHD, "-D", "-e", "-f", config], SSH_PORT);
}

async function startRsync(
  lab: Where,
  folder: string,
  into: string,
): Promise<Watched> {
  const config = `${folder}/rsyncd.conf`;
  await Deno.writeTextFile(
    config,
    [
      "use chroot = no",
      "uid = root",
      "gid = root",
      "[out]",
      `path = ${into}`,
      "read only = no",
    ].join("\n"),
  );
  return await started(lab, [
    ...["rsync", "--daemon", "--no-detach", `--port=${RSYNC_PORT}`],
    ...[`--config=${config}`, `--log-file=${folder}/rsync.log`],
  ], RSYNC_PORT);
}

/** Starts a server at the receiver; resolves when it listens. */
async function started(
  lab: Where,
  command: readonly string[],
  port: number,
): Promise<Watched> {
  const server = startWatched({
    command: [...lab.receiver, ...command],
    limitMs: LIFE_MS,
  });
  const [program = "", ...args] = [...lab.receiver, "cat", "/proc/net/tcp"];
  for (let attempt = 0; attempt < 100; attempt++) {
    const { stdout } = await new Deno.Command(program, { args }).output();
    const hex = port.toString(16).toUpperCase().padStart(4, "0");
    const listens = new RegExp(`:${hex} \\S+ 0A`); // 0A: it listens
    if (listens.test(new TextDecoder().decode(stdout))) return server;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  server.kill();
  await server.ended;
  throw new Error(`${command[0]} does not listen: ${server.lastWords()}`);
}

async function isThere(command: readonly string[]): Promise<boolean> {
  try {
    await run(command);
    return true;
  } catch {
    return false;
  }
}
