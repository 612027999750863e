/**
 * `sftpx doctor`: looks at this machine and its network, and says what will work.
 *
 * @module
 */
import type { Facts } from "./doctor_facts.ts";
import { type Finding, findingsOf, type Verdict } from "./doctor_findings.ts";
import { type Prospect, prospectsOf } from "./doctor_prospects.ts";
import type { Values } from "./settings.ts";
import type { Surroundings } from "./main.ts";
import type { DOCTOR } from "./tables.ts";

/** Looks, and tells. */
export async function doctor(
  flags: Values<typeof DOCTOR>,
  { io, output, signal }: Surroundings,
): Promise<number> {
  const { machineFacts } = await import("./doctor_machine.ts");
  const { networkFacts } = await import("./doctor_network.ts");
  output.note("looking; this takes some seconds");
  const network = await networkFacts({
    addresses: io.addresses(),
    helper: flags.helper,
    stun: flags.stun ?? [],
    signal,
  });
  // Not at once: each would measure the other.
  const machine = await machineFacts(flags.uploadDir ?? ".");
  tell({ machine, network }, output);
  return 0;
}

/** Says what was found. */
export function tell(
  facts: Facts,
  output: Pick<Surroundings["output"], "data">,
): void {
  for (const finding of findingsOf(facts)) {
    const { what, verdict, value, advice } = finding;
    output.data(wordsOf(finding), {
      type: "finding",
      what,
      verdict,
      value,
      ...(advice !== undefined && { advice }),
    });
  }
  for (const prospect of prospectsOf(facts)) {
    output.data(prospectWords(prospect), { type: "prospect", ...prospect });
  }
}

const MARKS: Readonly<Record<Verdict, string>> = {
  good: "ok",
  fair: "so-so",
  bad: "bad",
  unknown: "?",
};

function wordsOf({ what, verdict, value, advice }: Finding): string {
  const line = `${MARKS[verdict].padEnd(6)}${what}: ${value}`;
  return advice === undefined ? line : `${line}\n      ${advice}`;
}

function prospectWords({ what, works, why }: Prospect): string {
  return `${works.padEnd(6)}${what}: ${why}`;
}
