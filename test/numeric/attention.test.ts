/** @file Attention against a softmax written out here, for every mask and grouping; its gradients against central
 *  differences of that softmax; second derivatives; rows without keys. */

import { describe, expect, it } from "vitest";
import type { Data, TensorType } from "../../ir/core.ts";
import { isViolation } from "../../ir/core.ts";
import { evaluateOp, interpret } from "../../ir/interpret.ts";
import { attention, attentionVjp } from "../../ir/ops/index.ts";
import type { AttentionAttrs, AttentionExtra, AttentionSizes as Sizes } from "../../ir/ops/attention-attrs.ts";
import { elements, tensor } from "../../ir/types.ts";
import { reverse } from "./reverse.ts";
import { exampleData, makeFunc, namedInputs, relativeError, source } from "./support.ts";

interface Setup {
  readonly sizes: Sizes;
  readonly attrs: AttentionAttrs;
  readonly types: readonly TensorType[];
  readonly data: readonly Data[];
}

const exact = { scale: 0.6, dropout: 0, site: "", backward: "exact" } as const;

/** Random operands for the given masks. `mask` and `bias` alternate between full and broadcast axes by `seed`. */
const setup = (sizes: Sizes, masks: { causal: boolean; window: number; extras: readonly AttentionExtra[] }, seed: number): Setup => {
  const { B, H, G, N, M, K, E } = sizes;
  const uniform = source(seed);
  const wide = [seed % 2 === 0 ? B : 1, seed % 3 === 0 ? H : 1, N, M];
  const extraTypes: Record<AttentionExtra, TensorType> = {
    lengths: tensor("i32", [B]),
    mask: tensor("i1", wide),
    bias: tensor("f32", wide),
    dropout_key: tensor("i32", [4]),
    active: tensor("i1", [B, H]),
    d_lse: tensor("f32", [B, H, N]),
  };
  const elementsOf = { f32: "normal", i32: "index", i1: "bool" } as const;
  const types = [
    tensor("f32", [B, H, N, K]), tensor("f32", [B, G, M, K]), tensor("f32", [B, G, M, E]),
    ...masks.extras.map((extra) => extraTypes[extra]),
  ];
  const data = types.map((type) => exampleData({ type, elements: elementsOf[type.dtype], below: M + 1 }, uniform));
  return { sizes, attrs: { ...exact, ...masks }, types, data };
};

/** o and lse by the definition, one row at a time, with masked scores at -Infinity. */
const naive = ({ sizes: { B, H, G, N, M, K, E }, attrs, types, data }: Setup): readonly [Data, Data] => {
  const [q, k, v] = data as [Data, Data, Data];
  const extra = (name: AttentionExtra): { x: Data; shape: readonly number[] } | null => {
    const i = attrs.extras.indexOf(name);
    return i < 0 ? null : { x: data[3 + i]!, shape: types[3 + i]!.shape };
  };
  const [lengths, mask, bias] = [extra("lengths"), extra("mask"), extra("bias")];
  const wideAt = ({ x, shape }: { x: Data; shape: readonly number[] }, b: number, h: number, i: number, j: number): number =>
    x[(((b % shape[0]!) * shape[1]! + (h % shape[1]!)) * N + i) * M + j]!;
  const [o, lse] = [new Float64Array(B * H * N * E), new Float64Array(B * H * N)];
  for (let row = 0; row < B * H * N; row++) {
    const [b, h, i] = [Math.floor(row / (H * N)), Math.floor(row / N) % H, row % N];
    const head = b * G + Math.floor((h * G) / H);
    const scores = Array.from({ length: M }, (_, j) => {
      const behind = i + M - N - j;
      const hidden =
        (attrs.causal && behind < 0) ||
        (attrs.window > 0 && behind >= attrs.window) ||
        (lengths !== null && j >= lengths.x[b]!) ||
        (mask !== null && wideAt(mask, b, h, i, j) === 0);
      if (hidden) return Number.NEGATIVE_INFINITY;
      let dot = 0;
      for (let c = 0; c < K; c++) dot += q[row * K + c]! * k[(head * M + j) * K + c]!;
      return attrs.scale * dot + (bias === null ? 0 : wideAt(bias, b, h, i, j));
    });
    const total = scores.reduce((sum, s) => sum + Math.exp(s), 0);
    if (total === 0) continue;
    lse[row] = Math.log(total);
    for (let j = 0; j < M; j++)
      for (let e = 0; e < E; e++) o[row * E + e]! += (Math.exp(scores[j]!) / total) * v[(head * M + j) * E + e]!;
  }
  return [o, lse];
};

