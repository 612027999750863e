import { assertEquals } from "@std/assert";
import { MIB, openEnds, reached, told } from "./kit.ts";

const SLOWLY = { args: ["--limit-rate", "6M"] };

Deno.test("the same send started twice: one goes on, the other says why it does not", async () => {
  await using ends = await openEnds({ "a": 14 * MIB, "b/c": "text" });
  const receiver = await ends.recv();
  const first = ends.send({ args: ["--limit-rate", "2M"] });
  await reached(first, MIB);
  const second = ends.send();
  assertEquals((await second.status).code, 4);
  const error = await second.waitEvent("error");
  assertEquals(error.code, "duplicate");
  await ends.finish(first, receiver);
  await ends.check();
  assertEquals(
    told(first).filter(({ type }) => type === "reconnecting"),
    [],
    "the first was left alone",
  );
});

Deno.test("the same send started twice at the same moment: one wins", async () => {
  await using ends = await openEnds({ "a": 8 * MIB, "b/c": "text" });
  const receiver = await ends.recv();
  const both = [ends.send(SLOWLY), ends.send(SLOWLY)];
  const codes = await Promise.all(
    both.map(async ({ status }) => (await status).code),
  );
  assertEquals(codes.toSorted(), [0, 4], both.map((it) => it.stdout).join());
  await receiver.waitEvent("done");
  await ends.check();
});

Deno.test("a sender that was stopped, replaced and woken gives way to the new one", async () => {
  await using ends = await openEnds({ "a": 30 * MIB, "b/c": "text" });
  const receiver = await ends.recv();
  const first = ends.send({ args: ["--limit-rate", "4M"] });
  await reached(first, 3 * MIB);
  first.kill("SIGSTOP");
  const second = ends.send({ args: ["--limit-rate", "3M"] });
  await second.waitEvent("connected");
  first.kill("SIGCONT");
  assertEquals((await first.status).code, 4, first.stdout.slice(-2000));
  const error = await first.waitEvent("error");
  assertEquals(error.code, "duplicate");
  await ends.finish(second, receiver);
  await ends.check();
});
