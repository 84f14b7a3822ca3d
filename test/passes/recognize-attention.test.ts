/** @file Spellings of attention that must be recognised, and compute the same; near misses that must be left alone. */

import { describe, expect, test } from "vitest";
import type { Func, Module, Value } from "../../ir/core.ts";
import { interpret } from "../../ir/interpret.ts";
import * as sq from "../../ir/ops/index.ts";
import type { AttentionAttrs } from "../../ir/ops/attention-attrs.ts";
import { named, withDType } from "../../ir/types.ts";
import { parsePipeline } from "../../passes/parse-pipeline.ts";
import { runPipeline } from "../../passes/run.ts";
import type { RunResult } from "../../passes/run.ts";
import { exampleData, relativeError, source } from "../numeric/support.ts";
import { B, E, H, K, KEYS, PLANE, Q, S, SCORES, T, VALUES, Written } from "./written.ts";

type Write = (w: Written, q: Value, k: Value, v: Value) => Value;

const written = (write: Write): Module => {
  const w = new Written();
  const [q, k, v] = [w.param("q", Q), w.param("k", KEYS), w.param("v", VALUES)];
  const result = write(w, q, k, v);
  const params = w.params.map((value) => ({ value, name: value.name, role: "input" as const, init: "" }));
  const func: Func = { name: "forward", params, ops: w.b.ops, results: [{ name: "result", value: result }] };
  return { name: "m", dims: new Map(), attrs: {}, funcs: [func] };
};

const recognised = (module: Module): RunResult => runPipeline(module, parsePipeline("canonicalize,cse,recognize-attention,dce"));

const only = (module: Module): Func => {
  const [func] = module.funcs;
  if (func === undefined) throw new Error("no function");
  return func;
};

const valueOf = (module: Module): Float64Array => {
  const func = only(module);
  const inputs = func.params.map(({ name, value: { type } }, i): [string, Float64Array] => {
    // Lengths from 1 and masks that keep the diagonal: no query is without keys.
    const data = exampleData({ type, elements: type.dtype === "f32" ? "normal" : type.dtype === "i1" ? "bool" : "index", below: S }, source(i + 1));
    if (type.dtype === "i32") return [name, data.map((x) => x + 1)];
    if (type.dtype !== "i1") return [name, data];
    const keys = type.shape.at(-1) ?? 1;
    return [name, data.map((x, j) => (j % keys === 0 ? 1 : x))];
  });
  return interpret(func, new Map(inputs)).results.get("result") ?? new Float64Array();
};

