/** Many small files, which another thread makes and names, and kills between them. */
import { assert } from "@std/assert";
import { MIB, openEnds, reached, told } from "./kit.ts";

const FILES = 2000;
/** In folders of different sizes, and some by themselves. */
const TREE = Object.fromEntries(
  Array.from({ length: FILES }, (_, n) => {
    const folder = n % 10 === 0 ? "top" : `d${n % 7}/e${n % 40}`;
    return [`${folder}/f${n}`, 1 + (n * 37) % 4000];
  }),
);

for (const who of ["receiver", "both"] as const) {
  Deno.test(`killed among many small files, ${who}: the rest arrives, and nothing else is there`, async () => {
    await using ends = await openEnds(TREE, { send: ["--limit-rate", "1M"] });
    let receiver = await ends.recv();
    let sender = ends.send();
    await reached(sender, MIB / 2);
    assert(!told(sender).some(({ type }) => type === "done"), "it was over");
    receiver.kill("SIGKILL");
    if (who === "both") sender.kill("SIGKILL");
    receiver = await ends.recv();
    if (who === "both") sender = ends.send();
    const { entries, failed } = await ends.finish(sender, receiver);
    await ends.check();
    assert(entries >= FILES, `${entries} entries`);
    assert(failed === 0, `${failed} failed`);
  });
}
