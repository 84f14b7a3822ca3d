/** @file Attention written out, step by step: what the tests of `recognize-attention` put together. */

import { Builder } from "../../ir/builder.ts";
import type { TensorType, Value } from "../../ir/core.ts";
import * as sq from "../../ir/ops/index.ts";
import { named, withDType } from "../../ir/types.ts";

export const [B, H, T, S, K, E] = [2, 3, 5, 5, 4, 6];
export const Q = named("f32", [["B", B], ["H", H], ["T", T], ["K", K]]);
export const KEYS = named("f32", [["B", B], ["H", H], ["S", S], ["K", K]]);
export const VALUES = named("f32", [["B", B], ["H", H], ["S", S], ["E", E]]);
export const SCORES = named("f32", [["B", B], ["H", H], ["T", T], ["S", S]]);
export const PLANE = named("f32", [["T", T], ["S", S]]);

/** Writes attention out with a builder, step by step. */
export class Written {
  readonly b = new Builder();
  readonly params: Value[] = [];

  param(name: string, type: TensorType): Value {
    const value = { name, type };
    this.params.push(value);
    return value;
  }

  full(value: number, type: TensorType): Value {
    return this.b.one(sq.constant, [], { value, type });
  }

  product(q: Value, k: Value): Value {
    return this.b.one(sq.einsum, [q, k], { spec: "b h t k, b h s k -> b h t s" });
  }

  scaled(x: Value, factor: number): Value {
    return this.b.one(sq.mul, [x, this.full(factor, x.type)], {});
  }

  index(axis: number, type: TensorType = PLANE): Value {
    return this.b.one(sq.iota, [], { axis, type: withDType(type, "i32") });
  }

  compare(x: Value, direction: "lt" | "le" | "gt" | "ge", y: Value): Value {
    return this.b.one(sq.compare, [x, y], { direction });
  }

  spread(x: Value, axes: readonly number[], type: TensorType = SCORES): Value {
    return this.b.one(sq.broadcast, [x], { axes, type: withDType(type, x.type.dtype) });
  }

  masked(scores: Value, mask: Value, fill = -1e30): Value {
    return this.b.one(sq.select, [mask, scores, this.full(fill, scores.type)], {});
  }

  get causal(): Value {
    return this.spread(this.compare(this.index(0), "ge", this.index(1)), [2, 3]);
  }

  attend(scores: Value, v: Value): Value {
    return this.weigh(this.b.one(sq.softmax, [scores], { axis: 3 }), v);
  }

  weigh(weights: Value, v: Value): Value {
    return this.b.one(sq.einsum, [weights, v], { spec: "b h t s, b h s e -> b h t e" });
  }
}