const resultTypes = (types: readonly TensorType[], attrs: AttentionAttrs, op = attention): readonly TensorType[] => {
  const found = op.infer(types, attrs);
  if (isViolation(found)) throw new Error(`${found.constraint}: ${found.message}`);
  return found;
};

const forward = ({ types, data, attrs }: Setup): readonly Data[] =>
  evaluateOp(attention, data, types, resultTypes(types, attrs), attrs).results;

/** The gradients of <cO, o> + <cLse, lse>, from the op and from its expansion. */
const backward = (s: Setup, cO: Data, cLse: Data): { whole: readonly Data[]; parts: readonly Data[] } => {
  const [o, lse] = forward(s);
  const [oType, lseType] = resultTypes(s.types, s.attrs) as [TensorType, TensorType];
  const types = [...s.types.slice(0, 3), oType, lseType, oType, ...s.types.slice(3), lseType];
  const data = [...s.data.slice(0, 3), o!, lse!, cO, ...s.data.slice(3), cLse];
  const attrs: AttentionAttrs = { ...s.attrs, extras: [...s.attrs.extras, "d_lse"] };
  const func = makeFunc(types, (b, params) => attentionVjp.expand!(b, params, attrs));
  return {
    whole: evaluateOp(attentionVjp, data, types, resultTypes(types, attrs, attentionVjp), attrs).results,
    parts: [...interpret(func, namedInputs(data)).results.values()],
  };
};

const GROUPINGS = [[1, 1], [2, 2], [4, 2], [3, 1]] as const;
const LENGTHS = [[4, 4], [3, 5], [5, 3]] as const;
const EXTRAS: readonly (readonly AttentionExtra[])[] = [
  [], ["lengths"], ["mask"], ["bias"], ["lengths", "mask"], ["lengths", "bias"], ["mask", "bias"], ["lengths", "mask", "bias"],
];

/** Every combination of masks for one grouping. */
const combinations = (H: number, G: number): readonly Setup[] =>
  LENGTHS.flatMap(([N, M]) =>
    [false, true].flatMap((causal) =>
      [0, 2].flatMap((window) =>
        EXTRAS.map((extras, i) => setup({ B: 2, H, G, N, M, K: 3, E: 2 }, { causal, window, extras }, 1 + i + N + 10 * window)),
      ),
    ),
  );

const nameOf = ({ sizes: { N, M }, attrs }: Setup): string =>
  `N ${N} M ${M}${attrs.causal ? " causal" : ""}${attrs.window > 0 ? ` window ${attrs.window}` : ""} ${attrs.extras.join(" ")}`;

const randomOf = (count: number, seed: number): Data =>
  exampleData({ type: tensor("f32", [count]), elements: "normal" }, source(seed));

