/** @file scatter_add in WebAssembly: the examples of its record, widths that fit no vector, rows without updates and with many. */

import { describe, expect, it } from "vitest";
import { emitScatterAdd } from "../../compiler/codegen/wasm/native/scatter-add.ts";
import { scatterAdd } from "../../ir/ops/gather.ts";
import { tensor } from "../../ir/types.ts";
import { casesOf, dataOf, exampleData, source, typesOf } from "../numeric/support.ts";
import { callOf, checkNative, runNative } from "./native-tools.ts";

describe("scatter_add", () => {
  it.each(casesOf(scatterAdd))("$label", ({ example }) => {
    checkNative(emitScatterAdd, callOf(scatterAdd, typesOf(example), example.attrs), dataOf(example));
  });

  it.each([
    [1, 1, 1], [7, 40, 1], [7, 40, 2], [7, 40, 3], [7, 40, 5], [3, 100, 8], [50, 9, 12], [11, 64, 21], [300, 500, 64],
  ])("%i rows, %i updates of width %i", (rows, count, width) => {
    const types = [tensor("i32", [count]), tensor("f32", [count, width])];
    const uniform = source(5);
    const updates = exampleData({ type: types[1] ?? tensor("f32", []), elements: "normal" }, uniform);
    const ids = Float64Array.from({ length: count }, () => Math.floor(uniform() ** 2 * rows));
    checkNative(emitScatterAdd, callOf(scatterAdd, types, { type: tensor("f32", [rows, width]) }), [ids, updates]);
  });

  it("leaves out what is no row, and writes nowhere else", () => {
    const types = [tensor("i32", [6]), tensor("f32", [6])];
    const [y] = runNative(emitScatterAdd, callOf(scatterAdd, types, { type: tensor("f32", [3]) }), [[0, -1, 2, 3, 2, 5e9], [1, 2, 4, 8, 16, 32]]);
    expect([...(y ?? [])]).toEqual([1, 0, 20]);
  });
});
