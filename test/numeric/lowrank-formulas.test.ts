/** @file The gradient formulas of 2408.13233 as printed and as corrected, against central differences; the identities that the
 *  linear forms stand on; random features, which are not used. */

import { describe, expect, it } from "vitest";
import { polynomialAt, taylor } from "../../ir/approximation.ts";
import type { Builder } from "../../ir/builder.ts";
import type { Data, Value } from "../../ir/core.ts";
import { interpret } from "../../ir/interpret.ts";
import { minus, times } from "../../ir/ops/arithmetic.ts";
import { iota } from "../../ir/ops/constant.ts";
import { broadcastAlong, full, scaleBy, sumOver } from "../../ir/ops/helpers.ts";
import { add, compare, einsum, select, softmax } from "../../ir/ops/index.ts";
import { tensor } from "../../ir/types.ts";
import { gaussian } from "./lowrank-support.ts";
import { makeFunc, namedInputs, relativeError } from "./support.ts";

const [n, d] = [12, 4];
const scale = 1 / d;
const matrix = tensor("f32", [n, d]);
const weight = tensor("f32", [d, d]);
const pairs = tensor("f32", [n, n]);

const dot = (b: Builder, x: Value, y: Value, spec: string): Value => b.one(einsum, [x, y], { spec });
const sum = (b: Builder, ...terms: readonly Value[]): Value => terms.reduce((x, y) => b.one(add, [x, y], {}));

/** f = softmax over rows of X W Xᵀ / d (definition 1.2), h = X W_V. */
const forward = (b: Builder, [x, w, wv]: readonly Value[], causal: boolean): { f: Value; h: Value } => {
  const raw = scaleBy(b, dot(b, dot(b, x!, w!, "i a, a b -> i b"), x!, "i b, j b -> i j"), scale);
  const index = tensor("i32", [n, n]);
  const seen = b.one(compare, [b.one(iota, [], { axis: 1, type: index }), b.one(iota, [], { axis: 0, type: index })], { direction: "le" });
  const scores = causal ? b.one(select, [seen, raw, full(b, -1e30, pairs)], {}) : raw;
  return { f: b.one(softmax, [scores], { axis: 1 }), h: dot(b, x!, wv!, "i a, a e -> i e") };
};

/** q = G hᵀ, p1 = f ∘ q, K = p1 1. */
const shared = (b: Builder, params: readonly Value[], causal: boolean) => {
  const { f, h } = forward(b, params, causal);
  const p1 = times(b, f, dot(b, params[3]!, h, "i e, j e -> i j"));
  const K = sumOver(b, p1, [1]);
  const diagF = times(b, broadcastAlong(b, K, pairs, [1]), f);
  return { f, h, p1, K, diagF };
};

const negative = (b: Builder, x: Value): Value => scaleBy(b, x, -1);

/** dX = D2 + D4 + D6 + D7 + D8, dW = Xᵀ p X, dW_V = Xᵀ fᵀ G. */
const corrected = (causal: boolean) => makeFunc([matrix, weight, weight, matrix], (b, params) => {
  const [x, w, wv, g] = params as [Value, Value, Value, Value];
  const { f, p1, diagF } = shared(b, params, causal);
  const xw = dot(b, x, w, "j a, a c -> j c");
  const xwt = dot(b, x, w, "j a, c a -> j c");
  const scores = [
    negative(b, dot(b, diagF, xwt, "i j, j c -> i c")),
    dot(b, p1, xwt, "i j, j c -> i c"),
    negative(b, dot(b, diagF, xw, "i j, i c -> j c")),
    dot(b, p1, xw, "i j, i c -> j c"),
  ];
  const ftg = dot(b, f, g, "i j, i e -> j e");
  const p = minus(b, p1, diagF);
  return [
    sum(b, ...scores.map((term) => scaleBy(b, term, scale)), dot(b, ftg, wv, "j e, a e -> j a")),
    scaleBy(b, dot(b, dot(b, p, x, "i j, i a -> j a"), x, "j a, j c -> a c"), scale),
    dot(b, x, ftg, "j a, j e -> a e"),
  ];
});