describe.each(GROUPINGS)("with %i query heads over %i key heads", (H, G) => {
  it("is softmax over the unmasked keys, whole and expanded, for every combination of masks", () => {
    for (const s of combinations(H, G)) {
      const expected = naive(s);
      const func = makeFunc(s.types, (b, params) => attention.expand!(b, params, s.attrs));
      const parts = [...interpret(func, namedInputs(s.data)).results.values()];
      forward(s).forEach((got, i) => expect(relativeError(got, expected[i]!), nameOf(s)).toBeLessThan(1e-12));
      parts.forEach((got, i) => expect(relativeError(got, expected[i]!), `expanded: ${nameOf(s)}`).toBeLessThan(1e-12));
    }
  });

  it("has the gradients of central differences of that softmax, for every combination of masks", () => {
    for (const s of combinations(H, G)) {
      const [o, lse] = naive(s);
      const [cO, cLse] = [randomOf(o.length, 5), randomOf(lse.length, 6)];
      const { whole, parts } = backward(s, cO, cLse);
      const loss = (data: readonly Data[]): number => {
        const [y, z] = naive({ ...s, data });
        return y.reduce((sum, x, i) => sum + x * cO[i]!, 0) + z.reduce((sum, x, i) => sum + x * cLse[i]!, 0);
      };
      const floats = s.types.flatMap((type, i) => (type.dtype === "f32" ? [i] : []));
      floats.forEach((which, j) => {
        const numeric = centralDifferences(s.data, which, loss);
        expect(relativeError(whole[j]!, numeric), `operand ${which}: ${nameOf(s)}`).toBeLessThan(1e-6);
        expect(relativeError(parts[j]!, whole[j]!), `expanded, operand ${which}: ${nameOf(s)}`).toBeLessThan(1e-12);
      });
    }
  });
});

const centralDifferences = (data: readonly Data[], which: number, loss: (data: readonly Data[]) => number): Data => {
  const step = 1e-5;
  return data[which]!.map((_, e) => {
    const shifted = (by: number): number => loss(data.map((x, i) => (i === which ? x.map((value, n) => (n === e ? value + by : value)) : x)));
    return (shifted(step) - shifted(-step)) / (2 * step);
  });
};

describe("second derivatives", () => {
  const cases = [
    setup({ B: 1, H: 2, G: 2, N: 4, M: 4, K: 2, E: 2 }, { causal: true, window: 0, extras: [] }, 3),
    setup({ B: 1, H: 4, G: 2, N: 3, M: 4, K: 2, E: 3 }, { causal: true, window: 2, extras: ["bias"] }, 4),
    setup({ B: 2, H: 2, G: 1, N: 3, M: 3, K: 2, E: 2 }, { causal: false, window: 0, extras: ["lengths", "mask", "bias"] }, 6),
  ];

  it.each(cases.map((s) => [nameOf(s), s] as const))("along a direction are differences of the gradient: %s", (_, s) => {
    const [oType, lseType] = resultTypes(s.types, s.attrs) as [TensorType, TensorType];
    const floats = s.types.flatMap((type, i) => (type.dtype === "f32" ? [i] : []));
    const seeds = [oType, lseType].map((type, i) => randomOf(elements(type), 20 + i));
    const gradient = makeFunc([...s.types, oType, lseType], (b, params) => {
      const xs = params.slice(0, s.types.length);
      const own = makeFunc([], (inner) => inner.all(attention, xs, s.attrs));
      const cts = own.results.map(({ value }, i) => [value, params[xs.length + i]!] as const);
      return reverse(b, own.ops, cts, floats.map((i) => xs[i]!)).map((value) => value!);
    });
    const direction = floats.map((i) => randomOf(elements(s.types[i]!), 30 + i));
    const directed = makeFunc([...s.types, oType, lseType, ...floats.map((i) => s.types[i]!)], (b, params) => {
      const own = new Map(gradient.params.map(({ value }, i) => [value, params[i]!]));
      const ops = gradient.ops.map((op) => ({ ...op, operands: op.operands.map((value) => own.get(value) ?? value) }));
      const us = params.slice(gradient.params.length);
      const cts = gradient.results.map(({ value }, i) => [value, us[i]!] as const);
      return reverse(b, ops, cts, floats.map((i) => params[i]!)).map((value) => value!);
    });
    const run = (func: typeof gradient, data: readonly Data[]): readonly Data[] => [...interpret(func, namedInputs(data)).results.values()];
    const step = 1e-4;
    const at = (by: number): readonly Data[] =>
      run(gradient, [...s.data.map((x, i) => (floats.includes(i) ? x.map((value, n) => value + by * direction[floats.indexOf(i)]![n]!) : x)), ...seeds]);
    // The Hessian is symmetric, so H u by the second reverse sweep is the change of the gradient along u.
    const [up, down] = [at(step), at(-step)];
    run(directed, [...s.data, ...seeds, ...direction]).forEach((got, i) => {
      const numeric = up[i]!.map((x, n) => (x - down[i]![n]!) / (2 * step));
      expect(relativeError(got, numeric), `operand ${floats[i]}`).toBeLessThan(1e-6);
    });
  });
});

