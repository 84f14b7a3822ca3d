/** @file Draws of dropout for a block of pairs, in WebAssembly, against the draws of the operations. */

import { expect, it } from "vitest";
import { encodeModule } from "../../compiler/codegen/wasm/encode.ts";
import { FunctionTable } from "../../compiler/codegen/wasm/function-table.ts";
import { dropoutBlock, dropoutTable, dropoutTableBytes } from "../../compiler/codegen/wasm/native/dropout.ts";
import { multiplierOf } from "../../ir/ops/attention-dropout.ts";

const TO = 65_536;
const KEY = 32_768;

interface Block {
  readonly N: number;
  readonly M: number;
  readonly head: number;
  readonly i: number;
  readonly j: number;
}

const ROWS = 5;
const COLUMNS = 12;
const STRIDE = 64;

const drawn = (key: readonly number[], rate: number, { N, M, head, i, j }: Block): Float32Array => {
  const table = new FunctionTable();
  table.add({ ...dropoutTable(), exported: true });
  table.add({ ...dropoutBlock({ N, M, rate, stride: STRIDE }), exported: true });
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2 });
  const bytes = encodeModule({ memory: { from: "env", name: "memory", initial: 2, maximum: 2, shared: false }, functions: table.functions });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  new Float32Array(memory.buffer).set(key, KEY / 4);
  const [fill, block] = table.functions.map(({ name }) => exports[name] as (...args: readonly number[]) => void);
  fill?.(0, KEY);
  block?.(TO, 0, head, i, j, ROWS, COLUMNS);
  const data = new Float32Array(memory.buffer);
  return Float32Array.from({ length: ROWS * COLUMNS }, (_, n) => data[(TO + Math.floor(n / COLUMNS) * STRIDE) / 4 + (n % COLUMNS)] ?? Number.NaN);
};

const H = 3;

const blocks: readonly Block[] = [
  { N: 7, M: 100, head: 0, i: 0, j: 0 },
  { N: 70, M: 4000, head: 5, i: 64, j: 3001 },
  // Two rows, or one, to a high word.
  { N: 9, M: 2 ** 23, head: 4, i: 3, j: 2 ** 23 - COLUMNS },
  { N: 9, M: 2 ** 24, head: 2, i: 1, j: 4090 },
];

it.each(blocks)("%o", (block) => {
  for (const [rate, key] of [[0.1, [0, 0, 0, 0]], [0.5, [65535, 1, 40000, 12345]], [0.93, [1, 2, 3, 4]]] as const) {
    const z = multiplierOf(rate, Float64Array.from(key), { H, N: block.N, M: block.M });
    const got = drawn(key, rate, block);
    const wanted = Float32Array.from(got, (_, n) => z(block.head * block.N + block.i + Math.floor(n / COLUMNS), block.j + (n % COLUMNS)));
    expect(got).toEqual(wanted);
    expect(new Set(wanted).size).toBe(2);
  }
});

it("what of a draw depends on the key alone is in the table: two numbers a round of twelve, and two constants", () => {
  expect(dropoutTableBytes()).toBe((2 * 12 + 2) * 16);
});
