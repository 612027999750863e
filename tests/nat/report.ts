/**
 * What the matrix showed, as Markdown.
 *
 * @module
 */
import type { Cell, Outcome } from "./cell.ts";

/** A cell, and what came of it. */
export interface Result {
  readonly cell: Cell;
  readonly name: string;
  readonly outcome: Outcome;
}

/** Tells whether a cell ended as it should. */
export function isAsItShould({ cell, outcome }: Result): boolean {
  const { path, codes, why, isSame } = outcome;
  if (cell.expect === "none") {
    return path === undefined && codes.every((code) => code === 4) &&
      why.every((words) => words !== "");
  }
  const isRelayed = path?.startsWith("relayed") ?? false;
  return path !== undefined && isSame && codes.every((code) => code === 0) &&
    isRelayed === (cell.expect === "relayed");
}

/** What came of a cell, in a word or two. */
export function cellWords({ outcome }: Result): string {
  const { path, codes, seconds } = outcome;
  return path === undefined || seconds === undefined
    ? `exit ${codes.map((code) => code ?? "none").join(" and ")}`
    : `${path} ${seconds.toFixed(1)} s${
      codes.every((code) => code === 0) ? "" : `, exit ${codes.join(" and ")}`
    }`;
}

/** All of it. */
export function report(results: readonly Result[]): string {
  const parts: string[] = [];
  for (const relay of [false, true]) {
    const of = (group: string): Result[] =>
      results.filter(({ cell }) =>
        cell.relay === relay && cell.group === group
      );
    for (const group of ["IPv4", "IPv6"]) {
      const found = of(group);
      if (found.length > 0) {
        parts.push(
          `${group}, relay ${relay ? "on" : "off"}:\n\n${grid(found)}`,
        );
      }
    }
    const rest = ["one network", "port mapping", "UDP blocked"].flatMap(of);
    if (rest.length > 0) parts.push(list(rest));
  }
  return parts.join("\n\n");
}

function grid(results: readonly Result[]): string {
  const columns = [...new Set(results.map(({ cell }) => cell.b))];
  const rows = [...new Set(results.map(({ cell }) => cell.a))];
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    line(["sender \\ receiver", ...columns]),
    line(["---", ...columns.map(() => "---")]),
    ...rows.map((a) =>
      line([
        a,
        ...columns.map((b) => {
          const found = results.find(({ cell }) =>
            cell.a === a && cell.b === b
          );
          return found === undefined ? "" : cellWords(found);
        }),
      ])
    ),
  ].join("\n");
}

function list(results: readonly Result[]): string {
  return [
    "| case | outcome |",
    "| --- | --- |",
    ...results.map((result) => `| ${result.name} | ${cellWords(result)} |`),
  ].join("\n");
}