describe("a query without keys", () => {
  it("has o = 0, lse = 0 and gradients that are finite and leave it out", () => {
    const sizes = { B: 2, H: 4, G: 2, N: 3, M: 3, K: 2, E: 2 };
    const s = setup(sizes, { causal: false, window: 0, extras: ["lengths", "bias"] }, 6);
    const data = s.data.map((x, i) => (i === 3 ? Float64Array.of(0, 3) : x));
    const empty = { ...s, data };
    const [o, lse] = forward(empty);
    const half = o!.length / 2;
    expect([...o!.slice(0, half), ...lse!.slice(0, lse!.length / 2)].every((x) => x === 0)).toBe(true);
    expect([...o!.slice(half)].every((x) => x !== 0)).toBe(true);
    const { whole, parts } = backward(empty, randomOf(o!.length, 5), randomOf(lse!.length, 6));
    for (const gradients of [whole, parts]) {
      for (const x of gradients) expect([...x].every(Number.isFinite)).toBe(true);
      for (const x of gradients.slice(0, 3)) {
        expect([...x.slice(0, x.length / 2)].every((value) => value === 0)).toBe(true);
        expect([...x.slice(x.length / 2)].some((value) => value !== 0)).toBe(true);
      }
    }
  });

  it("stays finite for scores that overflow exp", () => {
    const s = setup({ B: 1, H: 1, G: 1, N: 4, M: 3, K: 2, E: 2 }, { causal: true, window: 0, extras: [] }, 2);
    const large = { ...s, data: s.data.map((x, i) => (i === 0 ? x.map((value) => value * 5000) : x)) };
    const func = makeFunc(s.types, (b, params) => attention.expand!(b, params, s.attrs));
    const parts = [...interpret(func, namedInputs(large.data)).results.values()];
    const whole = forward(large);
    whole.forEach((x, i) => {
      expect([...x].every(Number.isFinite)).toBe(true);
      expect(relativeError(parts[i]!, x)).toBeLessThan(1e-12);
    });
    expect([...backward(large, randomOf(8, 1), randomOf(4, 2)).parts.flatMap((x) => [...x])].every(Number.isFinite)).toBe(true);
  });
});

it("sums the gradient of a bias over the axes it was broadcast along", () => {
  const sizes = { B: 2, H: 4, G: 2, N: 3, M: 4, K: 2, E: 2 };
  const fullBias = setup(sizes, { causal: false, window: 0, extras: ["bias"] }, 6);
  const oneBias = { ...setup(sizes, { causal: false, window: 0, extras: ["bias"] }, 1), data: fullBias.data };
  const same = oneBias.types[3]!.shape.join() === "1,1,3,4" && fullBias.types[3]!.shape.join() === "2,4,3,4";
  expect(same).toBe(true);
  const shared = randomOf(12, 9);
  const repeated = Float64Array.from({ length: 96 }, (_, i) => shared[i % 12]!);
  const [cO, cLse] = [randomOf(48, 5), randomOf(24, 6)];
  const withBias = (s: Setup, bias: Data): readonly Data[] => backward({ ...s, data: [...s.data.slice(0, 3), bias] }, cO, cLse).whole;
  const each = withBias(fullBias, repeated)[3]!;
  const summed = shared.map((_, n) => each.reduce((sum, x, i) => (i % 12 === n ? sum + x : sum), 0));
  expect(relativeError(withBias(oneBias, shared)[3]!, summed)).toBeLessThan(1e-12);
});
