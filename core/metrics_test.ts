import { assert, assertEquals, assertThrows } from "@std/assert";
import { createMetrics } from "./metrics.ts";

Deno.test("Metrics gives the same counter for the same name and labels", () => {
  const metrics = createMetrics();
  metrics.counter("sftpx_chunk_bytes_total", "Bytes.", {
    side: "send",
    lane: "1",
  }).add(5);
  const again = metrics.counter("sftpx_chunk_bytes_total", "Bytes.", {
    lane: "1",
    side: "send",
  });
  again.add();
  assertEquals(again.value, 6);
  const sessions = metrics.gauge("sftpx_sessions", "Sessions.");
  sessions.set(3);
  sessions.add(-1);
  assertEquals(metrics.snapshot(), {
    'sftpx_chunk_bytes_total{lane="1",side="send"}': 6,
    "sftpx_sessions": 2,
  });
});

Deno.test("Metrics writes what Prometheus reads", () => {
  const metrics = createMetrics();
  metrics.counter("sftpx_dials_total", 'Dials, "all" of\nthem \\ here.').add(2);
  metrics.counter("sftpx_dials_total", "", { to: 'a"b\\c\nd\x1b' }).add(1);
  metrics.gauge("sftpx_rate_bytes", "Rate.").set(Infinity);
  assertEquals(
    metrics.exposition(),
    [
      '# HELP sftpx_dials_total Dials, "all" of\\\\nthem \\\\ here.',
      "# TYPE sftpx_dials_total counter",
      "sftpx_dials_total 2",
      'sftpx_dials_total{to="a\\"b\\\\c\\\\nd\\\\x1b"} 1',
      "# HELP sftpx_rate_bytes Rate.",
      "# TYPE sftpx_rate_bytes gauge",
      "sftpx_rate_bytes +Inf",
      "",
    ].join("\n"),
  );
  assert(!/[^\P{Cc}\n]/u.test(metrics.exposition()));
});

Deno.test("Metrics refuses names that are none, and one name for two kinds", () => {
  const metrics = createMetrics();
  for (
    const name of [
      "x_total",
      "sftpx_total_",
      "sftpx_X_total",
      "sftpx_a",
      "sftpx_a total",
    ]
  ) {
    assertThrows(() => metrics.counter(name, ""), RangeError);
  }
  assertThrows(() => metrics.gauge("sftpx_a_total", ""), RangeError);
  assertThrows(() => metrics.gauge("sftpx_a", "", { "a b": "" }), RangeError);
  assertThrows(() => metrics.counter("sftpx_a_total", "").add(-1), RangeError);
  assertThrows(() => metrics.counter("sftpx_a_total", "").add(NaN), RangeError);
});
