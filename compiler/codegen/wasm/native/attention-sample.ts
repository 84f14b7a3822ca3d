/** @file The sample of a group of rows, after its powers are complete: what sample.ts draws from, and where it writes. */

import { capacity } from "../../../../ir/ops/attention-sampled-attrs.ts";
import type { SampledAttrs } from "../../../../ir/ops/attention-sampled-attrs.ts";
import type { FunctionBuilder } from "../builder.ts";
import type { FunctionTable } from "../function-table.ts";
import { choose, f32, keep as keepLanes } from "../math-lanes.ts";
import type { Lanes } from "../math-lanes.ts";
import type { Block, Group } from "./attention-block.ts";
import { RECORD } from "./attention-plan.ts";
import type { AttentionPlan } from "./attention-plan.ts";
import { add, call, held, of, sub, times } from "./integers.ts";
import type { Int } from "./integers.ts";
import { FLOAT, rowsProduct } from "./rows-product.ts";
import { rowsControl } from "./sample-control.ts";
import { rowsSample, SAMPLE } from "./sample.ts";

export interface Drawing {
  readonly f: FunctionBuilder;
  readonly table: FunctionTable;
  readonly block: Block;
  readonly plan: AttentionPlan;
  readonly attrs: SampledAttrs;
}

export const drawSample = (drawing: Drawing, group: Group): void => {
  const { f, table, block, plan, attrs } = drawing;
  const { N } = plan.sizes;
  const slots = capacity(attrs, plan.sizes);
  const signed = attrs.control.length > 0;
  if (signed) control(drawing, group);
  else plainFactors(f, group, attrs);
  const parameter = (name: string): Int => held(f.parameter(name));
  call(f, table.shared(() => rowsSample({ sizes: plan.sizes, sampler: attrs.sampler, slots, signed }, table)),
    group.part("s"), group.bound("first"), group.bound("end"), group.part("sample"),
    add(parameter("kept"), times(held(block.head), N * slots * FLOAT)), sub(parameter("weights"), parameter("kept")),
    parameter("key"), held(block.head), held(group.i));
};

/** factor = c / total, unit = 1 / total, cap = 1 / c; a row without keys has only powers that are 0. */
const plainFactors = (f: FunctionBuilder, { record, part }: Group, { c }: SampledAttrs): void => {
  for (const byte of [0, 16]) {
    const total = keepLanes(f, "total", (g) => void g.get(record).op("v128.load", 2, RECORD.total + byte));
    const unit = keepLanes(f, "unit", f32.div(f32.of(1), choose(f32.eq(total, f32.of(0)), f32.of(1), total)));
    const store = (name: "factor" | "unit" | "cap", value: Lanes): void => {
      part("sample")(f);
      value(f);
      f.op("v128.store", 2, SAMPLE[name] + byte);
    };
    store("factor", f32.mul(unit, f32.of(c)));
    store("unit", unit);
    store("cap", f32.of(1 / c));
  }
};

/** The score of the centre, as `top` is that of the largest key, is left where nobody reads it any more. */
const control = ({ f, table, block, plan, attrs }: Drawing, { record, i, part, bound }: Group): void => {
  const { N, K } = plan.sizes;
  const center = add(held(f.parameter("center")), times(held(block.keyHead), K * FLOAT));
  const at = add(held(record), of(RECORD.nowhere));
  call(f, table.shared(() => rowsProduct(1, { across: K * FLOAT, along: FLOAT }, "fresh")), center, part("q"), at, of(1), of(K), part("sample"));
  call(f, table.shared(() => rowsControl(attrs, N)), part("s"), part("e"), bound("first"), bound("end"), add(held(record), of(RECORD.total)), at, part("sample"),
    add(held(f.parameter("gate")), times(held(block.head), N * FLOAT)), held(i));
};