const SPELLINGS: Record<string, { write: Write; expected: Partial<AttentionAttrs> }> = {
  "nothing but the softmax": {
    write: (w, q, k, v) => w.attend(w.product(q, k), v),
    expected: { scale: 1, causal: false, extras: [] },
  },
  "scale multiplied, causal by i >= j": {
    write: (w, q, k, v) => w.attend(w.masked(w.scaled(w.product(q, k), 0.5), w.causal), v),
    expected: { scale: 0.5, causal: true, extras: [] },
  },
  "scale divided, on the left of the sum": {
    write: (w, q, k, v) => {
      const s = w.product(q, k);
      return w.attend(w.b.one(sq.div, [s, w.full(3, s.type)], {}), v);
    },
    expected: { scale: 1 / 3 },
  },
  "scale on the queries and on the keys": {
    write: (w, q, k, v) => w.attend(w.product(w.scaled(q, 0.5), w.scaled(k, 0.25)), v),
    expected: { scale: 0.125 },
  },
  "mask before the scale": {
    write: (w, q, k, v) => w.attend(w.scaled(w.masked(w.product(q, k), w.causal), 0.5), v),
    expected: { scale: 0.5, causal: true },
  },
  "causal as an additive mask of selected numbers": {
    write: (w, q, k, v) => {
      const low = w.b.one(sq.select, [w.compare(w.index(1), "gt", w.index(0)), w.full(-1e30, PLANE), w.full(0, PLANE)], {});
      return w.attend(w.b.one(sq.add, [w.scaled(w.product(q, k), 0.5), w.spread(low, [2, 3])], {}), v);
    },
    expected: { causal: true, scale: 0.5, extras: [] },
  },
  "causal as (1 - mask) * -1e30, added on the left": {
    write: (w, q, k, v) => {
      const mark = w.b.one(sq.convert, [w.compare(w.index(1), "le", w.index(0))], { to: "f32" });
      const low = w.scaled(w.b.one(sq.sub, [w.full(1, PLANE), mark], {}), -1e30);
      return w.attend(w.b.one(sq.add, [w.spread(low, [2, 3]), w.product(q, k)], {}), v);
    },
    expected: { causal: true, extras: [] },
  },
  "causal as not (j > i), by a difference": {
    write: (w, q, k, v) => {
      const difference = w.b.one(sq.sub, [w.index(1), w.index(0)], {});
      const later = w.compare(difference, "gt", w.full(0, withDType(PLANE, "i32")));
      const mask = w.spread(w.b.one(sq.not, [later], {}), [2, 3]);
      return w.attend(w.masked(w.product(q, k), mask), v);
    },
    expected: { causal: true, extras: [] },
  },
  "causal and a window": {
    write: (w, q, k, v) => {
      const recent = w.compare(w.b.one(sq.sub, [w.index(0), w.index(1)], {}), "lt", w.full(2, withDType(PLANE, "i32")));
      const mask = w.b.one(sq.and, [w.compare(w.index(0), "ge", w.index(1)), recent], {});
      return w.attend(w.masked(w.product(q, k), w.spread(mask, [2, 3])), v);
    },
    expected: { causal: true, window: 2, extras: [] },
  },
  lengths: {
    write: (w, q, k, v) => {
      const lengths = w.param("lengths", named("i32", [["B", B]]));
      const mask = w.compare(w.index(3, SCORES), "lt", w.spread(lengths, [0]));
      return w.attend(w.masked(w.product(q, k), mask), v);
    },
    expected: { causal: false, extras: ["lengths"] },
  },
  "lengths and causal, one select each": {
    write: (w, q, k, v) => {
      const lengths = w.param("lengths", named("i32", [["B", B]]));
      const mask = w.compare(w.spread(lengths, [0]), "gt", w.index(3, SCORES));
      return w.attend(w.masked(w.masked(w.product(q, k), mask), w.causal), v);
    },
    expected: { causal: true, extras: ["lengths"] },
  },
  "a boolean tensor over keys": {
    write: (w, q, k, v) => {
      const mask = w.param("mask", named("i1", [["B", B], ["S", S]]));
      return w.attend(w.masked(w.product(q, k), w.spread(mask, [0, 3])), v);
    },
    expected: { extras: ["mask"] },
  },
  "a boolean tensor for every head, negated in a select": {
    write: (w, q, k, v) => {
      const hidden = w.param("hidden", named("i1", [["T", T], ["S", S]]));
      const shown = w.b.one(sq.not, [hidden], {});
      const s = w.product(q, k);
      return w.attend(w.b.one(sq.select, [w.spread(shown, [2, 3]), w.full(-1e30, s.type), s], {}), v);
    },
    expected: { extras: ["mask"] },
  },
  "a bias after the scale": {
    write: (w, q, k, v) => {
      const bias = w.param("bias", named("f32", [["H", H], ["T", T], ["S", S]]));
      return w.attend(w.b.one(sq.add, [w.scaled(w.product(q, k), 0.5), w.spread(bias, [1, 2, 3])], {}), v);
    },
    expected: { scale: 0.5, extras: ["bias"] },
  },
  "a bias before the scale, and causal": {
    write: (w, q, k, v) => {
      const bias = w.param("bias", PLANE);
      const sum = w.b.one(sq.sub, [w.product(q, k), w.spread(bias, [2, 3])], {});
      return w.attend(w.masked(w.scaled(sum, 0.5), w.causal), v);
    },
    expected: { scale: 0.5, causal: true, extras: ["bias"] },
  },
  "softmax as exp(s - max) / sum": {
    write: (w, q, k, v) => {
      const s = w.scaled(w.product(q, k), 0.5);
      const most = w.b.one(sq.reduceMax, [s], { axes: [3] });
      const e = w.b.one(sq.exp, [w.b.one(sq.sub, [s, w.spread(most, [0, 1, 2])], {})], {});
      const total = w.b.one(sq.reduceSum, [e], { axes: [3] });
      return w.weigh(w.b.one(sq.div, [e, w.spread(total, [0, 1, 2])], {}), v);
    },
    expected: { scale: 0.5 },
  },
  "softmax without the maximum": {
    write: (w, q, k, v) => {
      const e = w.b.one(sq.exp, [w.product(q, k)], {});
      const total = w.b.one(sq.reduceSum, [e], { axes: [3] });
      return w.weigh(w.b.one(sq.div, [e, w.spread(total, [0, 1, 2])], {}), v);
    },
    expected: { scale: 1 },
  },
  "keys transposed, values first, result transposed": {
    write: (w, q, k, v) => {
      const kt = w.b.one(sq.transpose, [k], { perm: [0, 1, 3, 2] });
      const s = w.b.one(sq.einsum, [q, kt], { spec: "b h t k, b h k s -> b h t s" });
      const p = w.b.one(sq.softmax, [s], { axis: 3 });
      return w.b.one(sq.einsum, [v, p], { spec: "x y j e, x y i j -> x i y e" });
    },
    expected: { scale: 1 },
  },
  "scores with the keys first": {
    write: (w, q, k, v) => {
      const s = w.b.one(sq.einsum, [k, q], { spec: "b h s k, b h t k -> b h s t" });
      const p = w.b.one(sq.softmax, [s], { axis: 2 });
      return w.b.one(sq.einsum, [p, v], { spec: "b h s t, b h s e -> b h t e" });
    },
    expected: { scale: 1 },
  },
  "one head, no batch": {
    write: (w) => {
      const [q, k, v] = [w.param("q1", named("f32", [["T", T], ["K", K]])), w.param("k1", named("f32", [["S", S], ["K", K]])), w.param("v1", named("f32", [["S", S], ["E", E]]))];
      const s = w.b.one(sq.einsum, [q, k], { spec: "t k, s k -> t s" });
      const mask = w.compare(w.index(0), "ge", w.index(1));
      const p = w.b.one(sq.softmax, [w.masked(w.scaled(s, 0.5), mask)], { axis: 1 });
      return w.b.one(sq.einsum, [p, v], { spec: "t s, s e -> t e" });
    },
    expected: { causal: true, scale: 0.5 },
  },
};

