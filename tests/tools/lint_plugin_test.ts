import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import plugin from "../../_tools/layers.ts";

/** The messages of one rule for `source`, were it in `file`. */
function lint(rule: string, file: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, file, source)
    .filter((diagnostic) => diagnostic.id === `sftpx/${rule}`)
    .map((diagnostic) => diagnostic.message);
}

/** Asserts that `rule` refuses each of `sources` in `file` once. */
function refuses(rule: string, file: string, sources: readonly string[]): void {
  for (const source of sources) {
    assertEquals(lint(rule, file, source).length, 1, `${file}: ${source}`);
  }
}

/** Asserts that `rule` has nothing to say of `sources` in `file`. */
function accepts(rule: string, file: string, sources: readonly string[]): void {
  for (const source of sources) {
    assertEquals(lint(rule, file, source), [], `${file}: ${source}`);
  }
}

Deno.test("layers: an import that points up the stack is refused, whatever its form", () => {
  refuses("layers", "core/a.ts", [
    'import { x } from "../protocol/x.ts";',
    'import type { X } from "../protocol/x.ts";',
    'export { x } from "../protocol/x.ts";',
    'export * from "../protocol/x.ts";',
    'export type * from "../protocol/x.ts";',
    'await import("../protocol/x.ts");',
    'import { x } from "../mod.ts";',
    'import { x } from "../tests/testutil/x.ts";',
  ]);
  refuses("layers", "store/deep/a.ts", [
    'import { x } from "../../crypto/x.ts";',
  ]);
});

Deno.test("layers: the table of ARCHITECTURE.md is what the rule knows", () => {
  const denied: Record<string, string[]> = {
    protocol: ["crypto", "store", "transport", "actors", "cmd"],
    crypto: ["protocol", "transport", "store", "workers"],
    transport: ["protocol", "crypto", "store", "actors"],
    store: ["crypto", "transport", "workers", "actors"],
    workers: ["actors", "rendezvous", "xftp", "cmd"],
    actors: ["cmd", "web", "xftp", "rendezvous"],
    rendezvous: ["store", "workers", "actors", "cmd"],
    xftp: ["actors", "rendezvous", "web", "cmd"],
    web: ["protocol", "store", "transport", "cmd"],
  };
  for (const [from, targets] of Object.entries(denied)) {
    refuses(
      "layers",
      `${from}/a.ts`,
      targets.map((to) => `import type { X } from "../${to}/x.ts";`),
    );
    accepts("layers", `${from}/a.ts`, [
      'import { x } from "../core/x.ts";',
      'import { x } from "./x.ts";',
      'import { x } from "hash-wasm";',
    ]);
  }
});

Deno.test("layers: mod.ts imports all but web and cmd, and cmd imports everything", () => {
  refuses("layers", "mod.ts", [
    'export { x } from "./cmd/x.ts";',
    'export { x } from "./web/x.ts";',
  ]);
  accepts("layers", "mod.ts", [
    'export { x } from "./actors/x.ts";',
    'export type { X } from "./core/x.ts";',
  ]);
  accepts("layers", "cmd/a.ts", [
    'import { x } from "../mod.ts";',
    'import { x } from "../web/x.ts";',
    'import { x } from "../store/x.ts";',
  ]);
  refuses("layers", "cmd/a.ts", ['import { x } from "../_tools/x.ts";']);
});

Deno.test("layers: an actor does not make another actor", () => {
  const factories = [
    'import { sendScheduler } from "./send_scheduler.ts";',
    'import { sendScheduler as make } from "./send_scheduler.ts";',
    'import * as scheduler from "./send_scheduler.ts";',
    'export * from "./send_scheduler.ts";',
    'await import("./send_scheduler.ts");',
  ];
  const words = [
    'import type { SendSchedulerMessage } from "./send_scheduler.ts";',
    'import { type SendSchedulerMessage } from "./send_scheduler.ts";',
    'import { readProgress } from "./send_scheduler.ts";',
    'import { sendLane } from "../workers/lane_send.ts";',
  ];
  refuses("layers", "actors/connection.ts", factories);
  accepts("layers", "actors/connection.ts", words);
  for (const file of ["send.ts", "receive.ts", "send_session.ts", "root.ts"]) {
    accepts("layers", `actors/${file}`, [...factories, ...words]);
  }
});

Deno.test("layers: web takes only types of actors", () => {
  refuses("layers", "web/a.ts", ['import { x } from "../actors/x.ts";']);
  accepts("layers", "web/a.ts", ['import type { X } from "../actors/x.ts";']);
});

Deno.test("layers: tests import what they like", () => {
  accepts("layers", "core/a_test.ts", ['import { x } from "../cmd/x.ts";']);
  accepts("layers", "tests/cli/a.ts", ['import { x } from "../../cmd/x.ts";']);
});

