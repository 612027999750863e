/**
 * One cell of the matrix: two hosts, two routers, a file that goes from one to
 * the other by a code, and what came of it.
 *
 * @module
 */
import { type CliEvent, startCli } from "../testutil/process.ts";
import { tempDir } from "../testutil/temp.ts";
import type { Lab, LabOptions, NatType, Side } from "./lab.ts";

/** What is tried. */
export interface Cell {
  readonly group: string;
  /** The sender's router and the receiver's. */
  readonly a: NatType;
  readonly b: NatType;
  readonly relay: boolean;
  readonly lab?: LabOptions;
  /** Whose network drops UDP. */
  readonly noUdp?: readonly Side[];
  /** Whose router forwards ports by PCP. */
  readonly pcp?: Side;
  /** Without a helper, by multicast. */
  readonly local?: boolean;
  /** What must come of it. */
  readonly expect: "direct" | "relayed" | "none";
}

/** What came of it. */
export interface Outcome {
  /** How they were connected; `undefined` when they were not. */
  readonly path: string | undefined;
  /** Exit codes of sender and receiver; `undefined` for one that had to be killed. */
  readonly codes: readonly [number | undefined, number | undefined];
  /** What they said when they failed. */
  readonly why: readonly [string, string];
  /** From the code to the connection, s. */
  readonly seconds: number | undefined;
  /** Whether the file is the same on the other side. */
  readonly isSame: boolean;
}

/** Neither side may take longer; one that does is frozen. */
const CELL_MS = 150_000;
const SIZE = 300_000;

/** Sends a file from host a to host b; `by` is how they meet. */
export async function runCell(
  lab: Lab,
  by: readonly string[],
): Promise<Outcome> {
  await using dir = await tempDir();
  for (const side of ["a", "b"]) await Deno.mkdir(dir.join(side));
  const bytes = crypto.getRandomValues(new Uint8Array(65_536));
  const file = await Deno.open(dir.join("a/file"), {
    create: true,
    write: true,
  });
  for (let at = 0; at < SIZE; at += bytes.length) await file.write(bytes);
  file.close();

  await using sender = startCli(
    ["send", "file", "--code", "--json", ...by],
    { cwd: dir.join("a"), prefix: lab.at("a"), deadlineMs: CELL_MS },
  );
  const { code } = await sender.waitEvent("code", { timeoutMs: 60_000 });
  const start = performance.now();
  await using receiver = startCli(
    ["recv", String(code), "--json", ...by],
    { cwd: dir.join("b"), prefix: lab.at("b"), deadlineMs: CELL_MS },
  );
  let seconds: number | undefined;
  const listen = async (): Promise<CliEvent | undefined> => {
    for await (const event of sender.events()) {
      if (event.type !== "connected") continue;
      seconds = (performance.now() - start) / 1000;
      return event;
    }
    return undefined;
  };
  const connecting = listen();
  const codes = await Promise.all(
    [sender, receiver].map(({ status }) =>
      status.then(({ code }) => code, () => undefined)
    ),
  );
  const connected = await connecting;
  const why = (cli: typeof sender): string => {
    const line = cli.stdout.split("\n").find((line) =>
      line.includes('"type":"error"')
    );
    return line === undefined ? "" : String(JSON.parse(line).message);
  };
  return {
    path: connected === undefined
      ? undefined
      : `${connected.path}${connected.carrier === "tcp" ? " (TCP)" : ""}`,
    codes: [codes[0], codes[1]],
    why: [why(sender), why(receiver)],
    seconds,
    isSame: await same(dir.join("a/file"), dir.join("b/uploads/file")),
  };
}

async function same(one: string, two: string): Promise<boolean> {
  try {
    const [a, b] = await Promise.all([Deno.readFile(one), Deno.readFile(two)]);
    return a.length > 0 && a.length === b.length &&
      a.every((byte, at) => byte === b[at]);
  } catch {
    return false;
  }
}
