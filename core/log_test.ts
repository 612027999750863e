import { assert, assertEquals } from "@std/assert";
import { FakeClock } from "../tests/testutil/fake_clock.ts";
import { jsonLog, levelOf, type Log, textLog } from "./log.ts";

const BAD = "x\x1b[2J\n\u202e\x9b";

function written(
  create: typeof textLog,
  use: (log: Log) => void,
  level?: "debug",
) {
  const lines: string[] = [];
  const options = { clock: new FakeClock(), ...level && { level } };
  use(create((line) => lines.push(line), options));
  return lines;
}

Deno.test("textLog() writes time, name and fields, those of the child included", () => {
  assertEquals(
    written(textLog, (log) => {
      const session = log.child({ session: "ab12" });
      session.event("connection.up", { remote: "127.0.0.1:4443", lanes: 8 });
      session.event("connection.lost", {
        reason: 'timed "out" \\ away',
        again: true,
      });
    }),
    [
      "2024-01-01T00:00:00.000Z connection.up session=ab12 remote=127.0.0.1:4443 lanes=8",
      '2024-01-01T00:00:00.000Z warn connection.lost session=ab12 reason="timed \\"out\\" \\\\ away" again=true',
    ],
  );
});

Deno.test("jsonLog() writes one object a line", () => {
  const [line] = written(jsonLog, (log) => log.event("peer.gone", { ms: 1.5 }));
  assertEquals(
    line,
    '{"time":"2024-01-01T00:00:00.000Z","level":"info","event":"peer.gone","ms":1.5}',
  );
});

Deno.test("a log writes no control characters, whatever the names and values", () => {
  for (const create of [textLog, jsonLog]) {
    const lines = written(
      create,
      (log) => log.child({ [BAD]: BAD }).event(BAD, { [BAD + 1]: BAD }),
    );
    assertEquals(lines.length, 1);
    assert(!/[\p{Cc}\p{Cf}]/u.test(lines.join("")), lines.join(""));
  }
});

Deno.test("a log leaves out what matters less than its level", () => {
  const use = (log: Log) => {
    log.event("lane.done");
    log.event("session.up");
    log.event("lane.failed");
  };
  assertEquals(written(textLog, use).length, 2);
  assertEquals(written(textLog, use, "debug").length, 3);
});

Deno.test("levelOf() tells trouble by the last word and detail by the first", () => {
  for (
    const name of [
      "actor.stuck",
      "actor.stop-failed",
      "connection.lost",
      "chunk.corrupt",
    ]
  ) {
    assertEquals(levelOf(name), "warn");
  }
  assertEquals(levelOf("actor.exit"), "debug");
  assertEquals(levelOf("session.unfailed"), "info");
});

Deno.test("a log that cannot be written fails nobody", () => {
  textLog(() => {
    throw new Error("broken pipe");
  }, { clock: new FakeClock() }).event("session.up");
});
