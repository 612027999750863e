/**
 * Candidates as bytes, and what is taken of a peer's.
 *
 * | field   | bytes   | meaning                                        |
 * | ------- | ------- | ---------------------------------------------- |
 * | kind    | 1       | lan, host, mapped, reflexive, relay: 0 to 4    |
 * | carrier | 1       | 0 QUIC, 1 TCP                                  |
 * | length  | 1       | 4 or 16                                        |
 * | address | length  | IPv4 or IPv6                                   |
 * | port    | 2       | not 0                                          |
 *
 * @module
 */
import type { Reader, Writer } from "../protocol/cursor.ts";
import type { Carrier } from "../transport/transport.ts";
import { ipBytes, ipText, scopeOf } from "./ip.ts";
import {
  type Candidate,
  CANDIDATE_KINDS,
  type CandidateKind,
  type CandidateSource,
  type Path,
  type PathPolicy,
} from "./types.ts";

const CARRIERS: readonly Carrier[] = ["quic", "tcp"];

/** Writes one. */
export function writeCandidate(to: Writer, candidate: Candidate): Writer {
  const address = ipBytes(candidate.hostname);
  return to.u8(CANDIDATE_KINDS.indexOf(candidate.kind))
    .u8(CARRIERS.indexOf(candidate.carrier))
    .u8(address.length).bytes(address).u16(candidate.port);
}

/** Reads one. */
export function readCandidate(from: Reader): Candidate {
  const kind = CANDIDATE_KINDS[from.u8()] ?? from.fail("no such kind");
  const carrier = CARRIERS[from.u8()] ?? from.fail("no such carrier");
  const length = from.u8();
  if (length !== 4 && length !== 16) from.fail("no such address");
  const hostname = ipText(from.bytes(length));
  const port = from.u16();
  if (port === 0) from.fail("no such port");
  return { kind, carrier, hostname, port };
}

/** Tells whether an address is one that a peer may send us to: of one machine, somewhere. */
export function isUsable({ hostname }: Candidate): boolean {
  return scopeOf(hostname) !== "none";
}

/** Tells two candidates apart by where they lead. */
export function keyOf({ carrier, hostname, port }: Candidate): string {
  return `${carrier} ${hostname} ${port}`;
}

/** What a user is told of a path that leads to such an address. */
export function pathOf(kind: CandidateKind): Path {
  switch (kind) {
    case "lan":
      return "lan";
    case "host":
    case "mapped":
      return "direct";
    case "reflexive":
      return "punched";
    case "relay":
      return "relayed";
  }
}

/** Tells whether a policy lets a path be used. */
export function isAllowed(policy: PathPolicy, path: Path): boolean {
  switch (policy) {
    case "any":
      return true;
    case "direct-only":
      return path !== "relayed";
    case "relay-only":
      return path === "relayed";
    case "lan-only":
      return path === "lan";
  }
}

/** The kind of an address that nobody told us of, by what it looks like. */
export function kindOfAddress(hostname: string): CandidateKind {
  const scope = scopeOf(hostname);
  return scope === "public" || scope === "shared" ? "reflexive" : "lan";
}

/** Finds the addresses of this machine's interfaces. */
export function interfaceSource(
  addresses: () => readonly string[],
): CandidateSource {
  return {
    name: "interfaces",
    async *gather({ endpoints, tcpPort }) {
      const all = [...new Set(addresses())].filter((address) =>
        !address.includes("%")
      );
      const real = all.filter((address) =>
        !["none", "loopback", "link"].includes(scopeOf(address))
      );
      // A machine without a network still has itself.
      const usable = real.length > 0
        ? real
        : all.filter((address) => scopeOf(address) === "loopback");
      for (const hostname of usable) {
        const kind = scopeOf(hostname) === "public" ? "host" : "lan";
        const family = ipBytes(hostname).length === 4 ? 4 : 6;
        const endpoint = endpoints.find((each) => each.family === family);
        if (endpoint !== undefined) {
          yield { kind, carrier: "quic", hostname, port: endpoint.port };
        }
        if (tcpPort !== undefined && family === 4) {
          yield { kind, carrier: "tcp", hostname, port: tcpPort };
        }
      }
    },
  };
}
