import { assertEquals, assertRejects } from "@std/assert";
import { codeOf, SftpxError } from "../core/errors.ts";
import { FakeClock } from "../tests/testutil/fake_clock.ts";
import type { LaneAnswer, LaneCall } from "./lane_calls.ts";
import { type LaneThread, startLaneThread } from "./lane_thread.ts";

/** A Worker that does as the test says. */
class FakeWorker {
  onmessage: (event: { readonly data: LaneAnswer }) => void = () => {};
  onerror: (event: ErrorEvent) => void = () => {};
  readonly calls: LaneCall[] = [];
  isEnded = false;
  /** What answers calls. */
  answer: (call: LaneCall) => LaneAnswer | undefined = () => undefined;

  postMessage(call: LaneCall): void {
    this.calls.push(call);
    const answer = this.answer(call);
    if (answer !== undefined) this.say(answer);
  }
  say(data: LaneAnswer): void {
    this.onmessage({ data });
  }
  terminate(): void {
    this.isEnded = true;
  }
}

async function started(
  worker: FakeWorker,
  clock: FakeClock,
): Promise<LaneThread> {
  const thread = startLaneThread({
    clock,
    spawn: () => worker as unknown as Worker,
  });
  worker.say({ type: "ready" });
  return await thread;
}

const PLACE = { fd: 3, directFd: -1, directAlign: 0, position: 0 };

Deno.test("lane thread: answers and failures go to who asked", async () => {
  const [worker, clock] = [new FakeWorker(), new FakeClock()];
  const thread = await started(worker, clock);
  const one = thread.call("openBidi", [1]);
  const two = thread.call("openBidi", [2]);
  const heard: number[] = [];
  const deaf = thread.listen(9, (bytes) => heard.push(bytes));
  worker.say({ type: "arrived", stream: 9, bytes: 5 });
  deaf();
  worker.say({ type: "arrived", stream: 9, bytes: 6 });
  worker.say({ type: "done", id: 2, value: 77 });
  const failure = { code: "protocol", message: "Cannot open: no" } as const;
  worker.say({ type: "failed", id: 1, failure });
  assertEquals(await two, 77);
  assertEquals(
    codeOf(await assertRejects(() => one, SftpxError)),
    "protocol",
  );
  assertEquals(heard, [5]);
  thread.end();
  assertEquals(await thread.ended, undefined);
  assertEquals(clock.pending, 0);
});

Deno.test("lane thread: all that one was asked that has died is lost, but a write only after a while", async () => {
  const [worker, clock] = [new FakeWorker(), new FakeClock()];
  const thread = await started(worker, clock);
  const codes: string[] = [];
  const keep = (work: Promise<unknown>): void => {
    work.catch((error) => codes.push(codeOf(error)));
  };
  keep(thread.call("openUni", [1, 0]));
  let isSettled = false;
  const writes = thread.call("place", [4, 0, 10, PLACE])
    .catch(() => isSettled = true);
  worker.onerror(new ErrorEvent("error", { message: "bad" }));
  assertEquals(codeOf(await thread.ended), "connection-lost");
  assertEquals(worker.isEnded, true);
  keep(thread.call("openUni", [1, 0]));
  await clock.advance(1999);
  assertEquals(isSettled, false); // the system may still have it
  await clock.advance(1);
  await writes;
  assertEquals(codes, ["connection-lost", "connection-lost"]);
  assertEquals(clock.pending, 0);
});

Deno.test("lane thread: one that does not answer any more is ended, one with nothing to do is not asked", async () => {
  const [worker, clock] = [new FakeWorker(), new FakeClock()];
  const thread = await started(worker, clock);
  await clock.advance(60_000);
  assertEquals(worker.calls, []);
  const waits = thread.call("openUni", [1, 0]);
  waits.catch(() => {});
  worker.answer = ({ id, call }) =>
    call === "ping" ? { type: "done", id, value: undefined } : undefined;
  for (let n = 0; n < 10; n++) await clock.advance(2000);
  assertEquals(worker.isEnded, false);
  worker.answer = () => undefined;
  await clock.advance(2000);
  await clock.advance(10_000);
  assertEquals(codeOf(await thread.ended), "connection-lost");
  await assertRejects(() => waits, SftpxError);
  assertEquals(clock.pending, 0);
});

Deno.test("lane thread: one that does not come up is an error, and ended", async () => {
  const [worker, clock] = [new FakeWorker(), new FakeClock()];
  const thread = startLaneThread({
    clock,
    spawn: () => worker as unknown as Worker,
  });
  thread.catch(() => {});
  await clock.advance(10_000);
  assertEquals(codeOf(await assertRejects(() => thread)), "internal");
  assertEquals(worker.isEnded, true);
  assertEquals(clock.pending, 0);
});