/** D6 = -f diag(K) X Wᵀ, D7 = (f ∘ (h Gᵀ)) X Wᵀ, D8 = f G W_Vᵀ, D2 = -diag(K) f X W, D4 = (f ∘ (G hᵀ)) X W, Xᵀ f G. */
const printed = (causal: boolean) => makeFunc([matrix, weight, weight, matrix], (b, params) => {
  const [x, w, wv, g] = params as [Value, Value, Value, Value];
  const { f, h, p1, K, diagF } = shared(b, params, causal);
  const xw = dot(b, x, w, "j a, a c -> j c");
  const xwt = dot(b, x, w, "j a, c a -> j c");
  const fDiag = times(b, broadcastAlong(b, K, pairs, [0]), f);
  const scores = [
    negative(b, dot(b, diagF, xw, "i j, j c -> i c")),
    dot(b, p1, xw, "i j, j c -> i c"),
    negative(b, dot(b, fDiag, xwt, "i j, j c -> i c")),
    dot(b, times(b, f, dot(b, h, g, "i e, j e -> i j")), xwt, "i j, j c -> i c"),
  ];
  const fg = dot(b, f, g, "i j, j e -> i e");
  return [
    sum(b, ...scores.map((term) => scaleBy(b, term, scale)), dot(b, fg, wv, "j e, a e -> j a")),
    dot(b, x, fg, "j a, j e -> a e"),
  ];
});

const values = (func: ReturnType<typeof makeFunc>, data: readonly Data[]): readonly Data[] => [...interpret(func, namedInputs(data)).results.values()];

const numeric = (data: readonly Data[], which: number, causal: boolean): Data => {
  const output = makeFunc([matrix, weight, weight, matrix], (b, params) => {
    const { f, h } = forward(b, params, causal);
    return [dot(b, dot(b, f, h, "i j, j e -> i e"), params[3]!, "i e, i e -> ")];
  });
  const at = (e: number, by: number): number =>
    values(output, data.map((x, i) => (i === which ? x.map((value, p) => (p === e ? value + by : value)) : x)))[0]![0]!;
  return data[which]!.map((_, e) => (at(e, 1e-5) - at(e, -1e-5)) / 2e-5);
};

describe.each([false, true])("gradients of one layer, causal %s", (causal) => {
  const data = [gaussian(n * d, 1), gaussian(d * d, 2), gaussian(d * d, 3), gaussian(n * d, 4)];
  const [dX, dW, dWv] = [0, 1, 2].map((which) => numeric(data, which, causal)) as [Data, Data, Data];

  it("with the transposes put right are those of central differences", () => {
    const [x, w, wv] = values(corrected(causal), data) as [Data, Data, Data];
    expect(relativeError(x, dX)).toBeLessThan(1e-7);
    expect(relativeError(w, dW)).toBeLessThan(1e-7);
    expect(relativeError(wv, dWv)).toBeLessThan(1e-7);
  });

  it("as printed (lemmas D.17, G.3, I.7, I.8; algorithm 1) are not", () => {
    const [x, wv] = values(printed(causal), data) as [Data, Data];
    expect(relativeError(x, dX)).toBeGreaterThan(0.5);
    expect(relativeError(wv, dWv)).toBeGreaterThan(0.5);
  });
});

