/**
 * The lint plugin of this project: what ARCHITECTURE.md promises and a
 * compiler does not check. `deno.json` loads it.
 *
 * @module
 */
import { inOnePlace } from "./lint/in_one_place.ts";
import { layers } from "./lint/layers.ts";
import { noPathJoin } from "./lint/no_path_join.ts";
import { pureProtocol } from "./lint/pure_protocol.ts";

/** The rules, as `sftpx/<name>`. */
const plugin: Deno.lint.Plugin = {
  name: "sftpx",
  rules: {
    "layers": layers,
    "no-path-join": noPathJoin,
    "pure-protocol": pureProtocol,
    "no-bare-time": inOnePlace({
      globals: [
        "setTimeout",
        "setInterval",
        "Date.now",
        "Math.random",
        "performance.now",
      ],
      emptyDate: true,
      allowed: /^(core\/(clock|timers)\.ts|crypto\/random\.ts|cmd\/)/,
      hint: "Take a Clock (core/clock.ts) or a random source as a dependency",
    }),
    "no-env": inOnePlace({
      globals: ["Deno.env", "Deno.args", "Deno.cwd", "Deno.chdir"],
      allowed: /^cmd\//,
      hint: "Only cmd/ reads arguments and the environment: pass the value in",
    }),
    "one-exit": inOnePlace({
      globals: ["Deno.exit", "Deno.exitCode", "process.exit"],
      allowed: /^cmd\/exit\.ts$/,
      hint: "Throw an SftpxError: only cmd/exit.ts exits",
    }),
  },
};

export default plugin;
