/**
 * Names from the wire, through a real receiver: wherever they point, nothing
 * outside of its upload folder changes.
 */
import { assert, assertEquals } from "@std/assert";
import type { Entry } from "../../protocol/manifest.ts";
import {
  announce,
  folder,
  link,
  listTree,
  retired,
  sandbox,
  sendAll,
  textChunk,
  textFile,
  verdictOn,
} from "./kit.ts";
import { NAMES } from "./names.ts";

const TEXT = "hostile";
/** What the wire can carry at all. */
const SAYABLE = NAMES.filter((name) =>
  name !== "" && name.length < 4000 && name.isWellFormed()
);

/** Every kind of entry that makes or touches something. */
const KINDS: Readonly<Record<string, (name: string) => Entry[]>> = {
  "a file": (name) => [textFile(name, TEXT)],
  "a folder": (name) => [folder(name), folder(name, "dir-end", 0o777)],
  "the end of a folder alone": (name) => [folder(name, "dir-end", 0o777)],
  "a link": (name) => [link(name, "../outside")],
  "a file through a link": (
    name,
  ) => [link(name, "../outside"), textFile(`${name}/planted`, TEXT)],
};

for (const [kind, entries] of Object.entries(KINDS)) {
  for (const links of ["inside", "all"] as const) {
    Deno.test(`S1 no hostile name leaves the upload folder: ${kind}, links ${links}`, async () => {
      await using box = await sandbox({
        links,
        allowHidden: true,
        onConflict: "overwrite",
      });
      const before = await box.outside();
      const list = SAYABLE.flatMap(entries);
      await using sender = await box.sender();
      await sendAll(sender, list, TEXT);
      assertEquals(await box.outside(), before);
      const arrived = await box.list("uploads");
      if (kind === "a file") {
        assert(arrived.some((line) => line.startsWith("ordinary ")));
      }
    });
  }
}

Deno.test("S2 a name counts as the wire has it: no form of it is taken for another", async () => {
  await using box = await sandbox({ allowHidden: true });
  await using sender = await box.sender();
  const names = ["%2e%2e", "a%2fb", "..%c0%af", "\uff0e\uff0e", "~", "$HOME"];
  await sendAll(sender, names.map((name) => textFile(name, TEXT)), TEXT);
  const arrived = await listTree(box.uploads);
  assertEquals(
    arrived.filter((line) => !line.startsWith(".sftpx-partial"))
      .map((line) => line.split(" ")[0]).sort(),
    names.toSorted(),
  );
});

for (const links of ["inside", "all", "none"] as const) {
  Deno.test(`S3 a file through a link that came before goes nowhere: links ${links}`, async () => {
    await using box = await sandbox({ links, onConflict: "overwrite" });
    const before = await box.outside();
    const planted = [
      link("out", "../outside"),
      link("dot", "."),
      link("deep", "a/../../outside"),
      link("abs", `${box.dir}/outside`),
      folder("a"),
      link("a/up", "../../outside"),
      link("a/in", "../b"),
      folder("a", "dir-end"),
    ];
    {
      await using one = await box.sender();
      const through = ["out", "dot", "deep", "abs", "a/up", "a/in"];
      await sendAll(one, [
        ...planted,
        ...through.map((name) => textFile(`${name}/secret`, TEXT)),
        ...through.map((name) => folder(`${name}/sub`)),
        ...through.map((name) => folder(name, "dir-end", 0o777)),
      ], TEXT);
    }
    assertEquals(await box.outside(), before);
    {
      // Somebody else, later, over what is there now.
      await using two = await box.sender();
      await sendAll(two, [
        textFile("out/secret", TEXT),
        textFile("abs/new", TEXT),
        folder("deep/sub"),
        link("a/up/planted", "x"),
        textFile("out", TEXT),
        folder("abs"),
      ], TEXT);
    }
    assertEquals(await box.outside(), before);
    const made = (await box.list("uploads")).filter((line) =>
      line.includes(" -> ")
    );
    const outside = made.filter((line) =>
      / -> (\/|.*\.\.\/outside)/.test(line)
    );
    if (links === "none") assertEquals(made, []);
    if (links === "inside") assertEquals(outside, []);
    if (links === "all") assert(outside.length > 0);
  });
}

Deno.test("S3 a link that somebody put in the upload folder is not followed either", async () => {
  await using box = await sandbox({ onConflict: "overwrite" });
  await Deno.mkdir(box.uploads, { recursive: true });
  await Deno.symlink("../outside", `${box.uploads}/door`);
  await Deno.symlink("../outside/secret", `${box.uploads}/window`);
  const before = await box.outside();
  await using sender = await box.sender();
  await sendAll(sender, [
    textFile("door/secret", TEXT),
    textFile("window", TEXT),
    folder("door", "dir-end", 0o777),
    folder("window", "dir-end", 0o777),
  ], TEXT);
  assertEquals(await box.outside(), before);
});

Deno.test("S4 what looks like an archive is a file like any other", async () => {
  await using box = await sandbox();
  // A zip file with one member, "../../evil".
  const zip = "PK\x03\x04\x14\0\0\0\0\0\0\0\0\0".padEnd(26, "\0") +
    "\x0a\0\0\0../../evil";
  await using sender = await box.sender();
  await sendAll(sender, [textFile("x.zip", zip)], zip);
  assertEquals(await Deno.readTextFile(`${box.uploads}/x.zip`), zip);
  assertEquals(
    (await box.list("uploads")).filter((line) => line.includes("evil")),
    [],
  );
});

Deno.test("S5 one name is announced once, and a file is never a folder", async () => {
  await using box = await sandbox();
  await using sender = await box.sender();
  await sender.manifest(
    announce(0, textFile("same", TEXT)),
    announce(1, textFile("same", TEXT)),
    announce(2, textFile("same/below", TEXT)),
  );
  const second = await sender.status(verdictOn(1));
  assert(second.type === "verdict" && second.verdict.kind === "refused");
  const lane = await sender.open();
  await lane.write(
    textChunk(0, TEXT),
  );
  const below = await sender.status(verdictOn(2));
  if (below.type === "verdict" && below.verdict.kind === "want") {
    await lane.write(textChunk(2, TEXT));
  }
  await sender.status(retired(3));
  const arrived = (await box.list("uploads"))
    .filter((line) => line.startsWith("same"));
  assert(arrived.length >= 1, "one of them stands");
  for (const line of arrived) {
    assert(line.startsWith("same"), line);
  }
});

Deno.test("S7 hidden names at the top are refused, and that is said", async () => {
  const hidden = [".bashrc", ".ssh/authorized_keys", ".git/hooks/post-merge"];
  for (const allowHidden of [false, true]) {
    await using box = await sandbox({ allowHidden });
    await using sender = await box.sender();
    await sendAll(sender, [
      folder(".ssh"),
      folder(".git"),
      folder(".git/hooks"),
      ...hidden.map((name) => textFile(name, TEXT)),
      textFile("seen", TEXT),
      textFile("seen.d/.hidden-below", TEXT),
    ], TEXT);
    const arrived = (await box.list("uploads")).map((line) =>
      line.split(" ")[0] ?? ""
    );
    assert(arrived.includes("seen"));
    assertEquals(arrived.includes(".bashrc"), allowHidden);
    assertEquals(arrived.includes(".ssh/authorized_keys"), allowHidden);
    const told = box.events.filter((event) =>
      event.type === "entry" && event.outcome === "refused" &&
      hidden.includes(event.path) && event.reason?.includes("hidden")
    );
    assertEquals(told.length, allowHidden ? 0 : hidden.length);
  }
});
