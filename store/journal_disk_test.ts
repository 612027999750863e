import { assert, assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import {
  blake3,
  digestOf,
  doneOf,
  stampOf,
} from "../tests/testutil/journals.ts";
import { type OpenedJournal, openJournal } from "./journal.ts";
import { diskFs } from "./journal_fs.ts";

function openIn(dir: string): Promise<OpenedJournal> {
  return openJournal({
    file: `${dir}/resume/aa.bitmap`,
    session: new Uint8Array(32),
    root: "/uploads",
    digest: blake3,
  });
}

async function withDir(run: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await run(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("on a real disk a journal is its owner's alone, and leaves nothing else", () =>
  withDir(async (dir) => {
    const file = `${dir}/resume/aa.bitmap`;
    const { journal, state } = await openIn(dir);
    assertEquals(state, "fresh");
    const slot = journal.begin(stampOf("a", 2));
    journal.have(slot, 1, digestOf(1));
    journal.done(doneOf("b", 5));
    await journal.flush();
    await journal.compact();
    journal.done(doneOf("c", 6));
    await journal.close();
    if (Deno.build.os !== "windows") {
      assertEquals((await Deno.stat(file)).mode ?? 0, 0o100600);
      assertEquals((await Deno.stat(`${dir}/resume`)).mode ?? 0, 0o40700);
      await Deno.chmod(file, 0o644);
    }
    const again = await openIn(dir);
    assertEquals(again.state, "resumed");
    assertEquals(again.journal.part(slot)?.digest(1), digestOf(1));
    assertEquals(await again.journal.doneFor("b"), doneOf("b", 5));
    assertEquals(await again.journal.doneFor("c"), doneOf("c", 6));
    await again.journal.close();
    if (Deno.build.os !== "windows") {
      assertEquals((await Deno.stat(file)).mode ?? 0, 0o100600);
    }
    const names = await Array.fromAsync(Deno.readDir(`${dir}/resume`));
    assertEquals(names.map(({ name }) => name), ["aa.bitmap"]);
  }));

Deno.test("a torn journal on a real disk is cut, a foreign one set aside", () =>
  withDir(async (dir) => {
    const file = `${dir}/resume/aa.bitmap`;
    const { journal } = await openIn(dir);
    journal.done(doneOf("a", 1));
    journal.done(doneOf("b", 1));
    await journal.close();
    await Deno.truncate(file, (await Deno.stat(file)).size - 1);
    const torn = await openIn(dir);
    assertEquals(torn.state, "repaired");
    assertEquals(await torn.journal.doneFor("a"), doneOf("a", 1));
    await torn.journal.close();
    await Deno.writeTextFile(file, "something else\n");
    await Deno.writeTextFile(`${file}.tmp`, "half of one that was killed\n");
    const other = await openIn(dir);
    assertEquals(other.state, "replaced");
    await other.journal.close();
    assertEquals(await Deno.readTextFile(`${file}.bad`), "something else\n");
    await Deno.writeTextFile(`${file}.tmp`, "half of one that was killed\n");
    await (await openIn(dir)).journal.close();
    const names = await Array.fromAsync(Deno.readDir(`${dir}/resume`));
    assertEquals(names.map(({ name }) => name).sort(), [
      "aa.bitmap",
      "aa.bitmap.bad",
    ]);
  }));

Deno.test("a journal is not opened twice", () =>
  withDir(async (dir) => {
    const { journal } = await openIn(dir);
    const error = await assertRejects(() => openIn(dir), SftpxError);
    assertEquals(error.code, "peer-busy");
    assertEquals(
      error.message,
      `Cannot open journal "${dir}/resume/aa.bitmap": another process has it open`,
    );
    await journal.compact();
    await assertRejects(() => openIn(dir), SftpxError, "another process");
    await journal.close();
    const again = await openIn(dir);
    await again.journal.close();
  }));

Deno.test("a process that is killed lets go of its journal, with what it had flushed", () =>
  withDir(async (dir) => {
    const script = `
      import { openJournal } from ${
      JSON.stringify(import.meta.resolve("./journal.ts"))
    };
      import { blake3, doneOf } from ${
      JSON.stringify(import.meta.resolve("../tests/testutil/journals.ts"))
    };
      const { journal } = await openJournal({
        file: ${JSON.stringify(`${dir}/resume/aa.bitmap`)},
        session: new Uint8Array(32),
        root: "/uploads",
        digest: blake3,
      });
      journal.done(doneOf("a", 1));
      await journal.flush();
      journal.done(doneOf("b", 1));
      await Deno.stdout.write(new TextEncoder().encode("ready"));
      setInterval(() => {}, 1000);
    `;
    const config = new URL(import.meta.resolve("../deno.json")).pathname;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--config", config, "-"],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    try {
      const input = child.stdin.getWriter();
      await input.write(new TextEncoder().encode(script));
      await input.close();
      const output = child.stdout.getReader();
      const { value } = await output.read();
      assertEquals(new TextDecoder().decode(value), "ready");
      await output.cancel();
      const error = await assertRejects(() => openIn(dir), SftpxError);
      assertEquals(error.code, "peer-busy");
    } finally {
      child.kill("SIGKILL");
      await child.status;
    }
    const { journal, state } = await openIn(dir);
    assertEquals(state, "resumed");
    assertEquals(await journal.doneFor("a"), doneOf("a", 1));
    assertEquals(await journal.doneFor("b"), undefined);
    await journal.close();
  }));

Deno.test("a lock has one holder, also when its file comes and goes", () =>
  withDir(async (dir) => {
    let holders = 0;
    let taken = 0;
    const want = async (): Promise<void> => {
      for (;;) {
        const lock = await diskFs.lock(`${dir}/lock`);
        if (lock === undefined) continue;
        holders++;
        assertEquals(holders, 1);
        taken++;
        await Deno.stat(dir); // holds it for a turn or two
        holders--;
        await lock.release();
        return;
      }
    };
    await Promise.all(Array.from({ length: 40 }, want));
    assertEquals(taken, 40);
  }));

Deno.test("something that is no file is never taken for a journal", () =>
  withDir(async (dir) => {
    await Deno.mkdir(`${dir}/resume/aa.bitmap`, { recursive: true });
    const error = await assertRejects(
      () => openIn(dir),
      SftpxError,
      "not a file",
    );
    assertEquals(error.code, "local-io");
    assert((await Deno.stat(`${dir}/resume/aa.bitmap`)).isDirectory);
  }));
