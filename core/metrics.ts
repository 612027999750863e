/**
 * Metrics: counters and gauges in a registry that is passed down.
 *
 * Names are `sftpx_<noun>_<unit>_total` for counters, `sftpx_<noun>` or
 * `sftpx_<noun>_<unit>` for gauges. Labels must come from a small closed set,
 * never from a peer: each set of labels is a series that stays for ever.
 *
 * @module
 */
import { printable } from "./escape.ts";

/** A number that only grows. */
export interface Counter {
  /** What has been counted. */
  readonly value: number;
  /**
   * Counts `amount`, or one.
   *
   * @throws {RangeError} when `amount` is negative.
   */
  add(amount?: number): void;
}

/** A number that comes and goes. */
export interface Gauge {
  /** What it is now. */
  readonly value: number;
  /** Makes it `value`. */
  set(value: number): void;
  /** Changes it by `amount`, up or down. */
  add(amount: number): void;
}

/** Names of things counted apart, such as `{ side: "send" }`. */
export type Labels = Readonly<Record<string, string>>;

/** Where counters and gauges are kept. Asking again gives the same one. */
export interface Metrics {
  /** The counter of this name and these labels. */
  counter(name: string, help: string, labels?: Labels): Counter;
  /** The gauge of this name and these labels. */
  gauge(name: string, help: string, labels?: Labels): Gauge;
  /** All values, by `name` or `name{label="value"}`. */
  snapshot(): Record<string, number>;
  /** All values as Prometheus reads them, text format 0.0.4. */
  exposition(): string;
}

/** Creates an empty registry. */
export function createMetrics(): Metrics {
  const families = new Map<string, Family>();

  const series = (
    kind: Kind,
    name: string,
    help: string,
    labels: Labels,
  ): Series => {
    checkName(kind, name);
    const key = formatLabels(labels);
    let family = families.get(name);
    if (family === undefined) {
      families.set(name, family = { kind, help, series: new Map() });
    }
    if (family.kind !== kind) {
      throw new RangeError(
        `Cannot register ${kind} "${name}": it is a ${family.kind}`,
      );
    }
    let found = family.series.get(key);
    if (found === undefined) {
      family.series.set(key, found = createSeries(kind, name));
    }
    return found;
  };

  return {
    counter: (name, help, labels = {}) => series("counter", name, help, labels),
    gauge: (name, help, labels = {}) => series("gauge", name, help, labels),
    snapshot() {
      const all: Record<string, number> = {};
      for (const [name, family] of families) {
        for (const [key, { value }] of family.series) all[name + key] = value;
      }
      return all;
    },
    exposition() {
      let text = "";
      for (const [name, { kind, help, series }] of families) {
        text += `# HELP ${name} ${escapeText(help)}\n# TYPE ${name} ${kind}\n`;
        for (const [key, { value }] of series) {
          text += `${name}${key} ${formatValue(value)}\n`;
        }
      }
      return text;
    },
  };
}

type Kind = "counter" | "gauge";
type Series = Counter & Gauge;

interface Family {
  readonly kind: Kind;
  readonly help: string;
  readonly series: Map<string, Series>;
}

function createSeries(kind: Kind, name: string): Series {
  let value = 0;
  return {
    get value() {
      return value;
    },
    set(to) {
      value = to;
    },
    add(amount = 1) {
      if (kind === "counter" && !(amount >= 0)) {
        throw new RangeError(
          `Cannot add to counter "${name}" as the amount must be >= 0: current value is ${amount}`,
        );
      }
      value += amount;
    },
  };
}

function checkName(kind: Kind, name: string): void {
  const total = name.endsWith("_total");
  if (
    !/^sftpx(_[a-z][a-z0-9]*)+$/.test(name) || total !== (kind === "counter")
  ) {
    throw new RangeError(
      `Cannot register ${kind} as its name is not one: current value is "${name}"`,
    );
  }
}

function formatLabels(labels: Labels): string {
  const parts = Object.keys(labels).sort().map((name) => {
    if (!/^[a-z][a-z0-9_]*$/.test(name)) {
      throw new RangeError(
        `Cannot register metric as a label's name is not one: current value is "${name}"`,
      );
    }
    const value = escapeText(labels[name] ?? "").replaceAll('"', '\\"');
    return `${name}="${value}"`;
  });
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}

/** What cannot be shown becomes text first, whose backslashes are then doubled. */
function escapeText(text: string): string {
  return printable(text).replaceAll("\\", "\\\\");
}

function formatValue(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  return String(value);
}
