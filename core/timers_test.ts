import { assertEquals } from "@std/assert";

/** What a program writes that has put its timers off. */
async function said(program: string): Promise<string> {
  const url = import.meta.resolve("./timers.ts");
  const code = `import { everyIdle, putOffTimers, setTimer } from "${url}";
    const say = (what) => () => Deno.stdout.writeSync(new TextEncoder().encode(what + " "));
    putOffTimers();
    ${program}`;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=ts", "--no-lock", code],
    stdin: "null",
  }).output();
  assertEquals(success, true, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

Deno.test("timers that are put off are due in order, before that is over and after", async () => {
  const program = `for (const ms of [700, 0, 300, 40, 400, 120]) {
    setTimer(ms, say(ms));
  }`;
  assertEquals(await said(program), "0 40 120 300 400 700");
});

Deno.test("a timer that is put off keeps a process running, until it is called off", async () => {
  const awaited =
    `await new Promise((done) => setTimer(100, done)); say("due")();`;
  assertEquals(await said(awaited), "due");
  const calledOff =
    `const off = [20, 100, 60_000].map((ms) => setTimer(ms, say(ms)));
    off.forEach((stop) => stop());
    say("over")();`;
  assertEquals(await said(calledOff), "over");
});

Deno.test("a timer that was put off can be called off once the platform has it", async () => {
  const program = `const stop = setTimer(60_000, say("never"));
    setTimer(400, () => {
      stop();
      say("stopped")();
    });`;
  assertEquals(await said(program), "stopped");
});

Deno.test("what is done now and then begins although timers are put off, and keeps nothing running", async () => {
  const program = `let times = 0;
    await new Promise((done) => {
      everyIdle(20, () => { if (++times === 3) done(); });
      setTimer(60_000, say("never")); // or nothing would keep it running
    });
    say("three times")();
    Deno.exit(0);`;
  assertEquals(await said(program), "three times");
  assertEquals(
    await said(`everyIdle(20, say("never")); say("over")();`),
    "over",
  );
});