describe("identities", () => {
  it("a product of low-rank matrices, entry by entry, has the Khatri-Rao products of their factors", () => {
    const [rows, r, e] = [9, 4, 3];
    const [u, v, g, h, k] = [r, r, e, e, 2].map((width) => tensor("f32", [rows, width])) as [typeof matrix, typeof matrix, typeof matrix, typeof matrix, typeof matrix];
    const func = makeFunc([u, v, g, h, k], (b, [U, V, G, Hh, Kk]) => {
      const dense = times(b, dot(b, U!, V!, "i a, j a -> i j"), dot(b, G!, Hh!, "i e, j e -> i j"));
      const left = dot(b, U!, G!, "i a, i e -> i a e");
      const right = dot(b, V!, Hh!, "j a, j e -> j a e");
      const inner = dot(b, right, Kk!, "j a e, j c -> a e c");
      return [dense, dot(b, left, right, "i a e, j a e -> i j"), dot(b, dense, Kk!, "i j, j c -> i c"), dot(b, left, inner, "i a e, a e c -> i c")];
    });
    const [dense, product, applied, rightToLeft] = values(func, func.params.map(({ value }, i) => gaussian(rows * value.type.shape[1]!, i + 1)));
    expect(relativeError(product!, dense!)).toBeLessThan(1e-10);
    expect(relativeError(rightToLeft!, applied!)).toBeLessThan(1e-10);
  });

  it("Σ_j T_g(s_ij) c_ij k_j is the gradient of Σ_j T_{g+1}(s_ij) c_ij with respect to q_i", () => {
    const [keys, width, degree] = [7, 3, 2];
    const [q, k, c] = [gaussian(width, 1), gaussian(keys * width, 2), gaussian(keys, 3)];
    const scoresOf = (x: Data): Data => c.map((_, j) => x.reduce((total, value, a) => total + value * k[j * width + a]!, 0));
    const potential = (x: Data): number => scoresOf(x).reduce((total, s, j) => total + polynomialAt(taylor(degree + 1), s) * c[j]!, 0);
    const shifted = (a: number, by: number): Data => q.map((value, i) => (i === a ? value + by : value));
    const differences = q.map((_, a) => (potential(shifted(a, 1e-5)) - potential(shifted(a, -1e-5))) / 2e-5);
    const scores = scoresOf(q);
    const sums = q.map((_, a) => scores.reduce((total, s, j) => total + polynomialAt(taylor(degree), s) * c[j]! * k[j * width + a]!, 0));
    expect(relativeError(sums, differences)).toBeLessThan(1e-6);
  });
});

it("random features of exp(x . y) have the mean squared error that Performer's theorem gives (positive, trigonometric)", () => {
  const [draws, count, width] = [400_000, 4, 8];
  const [x, y] = [gaussian(width, 5).map((v) => 0.2 * v), gaussian(width, 6).map((v) => 0.2 * v)];
  const inner = (a: Data, b: Data): number => a.reduce((total, value, i) => total + value * b[i]!, 0);
  const [xx, yy, xy] = [inner(x, x), inner(y, y), inner(x, y)];
  const omega = gaussian(draws * count * width, 7);
  let [positive, trigonometric] = [0, 0];
  for (let draw = 0; draw < draws; draw++) {
    let [plus, trig] = [0, 0];
    for (let m = 0; m < count; m++) {
      let [wx, wy] = [0, 0];
      const at = (draw * count + m) * width;
      for (let i = 0; i < width; i++) {
        wx += omega[at + i]! * x[i]!;
        wy += omega[at + i]! * y[i]!;
      }
      plus += Math.exp(wx + wy - (xx + yy) / 2) / count;
      trig += (Math.exp((xx + yy) / 2) * Math.cos(wx - wy)) / count;
    }
    positive += (plus - Math.exp(xy)) ** 2 / draws;
    trigonometric += (trig - Math.exp(xy)) ** 2 / draws;
  }
  const [together, apart] = [xx + yy + 2 * xy, xx + yy - 2 * xy];
  const kernel = Math.exp(xy);
  const ofPositive = (Math.exp(together) * kernel ** 2 * (1 - Math.exp(-together))) / count;
  const ofTrigonometric = (Math.exp(together) * kernel ** -2 * (1 - Math.exp(-apart)) ** 2) / (2 * count);
  expect(Math.abs(positive / ofPositive - 1)).toBeLessThan(0.02);
  expect(Math.abs(trigonometric / ofTrigonometric - 1)).toBeLessThan(0.02);
});
