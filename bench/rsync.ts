/**
 * rsync's daemon on loopback, to compare with.
 *
 * @module
 */
import { startWatched, type Watched } from "./process.ts";
import { run } from "./transfer.ts";

/** A daemon that takes whatever comes. */
export interface Daemon {
  /** `rsync -a` to `target`, a name of one segment; returns how long it took, seconds. */
  send(source: string, target: string): Promise<number>;
  stop(): Promise<void>;
}

/** Starts a daemon; `undefined` where there is no rsync. */
export async function startDaemon(folder: string): Promise<Daemon | undefined> {
  try {
    await run(["rsync", "--version"]);
  } catch {
    return undefined;
  }
  const port = freePort();
  await Deno.mkdir(folder, { recursive: true });
  const config = `${folder}/rsyncd.conf`;
  const owner = Deno.uid() === 0 ? "uid = root\ngid = root\n" : "";
  await Deno.writeTextFile(
    config,
    `${owner}use chroot = no\n[in]\npath = ${folder}\nread only = false\n`,
  );
  const daemon = startWatched({
    command: [
      ...["rsync", "--daemon", "--no-detach", "--address=127.0.0.1"],
      ...[`--port=${port}`, `--config=${config}`],
      `--log-file=${folder}/log`,
    ],
    limitMs: 3_600_000,
  });
  await untilUp(port, daemon);
  const url = `rsync://127.0.0.1:${port}/in`;
  return {
    send: (source, target) => run(["rsync", "-a", source, `${url}/${target}/`]),
    async stop() {
      daemon.kill();
      await daemon.ended;
    },
  };
}

async function untilUp(port: number, daemon: Watched): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`rsync's daemon does not listen: ${daemon.lastWords()}`);
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
