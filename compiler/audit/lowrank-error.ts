/** @file The exact gradient of one head, and how far the low-rank ones are from it, in one sweep over the rows.
 *
 *  P is Taylor's polynomial of exp, x_ij = s_ij - scale q_i·k̄, Z_i = Σ_j P(x_ij), f_ij = P(x_ij)/Z_i, δ̃_i = Σ_j f_ij p_ij:
 *      exact      dS_ij = W_ij (p_ij - δ_i)              dv = Wᵀ d_o
 *      plugin     dS_ij = f_ij (p_ij - δ̃_i)              dv = fᵀ d_o
 *      surrogate  dS_ij = P'(x_ij)/Z_i (p_ij - δ̃_i)      dv = fᵀ d_o
 *      dq = scale dS (k - k̄)    dk = scale dSᵀ q
 *  Only differences to the exact gradient are added up, so that small errors are not lost in large gradients. */

import { derivativeOf, polynomialAt, taylor } from "../../ir/approximation.ts";
import type { AttentionSizes } from "../../ir/ops/attention-attrs.ts";
import { HeadGradient } from "./head-gradient.ts";
import type { HeadView, Row } from "./rows.ts";

export interface LowrankVariant {
  readonly degree: number;
  readonly form: "plugin" | "surrogate";
  /** g̃ - g */
  readonly difference: HeadGradient;
  /** Rows whose normaliser Z_i is not positive: the approximation is meaningless there. */
  broken: number;
}

interface Variant extends LowrankVariant {
  readonly values: readonly number[];
  readonly slopes: readonly number[];
}

export class LowrankErrors {
  readonly exact: HeadGradient;
  readonly variants: readonly LowrankVariant[];
  readonly #variants: readonly Variant[];
  readonly #f: Float64Array;
  readonly #dS: Float64Array;
  readonly #dW: Float64Array;
  readonly #exactDs: Float64Array;

  constructor(sizes: AttentionSizes, degrees: readonly number[]) {
    const perKey = (): Float64Array => new Float64Array(sizes.M);
    [this.#f, this.#dS, this.#dW, this.#exactDs] = [perKey(), perKey(), perKey(), perKey()];
    this.exact = new HeadGradient(sizes, true);
    this.#variants = degrees.flatMap((degree) => variantsOf(degree, sizes));
    this.variants = this.#variants;
  }

  add(view: HeadView, scale: number, row: Row): void {
    const exact = this.#exactDs;
    const { count, weights, products, delta } = row;
    for (let n = 0; n < count; n++) exact[n] = (weights[n] as number) * ((products[n] as number) - delta);
    this.exact.add(view, scale, row, exact, weights, false);
    for (const variant of this.#variants) {
      this.#compare(variant, row);
      variant.difference.add(view, scale, row, this.#dS, this.#dW, variant.form === "surrogate");
    }
  }

  /** Closes a sequence. */
  finish(): void {
    this.exact.finish();
    for (const { difference } of this.#variants) difference.finish();
  }

  /** dS and the weights of a variant, less the exact ones. */
  #compare(variant: Variant, { count, scores, weights, products, dLse, centre }: Row): void {
    const [f, dS, dW, exact] = [this.#f, this.#dS, this.#dW, this.#exactDs];
    let total = 0;
    for (let n = 0; n < count; n++) total += f[n] = polynomialAt(variant.values, (scores[n] as number) - centre);
    if (count > 0 && !(total > 0)) variant.broken++;
    let own = -dLse;
    for (let n = 0; n < count; n++) own += ((f[n] as number) / total) * (products[n] as number);
    for (let n = 0; n < count; n++) {
      const weight = (f[n] as number) / total;
      const slope = variant.form === "plugin" ? weight : polynomialAt(variant.slopes, (scores[n] as number) - centre) / total;
      dS[n] = slope * ((products[n] as number) - own) - (exact[n] as number);
      dW[n] = weight - (weights[n] as number);
    }
  }
}

/** The surrogate of a constant has no gradient. */
const variantsOf = (degree: number, sizes: AttentionSizes): readonly Variant[] =>
  (degree === 0 ? (["plugin"] as const) : (["plugin", "surrogate"] as const)).map((form) => {
    const values = taylor(degree);
    return { degree, form, values, slopes: derivativeOf(values), difference: new HeadGradient(sizes, false), broken: 0 };
  });
