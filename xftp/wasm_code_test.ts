import { assertEquals } from "@std/assert";
import { OP, signed, TYPE, unsigned, wasmModule } from "./wasm_code.ts";

Deno.test("numbers are as WebAssembly has them", () => {
  assertEquals(unsigned(0), [0]);
  assertEquals(unsigned(127), [127]);
  assertEquals(unsigned(128), [0x80, 1]);
  assertEquals(unsigned(624_485), [0xe5, 0x8e, 0x26]);
  assertEquals(signed(63), [63]);
  assertEquals(signed(64), [0xc0, 0]);
  assertEquals(signed(-1), [0x7f]);
  assertEquals(signed(-123_456), [0xc0, 0xbb, 0x78]);
});

Deno.test("a module does what it is written to do", () => {
  const [AT, COUNT, SUM] = [0, 1, 2];
  const bytes = wasmModule([{
    name: "sum",
    params: 2,
    locals: [[1, TYPE.i64]],
    body: [
      ...OP.repeat([
        ...OP.get(SUM),
        ...OP.get(AT),
        ...OP.i64load32(0),
        ...OP.i64add,
        ...OP.set(SUM),
        ...[...OP.get(AT), ...OP.i32(4), ...OP.i32add, ...OP.set(AT)],
        ...[...OP.get(COUNT), ...OP.i32(1), ...OP.i32sub, ...OP.tee(COUNT)],
      ]),
      ...[...OP.i32(0), ...OP.get(SUM), ...OP.i64store(0)],
    ],
  }], 1);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  const { buffer } = exports.memory as WebAssembly.Memory;
  new Uint32Array(buffer, 8, 3).set([4_000_000_000, 4_000_000_000, 7]);
  (exports.sum as (at: number, count: number) => void)(8, 3);
  assertEquals(new BigUint64Array(buffer, 0, 1)[0], 8_000_000_007n);
});