const JOINS = [
  'import { join } from "node:path";',
  'import { resolve as r } from "@std/path";',
  'import * as path from "node:path";',
  'import path from "node:path";',
  "const a = `${uploadDir}/${x}`;",
  "const a = `${options.uploadDir}/x`;",
  "const a = `${root}/${x}`;",
  "const a = `${x}/${name}`;",
  "const a = `${dir}/${name}`;",
  'const a = path + "/x";',
  'const a = entry.path + "/" + x;',
  'const a = x + "/" + name;',
];

Deno.test("no-path-join: a path is joined in store/paths.ts and nowhere else", () => {
  refuses("no-path-join", "store/sink.ts", JOINS);
  refuses("no-path-join", "actors/receive.ts", JOINS);
  for (
    const file of [
      "store/paths.ts",
      "store/root.ts",
      "store/source.ts",
      "cmd/recv.ts",
      "tests/cli/a.ts",
      "store/sink_test.ts",
    ]
  ) {
    accepts("no-path-join", file, JOINS);
  }
});

Deno.test("no-path-join: a path in a sentence is not a join", () => {
  accepts("no-path-join", "store/sink.ts", [
    'const a = `Cannot read "${path}": it is gone`;',
    "const a = `${rate}/s`;",
    'import { basename } from "node:path";',
    "const a = total / path.length;",
    'const a = path + " is gone";',
  ]);
});

const TIMES = [
  "const a = Date.now();",
  "const a = Math.random();",
  "const a = performance.now();",
  "const a = new Date();",
  "setTimeout(f, 1);",
  "globalThis.setInterval(f, 1);",
  "const { now } = Date;",
];

Deno.test("no-bare-time: clocks and dice are passed in", () => {
  refuses("no-bare-time", "actors/scheduler.ts", TIMES);
  refuses("no-bare-time", "core/log.ts", TIMES);
  for (
    const file of [
      "core/clock.ts",
      "crypto/random.ts",
      "cmd/render.ts",
      "bench/a.ts",
      "_tools/a.ts",
      "core/a_test.ts",
    ]
  ) {
    accepts("no-bare-time", file, TIMES);
  }
  accepts("no-bare-time", "core/log.ts", [
    "const a = new Date(ms);",
    "const a = clock.now();",
    "const a = Math.floor(1);",
  ]);
});

const ENVIRONMENT = [
  'Deno.env.get("X");',
  "const a = Deno.args;",
  "Deno.cwd();",
  "const { args } = Deno;",
];

Deno.test("no-env: only cmd/ reads the environment and the arguments", () => {
  refuses("no-env", "mod.ts", ENVIRONMENT);
  refuses("no-env", "transport/quic.ts", ENVIRONMENT);
  accepts("no-env", "cmd/config.ts", ENVIRONMENT);
  accepts("no-env", "_tools/demo.ts", ENVIRONMENT);
  accepts("no-env", "transport/quic.ts", ["Deno.networkInterfaces();"]);
});

Deno.test("one-exit: only cmd/exit.ts exits", () => {
  const exits = [
    "Deno.exit(1);",
    "Deno.exitCode = 1;",
    "process.exit(1);",
    "const { exit } = Deno;",
  ];
  refuses("one-exit", "cmd/send.ts", exits);
  refuses("one-exit", "actors/root.ts", exits);
  accepts("one-exit", "cmd/exit.ts", exits);
  accepts("one-exit", "tests/cli/a.ts", exits);
  accepts("one-exit", "actors/root.ts", ["cx.exit();"]);
});

Deno.test("pure-protocol: protocol/ has no platform, time, chance or promises", () => {
  const impure = [
    'Deno.readFileSync("x");',
    "async function f() {}",
    "const f = async () => {};",
    "const o = { async f() {} };",
    "let a: Promise<void>;",
    "Promise.resolve();",
    "Math.random();",
    "Date.now();",
    "crypto.randomUUID();",
    'fetch("x");',
    'import { open } from "node:fs";',
  ];
  refuses("pure-protocol", "protocol/frame.ts", impure);
  accepts("pure-protocol", "core/frame.ts", impure);
  accepts("pure-protocol", "protocol/frame_test.ts", impure);
  accepts("pure-protocol", "protocol/frame.ts", [
    "export function f(x: number): number { return Math.floor(x); }",
    "const a = new DataView(buffer);",
  ]);
});

Deno.test("the rules find the same in a file that is named by its full path", () => {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  refuses("no-env", `${root}core/a.ts`, ["const a = Deno.args;"]);
  accepts("no-env", `${root}cmd/a.ts`, ["const a = Deno.args;"]);
});
