/** @file Sugar for expansions: arithmetic on values as functions, so that an expansion reads like its formula. */

import type { Builder } from "../builder.ts";
import type { TensorType, Value } from "../core.ts";
import { sameShape } from "../types.ts";
import { einsum } from "./contract.ts";
import { add, div, exp, mul, sub } from "./elementwise.ts";
import { reshape } from "./shape.ts";

export const plus = (b: Builder, x: Value, y: Value): Value => b.one(add, [x, y], {});
export const minus = (b: Builder, x: Value, y: Value): Value => b.one(sub, [x, y], {});
export const times = (b: Builder, x: Value, y: Value): Value => b.one(mul, [x, y], {});
export const over = (b: Builder, x: Value, y: Value): Value => b.one(div, [x, y], {});
export const expOf = (b: Builder, x: Value): Value => b.one(exp, [x], {});

export const contract = (b: Builder, x: Value, y: Value, spec: string): Value => b.one(einsum, [x, y], { spec });

/** x under the shape of `type`; x itself where it has it already. */
export const reshaped = (b: Builder, x: Value, type: TensorType): Value =>
  sameShape(x.type, type) ? x : b.one(reshape, [x], { type: { ...type, dtype: x.type.dtype } });
