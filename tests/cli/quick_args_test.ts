import { assert, assertEquals } from "@std/assert";
import { readArgs } from "../../cmd/args.ts";
import { NAMES, quickArgs } from "../../cmd/quick_args.ts";
import { ALL } from "../../cmd/tables.ts";
import { XFTP_ALL } from "../../cmd/xftp_tables.ts";

const NO_ENV = (): undefined => undefined;

/** What the parser reads, without what was not given. */
function parsed(args: readonly string[]): unknown {
  const asked = readArgs(args, "0", 80);
  if (asked.command === "show") throw new Error("it shows something");
  const set = Object.entries(asked.flags).filter(([, value]) =>
    value !== undefined
  );
  return { ...asked, flags: Object.fromEntries(set) };
}

const PLAIN: readonly (readonly string[])[] = [
  ["send", "a"],
  ["send", "a", "b", "host:4443"],
  ["send", "a", "--to", "127.0.0.1:4443", "--cert", "c.pem", "b"],
  ["send", "--token-file", "t", "--resume-dir", "r", "a", "--certs", "d"],
  ["send", "a", "--checksum", "--fresh", "--follow", "--b3sum"],
  ["send", "a", "--json", "--quiet", "--verbose", "--name", "n"],
  ["recv"],
  ["recv", "--once", "--open", "--allow-hidden", "--json"],
  ["recv", "--bind", "0.0.0.0:1", "--upload-dir", "u", "--certs", "c"],
  ["recv", "--token-file", "t", "--resume-dir", "r"],
];

Deno.test("a plain command line means the same to the quick reader as to the parser", () => {
  for (const args of PLAIN) {
    const quick = quickArgs(args, NO_ENV);
    assert(quick !== undefined, args.join(" "));
    assertEquals(quick as unknown, parsed(args), args.join(" "));
  }
});

Deno.test("what is not plain is left to the parser", () => {
  for (
    const args of [
      [],
      ["init"],
      ["help"],
      ["send", "--help"],
      ["send", "-v", "a"],
      ["send", "-"],
      ["send", "--", "a"],
      ["send", ""],
      ["send", "a", "--to"],
      ["send", "a", "--to", ""],
      ["send", "a", "--to", "-x"],
      ["send", "a", "--to=b"],
      ["send", "a", "--to", "b", "--to", "c"],
      ["send", "a", "--streams", "4"],
      ["send", "a", "--carrier", "tcp"],
      ["send", "a", "--no-checksum"],
      ["send", "a", "--nonsense"],
      ["send", "a", "--once"],
      ["recv", "a"],
      ["recv", "--follow"],
    ]
  ) {
    assertEquals(quickArgs(args, NO_ENV), undefined, args.join(" "));
  }
});

Deno.test("every variable that sets something is for the parser", () => {
  const all = new Set(
    Object.values({ ...ALL, ...XFTP_ALL }).map(({ name }) => name),
  );
  assertEquals(new Set(NAMES), all);
  const env = (name: string) => name === "SFTPX_CHUNK_SIZE" ? "1M" : undefined;
  assertEquals(quickArgs(["send", "a"], env), undefined);
});
