/** @file Bounds of scores: sound for every operation, on random functions and for every way to normalise; as tight as
 *  the mathematics says; and what is said where there is none. */

import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { compile } from "../../compiler/driver.ts";
import type { Data, Func, Param, Value } from "../../ir/core.ts";
import { interpret } from "../../ir/interpret.ts";
import { attention } from "../../ir/ops/index.ts";
import { elements, strides } from "../../ir/types.ts";
import { bounded } from "../../passes/attention/bounded.ts";
import type { Bounded } from "../../passes/attention/bounded.ts";
import { reshapedNorms } from "../../passes/attention/bound-rules.ts";
import { scoreBounds, unboundedParam, valueBounds } from "../../passes/attention/score-bound.ts";
import type { ScoreBound } from "../../passes/attention/score-bound.ts";
import { CASES, dataOf, makeFunc, namedInputs, source, typesOf } from "../numeric/support.ts";
import { funcOf, good } from "../lang/support.ts";
import { randomFuncs } from "./random-func.ts";

/** ‖x along axis‖, the largest there is. */
const normAlong = (data: Data, shape: readonly number[], axis: number): number => {
  const step = strides(shape)[axis] ?? 1;
  const size = shape[axis] ?? 1;
  let most = 0;
  for (let i = 0; i < data.length; i++) {
    if (Math.floor(i / step) % size !== 0) continue;
    let sum = 0;
    for (let j = 0; j < size; j++) sum += (data[i + j * step] ?? 0) ** 2;
    most = Math.max(most, Math.sqrt(sum));
  }
  return most;
};

/** The tightest bound of some data. */
const boundOfData = ({ value: { type } }: Param, data: Data): Bounded => {
  const norms = type.shape.map((_, axis) => normAlong(data, type.shape, axis));
  return bounded(type, { lo: Math.min(...data), hi: Math.max(...data) }, norms, () => ({ text: "data", distance: 0 }));
};

const ROUNDING = 1e-9;

/** The values of a function that break the bounds derived from those of its inputs. */
const broken = (func: Func, inputs: ReadonlyMap<string, Data>, ofParam: (param: Param) => Bounded): readonly string[] => {
  const bounds = valueBounds(func, ofParam);
  const wrong: string[] = [];
  interpret(func, inputs, {
    onOp: (operation, results) =>
      operation.results.forEach((value, i) => {
        const [known, data] = [bounds.get(value), results[i] ?? new Float64Array()];
        if (known === undefined) wrong.push(`${operation.op.mnemonic}: nothing known`);
        else if (!holds(known, data, value)) wrong.push(`${operation.op.mnemonic}: ${JSON.stringify(known)}`);
      }),
  });
  return wrong;
};

const holds = ({ lo, hi, norms }: Bounded, data: Data, { type }: Value): boolean => {
  const slack = (bound: number): number => ROUNDING * (1 + (Number.isFinite(bound) ? Math.abs(bound) : 0));
  const inside = data.every((x) => x >= lo - slack(lo) && x <= hi + slack(hi));
  return inside && type.shape.every((_, axis) => normAlong(data, type.shape, axis) <= (norms[axis] ?? 0) + slack(norms[axis] ?? 0));
};

