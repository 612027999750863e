/**
 * How far the transfers of this process are, in one line.
 *
 * @module
 */
import type { Limiter, TransferEvent } from "../core/events.ts";
import { formatDuration, formatSize } from "./units.ts";

/** Adds up what events say. */
export interface Progress {
  /** Takes in an event; answers what there is to say of a resumed transfer. */
  event(event: TransferEvent): string | undefined;
  /** Whether there is a line, which takes longer to make than to ask for. */
  readonly isKnown: boolean;
  /** The line; `undefined` when nothing is on its way. */
  line(): string | undefined;
}

/** Begins with nothing on its way. */
export function createProgress(): Progress {
  const transfers = new Map<string, Transfer>();
  return {
    event(event) {
      switch (event.type) {
        case "connected":
          transfers.set(event.session, {
            path: event.path,
            isResumed: event.resumed,
            last: transfers.get(event.session)?.last,
          });
          return undefined;
        case "progress": {
          const transfer = transfers.get(event.session) ??
            { path: "direct", isResumed: false };
          const first = transfer.isResumed && event.bytes > 0;
          transfers.set(event.session, {
            path: transfer.path,
            isResumed: transfer.isResumed && !first,
            last: event,
          });
          return first ? `resumed at ${share(event)}` : undefined;
        }
        case "done":
        case "failed":
          transfers.delete(event.session);
          return undefined;
        default:
          return undefined;
      }
    },
    get isKnown() {
      return transfers.values().some(({ last }) => last !== undefined);
    },
    line: () => lineOf([...transfers.values()]),
  };
}

type ProgressEvent = Extract<TransferEvent, { type: "progress" }>;

interface Transfer {
  readonly path: string;
  /** True until it has been said where it goes on. */
  readonly isResumed: boolean;
  readonly last?: ProgressEvent | undefined;
}

const LIMITERS: Readonly<Record<Limiter, string | undefined>> = {
  none: undefined,
  link: "limited by: link",
  loss: "limited by: loss",
  window: "limited by: window",
  "peer-disk": "limited by: receiver's disk",
  "peer-cpu": "limited by: receiver's CPU",
  disk: "limited by: disk",
  cpu: "limited by: CPU",
  rate: "limited by: the rate asked for",
};

function lineOf(transfers: readonly Transfer[]): string | undefined {
  const events = transfers.flatMap(({ last }) => last ?? []);
  const [first] = events;
  if (first === undefined) {
    return undefined;
  }
  const sum = (of: (event: ProgressEvent) => number): number =>
    events.reduce((total, event) => total + of(event), 0);
  const all = {
    bytes: sum(({ bytes }) => bytes),
    total: sum(({ total }) => total),
    counted: events.every(({ counted }) => counted),
  };
  const rate = sum((event) => event.rate);
  const parts = [
    ...all.counted ? [share(all)] : [],
    `${formatSize(all.bytes)} of ${formatSize(all.total)}${
      all.counted ? "" : "+"
    }`,
    `${formatSize(Math.round(rate))}/s`,
  ];
  if (all.counted && rate > 0) {
    parts.push(`${formatDuration((all.total - all.bytes) / rate * 1000)} left`);
  }
  const paths = new Set(transfers.map(({ path }) => path));
  parts.push([...paths].join(", "));
  if (events.length > 1) {
    parts.push(`${events.length} transfers`);
  }
  const limiter = events.length === 1 ? LIMITERS[first.limiter] : undefined;
  return [...parts, ...limiter === undefined ? [] : [limiter]].join("  ");
}

function share(
  { bytes, total, counted }: Pick<ProgressEvent, "bytes" | "total" | "counted">,
): string {
  if (!counted) {
    return formatSize(bytes);
  }
  const percent = total === 0 ? 100 : Math.floor(bytes / total * 100);
  return `${percent} %`;
}
