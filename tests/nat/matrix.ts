/**
 * The NAT matrix: every pair of routers, with and without a relay, and the
 * corners. It needs Linux, root, `ip`, `nft` and `conntrack`; elsewhere it says
 * so and ends.
 *
 *     deno task nat             all of it, some 20 minutes
 *     deno task nat symmetric   cells whose name has that in it
 *
 * A cell that does not end as it should makes it end with 1.
 *
 * @module
 */
import { say } from "../../_tools/say.ts";
import { startCli } from "../testutil/process.ts";
import { tempDir } from "../testutil/temp.ts";
import { type Cell, runCell } from "./cell.ts";
import {
  type Lab,
  makeLab,
  missing,
  NAT_TYPES,
  type NatType,
  PUBLIC,
} from "./lab.ts";
import { cellWords, isAsItShould, report, type Result } from "./report.ts";

const why = await missing();
if (why === undefined) {
  Deno.exitCode = await main(Deno.args);
} else {
  say(`no NAT matrix here: ${why}`);
}

async function main(wanted: readonly string[]): Promise<number> {
  const cells = allCells().filter((cell) =>
    wanted.every((word) => nameOf(cell).includes(word))
  );
  const results: Result[] = [];
  for (const group of groupsOf(cells)) {
    const [first] = group;
    if (first === undefined) continue;
    await using lab = await makeLab(first.lab);
    await using helper = await startHelper(lab, first);
    for (const cell of group) {
      await prepare(lab, cell);
      await using _pcp = cell.pcp && await lab.pcp(cell.pcp);
      const outcome = await runCell(
        lab,
        cell.local ? ["--local"] : ["--helper", helper.address],
      );
      const result = { cell, name: nameOf(cell), outcome };
      results.push(result);
      const mark = isAsItShould(result) ? "ok " : "BAD";
      say(`${mark} ${result.name}: ${cellWords(result)}`);
      if (mark === "BAD") say(`    ${outcome.why.join("\n    ")}`);
    }
  }
  say(`\n${report(results)}`);
  const bad = results.filter((result) => !isAsItShould(result)).length;
  say(`${results.length} cells, ${bad} not as they should be`);
  return bad === 0 ? 0 : 1;
}

function nameOf({ group, a, b, relay, noUdp = [], pcp, local }: Cell): string {
  const mapped = pcp === undefined ? "" : `, PCP at ${pcp}`;
  const blocked = noUdp.length === 0
    ? ""
    : `, no UDP at ${noUdp.join(" and ")}`;
  if (local) return `${group}: without a helper`;
  return `${group}: ${a} to ${b}${blocked}${mapped}, relay ${
    relay ? "on" : "off"
  }`;
}

function allCells(): Cell[] {
  const cells: Cell[] = [];
  for (const relay of [false, true]) {
    const otherwise = relay ? "relayed" : "none";
    for (const a of NAT_TYPES) {
      for (const b of NAT_TYPES) {
        const expect = canMeet(a, b) ? "direct" : otherwise;
        cells.push({ group: "IPv4", a, b, relay, expect });
      }
    }
    const six = { lab: { six: true }, group: "IPv6", relay } as const;
    for (const a of ["none", "port-restricted"] as const) {
      for (const b of ["none", "port-restricted"] as const) {
        cells.push({ ...six, a, b, expect: "direct" });
      }
    }
    const one = { lab: { together: true }, group: "one network" } as const;
    for (const a of NAT_TYPES) {
      cells.push({ ...one, a, b: a, relay, expect: "direct" });
    }
    if (!relay) {
      const type = "port-restricted";
      cells.push({
        ...one,
        a: type,
        b: type,
        relay,
        local: true,
        expect: "direct",
      });
    }
    const pr = "port-restricted" as const;
    const sym = "symmetric" as const;
    for (const pcp of ["a", "b"] as const) {
      const expect = "direct";
      cells.push(
        { group: "port mapping", a: sym, b: sym, relay, pcp, expect },
        { group: "port mapping", a: pr, b: sym, relay, pcp, expect },
      );
    }
    const no = { group: "UDP blocked", relay } as const;
    cells.push(
      { ...no, a: pr, b: pr, noUdp: ["a"], expect: otherwise },
      { ...no, a: pr, b: pr, noUdp: ["b"], expect: otherwise },
      { ...no, a: pr, b: pr, noUdp: ["a", "b"], expect: otherwise },
      { ...no, a: pr, b: "none", noUdp: ["a"], expect: "direct" },
      { ...no, a: "none", b: pr, noUdp: ["b"], expect: "direct" },
    );
  }
  return cells;
}

/** Who moves from port to port is not met by who is strict about ports. */
function canMeet(a: NatType, b: NatType): boolean {
  const isStrict = (type: NatType): boolean =>
    type === "symmetric" || type === "port-restricted";
  return !(a === "symmetric" && isStrict(b) ||
    b === "symmetric" && isStrict(a));
}

/** Cells that share a network and a helper, in order. */
function groupsOf(cells: readonly Cell[]): Cell[][] {
  const groups = new Map<string, Cell[]>();
  for (const cell of cells) {
    const key = JSON.stringify([cell.lab, cell.relay]);
    groups.set(key, [...groups.get(key) ?? [], cell]);
  }
  return [...groups.values()];
}

async function prepare(lab: Lab, { a, b, noUdp = [] }: Cell): Promise<void> {
  await lab.nat("a", a);
  await lab.nat("b", b);
  for (const side of noUdp) await lab.blockUdp(side, true);
}

interface RunningHelper extends AsyncDisposable {
  readonly address: string;
}

async function startHelper(lab: Lab, cell: Cell): Promise<RunningHelper> {
  const dir = await tempDir();
  const six = cell.lab?.six ?? false;
  const bind = six ? "[::]:4277" : "0.0.0.0:4277";
  const cli = startCli([
    ...["helper", "--json", "--bind", bind],
    ...(cell.relay ? ["--relay"] : []),
  ], { cwd: dir.path, prefix: lab.at("pub"), deadlineMs: 3_600_000 });
  const { fingerprint } = await cli.waitEvent("helper", { timeoutMs: 60_000 });
  const at = six ? `[${PUBLIC[6]}]` : PUBLIC[4];
  return {
    address: `${at}:4277/${fingerprint}`,
    async [Symbol.asyncDispose]() {
      await cli[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}