describe("sound", () => {
  test.each(CASES)("$label", ({ op, example }) => {
    const func = makeFunc(typesOf(example), (b, operands) => b.all(op, [...operands], example.attrs));
    for (const seed of [1, 2, 3]) {
      const inputs = namedInputs(dataOf(example, seed));
      const ofData = (param: Param): Bounded => boundOfData(param, inputs.get(param.name) ?? new Float64Array());
      expect(broken(func, inputs, ofData)).toEqual([]);
      expect(broken(func, inputs, unboundedParam)).toEqual([]);
    }
  });

  it("on random functions", () => {
    fc.assert(
      fc.property(randomFuncs, ({ func, inputs }) => {
        const ofData = (param: Param): Bounded => boundOfData(param, inputs.get(param.name) ?? new Float64Array());
        expect([...broken(func, inputs, ofData), ...broken(func, inputs, unboundedParam)]).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it("in every reshape", () => {
    const shapes = [[4, 6], [24], [2, 2, 6], [4, 2, 3], [1, 24], [8, 3], [4, 1, 6], [2, 12], [24, 1], [6, 4], [2, 3, 4]];
    const draw = source(5);
    const data = Float64Array.from({ length: 24 }, () => draw() - 0.5);
    for (const from of shapes)
      for (const to of shapes) {
        const norms = reshapedNorms(from, to, from.map((_, axis) => normAlong(data, from, axis)));
        to.forEach((_, axis) => expect(normAlong(data, to, axis)).toBeLessThanOrEqual((norms[axis] ?? 0) + ROUNDING));
      }
    expect(reshapedNorms([2, 3, 12], [2, 3, 3, 4], [Infinity, Infinity, 5])).toEqual([Infinity, Infinity, 5, 5]);
    expect(reshapedNorms([3, 4], [12], [Infinity, 2])).toEqual([2 * Math.sqrt(3)]);
  });
});

/** One attention over queries and keys [B, H, T, K] that are made of `q` and `k`, products of trained weights. */
const program = (body: string, options: string, params = "", tokens = "6"): string => `
dim B = 2
dim T = ${tokens}
dim D = 12
dim H = 3
dim K = D / H
${params.includes("layer") ? params : ""}
layer Site(x: [B, T, D]) -> [B, H, T, K] {
  param wq, wk, wv: [D, H, K] ~ normal(std: 1)
  ${params.includes("layer") ? "" : params}
  let q = einsum(x, wq, "b t d, d h k -> b h t k")
  let k = einsum(x, wk, "b t d, d h k -> b h t k")
  let v = einsum(x, wv, "b t d, d h k -> b h t k")
  ${body}
  return attention(a, c, v, ${options})
}
model M(x: [B, T, D]) { return Site(x) }
`;

const boundIn = (func: Func): ScoreBound => {
  const [bound] = scoreBounds(func).values();
  if (bound === undefined) throw new Error("no attention");
  return bound;
};

/** max |scale q k| of the attention, with parameters and inputs of several sizes. */
const largestScore = (func: Func): number => {
  let most = 0;
  [1, 30, 1e-3].forEach((size, seed) => {
    const draw = source(seed + 7);
    const inputs = new Map(func.params.map(({ name, value }) => [name, Float64Array.from({ length: elements(value.type) }, () => size * (draw() * 4 - 2))]));
    const values = new Map<Value, Data>(func.params.map(({ name, value }) => [value, inputs.get(name) ?? new Float64Array()]));
    interpret(func, inputs, {
      onOp: ({ op, operands, attrs, results }, data) => {
        results.forEach((value, i) => values.set(value, data[i] ?? new Float64Array()));
        if (op !== attention) return;
        const [q, k] = operands.map((value) => values.get(value) ?? new Float64Array());
        const [B = 0, H = 0, N = 0, K = 0] = operands[0]?.type.shape ?? [];
        const { scale } = attrs as { readonly scale: number };
        for (let head = 0; head < B * H; head++)
          for (let i = 0; i < N; i++)
            for (let j = 0; j < N; j++) {
              let score = 0;
              for (let x = 0; x < K; x++) score += (q?.[(head * N + i) * K + x] ?? 0) * (k?.[(head * N + j) * K + x] ?? 0);
              most = Math.max(most, Math.abs(scale * score));
            }
      },
    });
  });
  return most;
};

const CAUSAL = "mask: causal, scale: 1";
const UNIT = "let c = k / sqrt(sum(k * k, axis: -1, keep: true) + 1e-6)";

type BoundedCase = readonly [what: string, body: string, bound: number, params: string, options: string];

/** Bodies that make `a` of q and `c` of k, and the bound. */
const BOUNDED: readonly BoundedCase[] = [
  ["L2 norms", `let a = q / sqrt(sum(q * q, axis: -1, keep: true) + 1e-6)\n${UNIT}`, 1, "", CAUSAL],
  ["a scale", `let a = q / sqrt(sum(q * q, axis: -1, keep: true) + 1e-6)\n${UNIT}`, 2.5, "", "scale: -2.5"],
  ["rsqrt of a mean", `let a = q * rsqrt(mean(q * q, axis: -1, keep: true) + 1e-6)\n${UNIT}`, 2, "", CAUSAL],
  ["a mean over a root", `let a = q / sqrt(mean(q * q, axis: -1, keep: true) + 1e-6)\n${UNIT}`, 2, "", CAUSAL],
  ["the order of factors", `let a = rsqrt(1e-6 + mean(q * q, axis: -1, keep: true)) * q\n${UNIT}`, 2, "", CAUSAL],
  ["one over a root", `let a = q * (1 / sqrt(sum(q * q, axis: -1, keep: true) + 1e-6))\n${UNIT}`, 1, "", CAUSAL],
  ["powers", `let a = q * (sum(q ** 2, axis: -1, keep: true) + 1e-6) ** -0.5\n${UNIT}`, 1, "", CAUSAL],
  ["a root as a power", `let a = q / (sum(q ** 2, axis: -1, keep: true) + 1e-6) ** 0.5\n${UNIT}`, 1, "", CAUSAL],
  ["a maximum", `let a = q / max(sqrt(sum(q * q, axis: -1, keep: true)), 1e-6)\n${UNIT}`, 1, "", CAUSAL],
  ["a root and a bit", `let a = q / (sqrt(sum(q * q, axis: -1, keep: true)) + 1e-6)\n${UNIT}`, 1, "", CAUSAL],
  ["a factor below", `let a = q / (2 * sqrt(sum(q * q, axis: -1, keep: true) + 1e-6))\n${UNIT}`, 0.5, "", CAUSAL],
  ["centred", `let m = q - mean(q, axis: -1, keep: true)\nlet a = m * rsqrt(mean(m * m, axis: -1, keep: true) + 1e-6)\n${UNIT}`, 2, "", CAUSAL],
  ["rotary positions", `let a = rope(q / sqrt(sum(q * q, axis: -1, keep: true) + 1e-6))\n${UNIT.replace("let c =", "let n =")}\nlet c = rope(n)`, 1, "", CAUSAL],
  ["a clipped gain", `let a = min(max(gain, -2), 2) * q / sqrt(sum(q * q, axis: -1, keep: true) + 1e-6)\n${UNIT}`, 2, "param gain: [K] ~ ones", CAUSAL],
  ["a saturated gain", `let a = 3 * sigmoid(gain) * (q / sqrt(sum(q * q, axis: -1, keep: true) + 1e-6))\n${UNIT}`, 3, "param gain: [K] ~ ones", CAUSAL],
  ["tanh", `let a = tanh(q)\n${UNIT}`, 2, "", CAUSAL],
  ["softmax", `let a = softmax(q, axis: -1)\n${UNIT}`, 1, "", CAUSAL],
  ["sums", `let n = q / sqrt(sum(q * q, axis: -1, keep: true) + 1e-6)\nlet a = n + 0.5 * n\n${UNIT}`, 1.5, "", CAUSAL],
  ["a choice", `let n = q / sqrt(sum(q * q, axis: -1, keep: true) + 1e-6)\nlet a = where(q > 0, n, 0)\n${UNIT}`, 1, "", CAUSAL],
];

describe("bounded by", () => {
  test.each(BOUNDED)("%s", (_, body, bound, params, options) => {
    const text = program(body, options, params);
    const func = funcOf(good(text), "forward");
    expect(boundIn(func).bound).toBeCloseTo(bound, 9);
    expect(largestScore(func)).toBeLessThanOrEqual(bound * (1 + ROUNDING));
    expect(largestScore(func)).toBeGreaterThan(bound * 0.4);
    // Rules and cse leave it provable.
    const { gradient } = compile({ file: "m.sq", text });
    expect(boundIn(funcOf(gradient, "forward")).bound).toBeCloseTo(bound, 9);
  });

  test("normalisation before heads are split", () => {
    const body = `let n = einsum(x, w, "b t d, d e -> b t e")
      let a = rearrange(n / sqrt(sum(n * n, axis: -1, keep: true) + 1e-6), "b t (h k) -> b h t k", h: H)\n${UNIT}`;
    expect(boundIn(funcOf(good(program(body, "scale: 1", "param w: [D, D] ~ normal(std: 1)")), "forward")).bound).toBeCloseTo(1, 9);
  });

  // By 2√2, from the single operations: none of these keeps the norm.
  test.each([
    ["two angles", "left * cos(t) - right * sin(t), right * cos(2 * t) + left * sin(t)"],
    ["no opposite signs", "left * cos(t) + right * sin(t), right * cos(t) + left * sin(t)"],
    ["one part twice", "left * cos(t) - left * sin(t), left * cos(t) + left * sin(t)"],
  ])("no rotation: %s", (_, parts) => {
    const body = `let n = q / sqrt(sum(q * q, axis: -1, keep: true) + 1e-6)
      let left, right = split(n, 2, axis: -1)
      let t = rearrange(float(arange(T)), "t -> t 1")
      let a = concat(${parts}, axis: -1)\n${UNIT}`;
    const func = funcOf(good(program(body, "scale: 1")), "forward");
    expect(boundIn(func).bound).toBeCloseTo(2 * Math.SQRT2, 9);
    expect(largestScore(func)).toBeGreaterThan(1.01);
  });

  test("a bias adds to it", () => {
    const body = `let a = q / sqrt(sum(q * q, axis: -1, keep: true) + 1e-6)\n${UNIT}`;
    const found = boundIn(funcOf(good(program(body, "scale: 2, bias: alibi(H, T, T)")), "forward"));
    // Slopes 2^(-8/3), …: the largest slope, five tokens away.
    expect(found.bound).toBeGreaterThanOrEqual(2 + 5 * 2 ** (-8 / 3));
    expect(found.bound).toBeLessThan(2 + 7);
    expect(found.why).toMatch(/^\|scores\| <= \|scale\| ‖q‖ ‖k‖ = 2 · 1 · 1, and \|bias\| <= [\d.]+: at most [\d.]+$/);
  });
});

const NORMAL = "let a = q / sqrt(sum(q * q, axis: -1, keep: true) + 1e-6)";
const TRAINED_NORM = `layer QNorm(x: [..., K]) -> [..., K] {
  param gain: [K] ~ ones
  return x * rsqrt(mean(x * x, axis: -1, keep: true) + 1e-6) * gain
}`;

const UNBOUNDED: readonly (readonly [body: string, why: string, params: string, options: string])[] = [
  ["let a = q\nlet c = k", "queries without a bound: `wq` of Site is trained, hence unbounded", "", CAUSAL],
  [`${NORMAL}\nlet c = k`, "keys without a bound: `wk` of Site is trained, hence unbounded", "", CAUSAL],
  [`let a = QNorm(q)\n${UNIT}`, "queries without a bound: `gain` of Site.QNorm is trained, hence unbounded", TRAINED_NORM, CAUSAL],
  [`let a = q / sqrt(sum(k * k, axis: -1, keep: true) + 1e-6)\n${UNIT}`, "queries without a bound: `wq` of Site is trained, hence unbounded", "", CAUSAL],
  [`let a = q / sqrt(sum(q * q, axis: 2, keep: true) - 1)\n${UNIT}`, "queries without a bound: `wq` of Site is trained, hence unbounded", "", CAUSAL],
  // The norm of other elements, and a norm that something may have been taken off.
  [`let a = q / sqrt(rearrange(sum(rearrange(q, "b h t k -> b h k t") ** 2, axis: -1), "b h k -> b h k 1") + 1e-6)\n${UNIT}`, "queries without a bound: `wq` of Site is trained, hence unbounded", "", CAUSAL],
  [`let a = q / sqrt(max(sum(q * q, axis: -1, keep: true) + 3 * tanh(shift), 1e-6))\n${UNIT}`, "queries without a bound: `wq` of Site is trained, hence unbounded", "param shift: [1] ~ zeros", CAUSAL],
  [`let a = rearrange(x, "b t (h k) -> b h t k", h: H)\n${UNIT}`, "queries without a bound: `x` is an input, hence unbounded", "", CAUSAL],
  [`${NORMAL}\n${UNIT}`, "the bias without a bound: `table` of Site is trained, hence unbounded", "param table: [T, T] ~ zeros", "bias: table"],
];

test.each(UNBOUNDED)("no bound: %s", (body, why, params, options) => {
  // As many tokens as a head is wide, so that a norm along the wrong axis has the right shape.
  expect(boundIn(funcOf(good(program(body, options, params, "D / H")), "forward"))).toEqual({ bound: null, why });
});

it("a norm over another axis bounds the norm along the width by that of a unit interval", () => {
  const body = `let a = q / sqrt(sum(q * q, axis: 2, keep: true) + 1e-6)\n${UNIT}`;
  expect(boundIn(funcOf(good(program(body, "scale: 1")), "forward")).bound).toBeCloseTo(2, 9);
});
