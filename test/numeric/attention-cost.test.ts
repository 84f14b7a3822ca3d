/** @file What attention is said to cost: pairs counted one by one, and the costs of the expansion where no pair is ruled out. */

import { describe, expect, it } from "vitest";
import type { TensorType } from "../../ir/core.ts";
import { isViolation } from "../../ir/core.ts";
import { costOfFunc } from "../../ir/cost.ts";
import { attention, attentionVjp } from "../../ir/ops/index.ts";
import type { AttentionAttrs, AttentionExtra } from "../../ir/ops/attention-attrs.ts";
import { pairs } from "../../ir/ops/attention-cost.ts";
import * as poly from "../../ir/poly.ts";
import { tensor } from "../../ir/types.ts";
import { environment, makeFunc } from "./support.ts";

const exact = { scale: 0.6, dropout: 0, site: "", backward: "exact" } as const;

const inferred = (types: readonly TensorType[], attrs: AttentionAttrs): readonly TensorType[] => {
  const found = attention.infer(types, attrs);
  if (isViolation(found)) throw new Error(`${found.constraint}: ${found.message}`);
  return found;
};

describe("costs", () => {
  const [N, M] = [poly.symbol("N"), poly.symbol("M")];

  it("count exactly the pairs that causality and window allow, for every N, M and w", () => {
    for (let n = 1; n <= 6; n++)
      for (let m = 1; m <= 6; m++)
        for (let window = 0; window <= 7; window++)
          for (const causal of [false, true]) {
            let expected = 0;
            for (let i = 0; i < n; i++)
              for (let j = 0; j < m; j++) {
                const behind = i + m - n - j;
                if ((!causal || behind >= 0) && (window === 0 || behind < window)) expected++;
              }
            const sizes = { B: 1, H: 1, G: 1, N: n, M: m, K: 1, E: 1 };
            const count = pairs({ ...exact, causal, window, extras: [] }, sizes, N, M);
            const label = `N ${n} M ${m} w ${window} ${causal ? "causal" : ""}`;
            expect(poly.evaluate(count, new Map([["N", n], ["M", m]])), label).toBe(expected);
          }
  });

  it("are polynomials in one length for self-attention", () => {
    const T = poly.symbol("T");
    const sizes = { B: 1, H: 1, G: 1, N: 512, M: 512, K: 1, E: 1 };
    const print = (causal: boolean, window: number): string => poly.print(pairs({ ...exact, causal, window, extras: [] }, sizes, T, T));
    expect(print(false, 0)).toBe("T^2");
    expect(print(true, 0)).toBe("0.5*T^2 + 0.5*T");
    expect(print(true, 64)).toBe("64*T - 2016");
  });

  it.each([[1, 1], [2, 2], [4, 2], [3, 1]])("equal those of the expansion where all pairs count (%i over %i heads)", (H, G) => {
    const named = (dtype: TensorType["dtype"], sizes: readonly number[], names: string): TensorType =>
      tensor(dtype, sizes, names.split(" ").map((name) => (name === "1" ? poly.ONE : poly.symbol(name))));
    const lead = [named("f32", [2, H, 3, 5], "B H N K"), named("f32", [2, G, 4, 5], "B G M K"), named("f32", [2, G, 4, 6], "B G M E")];
    const extras: readonly (readonly [readonly AttentionExtra[], readonly TensorType[]])[] = [
      [[], []],
      [["lengths"], [named("i32", [2], "B")]],
      [["bias"], [named("f32", [1, H, 3, 4], "1 H N M")]],
      [["mask", "bias"], [named("i1", [2, 1, 3, 4], "B 1 N M"), named("f32", [2, H, 3, 4], "B H N M")]],
      [["dropout_key"], [tensor("i32", [4])]],
    ];
    const env = environment(lead);
    for (const [names, given] of extras) {
      const attrs: AttentionAttrs = { ...exact, causal: false, window: 0, dropout: names.includes("dropout_key") ? 0.2 : 0, extras: names };
      const types = [...lead, ...given];
      const results = inferred(types, attrs);
      const parts = costOfFunc(makeFunc(types, (b, params) => attention.expand!(b, params, attrs))).flops;
      const whole = attention.flops({ operandTypes: types, resultTypes: results, attrs });
      expect(poly.evaluate(whole, env), names.join()).toBe(poly.evaluate(parts, env));
      const backTypes = [...lead, results[0]!, results[1]!, results[0]!, ...given, results[1]!];
      const backAttrs: AttentionAttrs = { ...attrs, extras: [...names, "d_lse"] };
      const backParts = costOfFunc(makeFunc(backTypes, (b, params) => attentionVjp.expand!(b, params, backAttrs))).flops;
      const backWhole = attentionVjp.flops({ operandTypes: backTypes, resultTypes: lead, attrs: backAttrs });
      expect(poly.evaluate(backWhole, env), `backward ${names.join()}`).toBe(poly.evaluate(backParts, env));
    }
  });
});
