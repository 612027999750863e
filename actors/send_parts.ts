/**
 * What `send()` loads when it is wanted. The names are literals, so that a
 * bundler and a compiler see them.
 *
 * Deno reads and parses whatever a literal names before anything runs, wanted or
 * not. So a program that sends from its sources gives others to `sendFiles()`.
 *
 * @module
 */

/** Every such part. */
export const SEND_PARTS = Object.freeze({
  digestLittle: () => import("../crypto/digest_little.ts"),
  hashing: () => import("./hashing.ts"),
  ignore: () => import("../store/ignore.ts"),
  laneThreads: () => import("../workers/lane_threads.ts"),
  spool: () => import("./spool.ts"),
  ways: () => import("./send_ways.ts"),
  tlsDialer: () => import("../transport/tls_dialer.ts"),
});

/** How to come by each part. */
export type SendParts = typeof SEND_PARTS;