describe("recognised", () => {
  test.each(Object.entries(SPELLINGS))("%s", (_, { write, expected }) => {
    const module = written(write);
    const result = recognised(module);
    const sites = only(result.module).ops.filter(({ op }) => op === sq.attention);
    expect(sites).toHaveLength(1);
    expect(sites[0]?.attrs).toMatchObject(expected);
    expect(only(result.module).ops.some(({ op }) => op === sq.softmax || op === sq.exp)).toBe(false);
    expect(result.remarks.map((remark) => remark.kind)).toEqual(["applied"]);
    expect(relativeError(valueOf(result.module), valueOf(module))).toBeLessThan(1e-12);
  });
});

const NEAR_MISSES: Record<string, { write: Write; reason: RegExp | null }> = {
  "softmax over the queries": {
    write: (w, q, k, v) => w.weigh(w.b.one(sq.softmax, [w.product(q, k)], { axis: 2 }), v),
    reason: /does not sum over the keys|axes of the keys/,
  },
  "weights changed after the softmax": {
    write: (w, q, k, v) => {
      const p = w.b.one(sq.softmax, [w.product(q, k)], { axis: 3 });
      return w.weigh(w.b.one(sq.mul, [p, w.param("drop", SCORES)], {}), v);
    },
    reason: /sq\.mul changes the weights/,
  },
  "a scale that is data": {
    write: (w, q, k, v) => {
      const temperature = w.param("temperature", named("f32", []));
      return w.attend(w.b.one(sq.mul, [w.product(q, k), w.spread(temperature, [])], {}), v);
    },
    reason: /scale is not a number known/,
  },
  "a fill that still has weight": {
    write: (w, q, k, v) => w.attend(w.masked(w.product(q, k), w.causal, -10), v),
    reason: /filled with -10/,
  },
  "weights that something else reads": {
    write: (w, q, k, v) => {
      const p = w.b.one(sq.softmax, [w.product(q, k)], { axis: 3 });
      const more = w.b.one(sq.reduceSum, [p], { axes: [0, 1, 2, 3] });
      const o = w.weigh(p, v);
      return w.b.one(sq.add, [o, w.spread(more, [], o.type)], {});
    },
    reason: /used in another place/,
  },
  "something between product and softmax": {
    write: (w, q, k, v) => w.attend(w.b.one(sq.tanh, [w.product(q, k)], {}), v),
    reason: /sq\.tanh stands between/,
  },
  "a softmax that is no attention": {
    write: (w, q, k) => w.b.one(sq.softmax, [w.product(q, k)], { axis: 3 }),
    reason: null,
  },
};

describe("left alone", () => {
  test.each(Object.entries(NEAR_MISSES))("%s", (_, { write, reason }) => {
    const module = written(write);
    const result = recognised(module);
    expect(only(result.module).ops.some(({ op }) => op === sq.attention)).toBe(false);
    expect(result.remarks.map((remark) => remark.kind)).toEqual(reason === null ? [] : ["missed"]);
    if (reason !== null) expect(result.remarks[0]?.message).toMatch(reason);
    expect(relativeError(valueOf(result.module), valueOf(module))).toBeLessThan(1e-12);
  });
});

test("a window that is not causal's is a boolean tensor where it cannot be said otherwise", () => {
  const module = written((w, q, k, v) => {
    const odd = w.compare(w.b.one(sq.add, [w.index(0), w.index(1)], {}), "ge", w.full(2, withDType(PLANE, "i32")));
    const first = w.compare(w.index(1), "le", w.full(3, withDType(PLANE, "i32")));
    return w.attend(w.masked(w.product(q, k), w.spread(w.b.one(sq.or, [odd, first], {}), [2, 3])), v);
  });
  const [site] = only(recognised(module).module).ops.filter(({ op }) => op === sq.attention);
  expect(site?.attrs).toMatchObject({ causal: false, window: 0, extras: ["mask"] });
});
