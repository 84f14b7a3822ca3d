/** @file `auto(error: …, variance: …)`: the cheapest form of an attention's gradient that keeps to the limits.
 *
 *  error     of low-rank forms. Proven: η (and η') <= error, from the score bound of the program (gradient-bound.ts).
 *            Where there is none, measured: ‖g̃ - g‖ / ‖g‖ <= error in every head of the statistics, as they were.
 *  variance  of unbiased forms. Measured: the relative increase of the gradient's variance, in every head. Without
 *            statistics c = ⌈1/variance⌉ for plain sus, since tr Var[dv] <= ‖d_o‖²/c whatever the weights are.
 *
 *  A limit that is not given admits no form that needs it, and `exact` meets all of them. Cost is FLOPs at the sizes at hand
 *  (form-cost.ts); a form that saves nothing there is not chosen, which is the rule of break-even lengths. */

import { printPolicy } from "../../ir/backward-policy.ts";
import { epsilonFor, FAMILIES, smallestDegree } from "../../ir/approximation.ts";
import type { HeadStatistics, SiteStatistics } from "../../ir/head-statistics.ts";
import { digits, quantity } from "./facts.ts";
import { breakEven, formFlops } from "./form-cost.ts";
import type { CostedSite, Form } from "./form-cost.ts";
import { gradientBound } from "./gradient-bound.ts";
import type { ScoreBound } from "./score-bound.ts";

export interface FormFacts extends CostedSite {
  /** Why low-rank forms cannot have this site's masks; null where they can. */
  readonly lowrankObjection: string | null;
  readonly bound: ScoreBound;
  /** What was measured of this site; null where nothing was. */
  readonly statistics: SiteStatistics | null;
}

/** As in `auto(error: …, variance: …)`; null: not given. */
export interface Budget {
  readonly error: number | null;
  readonly variance: number | null;
}

export interface Choice {
  readonly policy: Form;
  readonly why: string;
}

interface Admitted {
  readonly form: Form;
  /** What is limited: error or variance. Of equal costs, the smaller decides. */
  readonly most: number;
  /** How it keeps to its limit, in numbers. */
  readonly evidence: string;
}

interface Candidate extends Admitted {
  readonly flops: number;
}

const EXACT: Form = { kind: "exact" };

/** Degrees that are tried; beyond, features outnumber any sequence. */
const DEGREES = [2, 4, 6];

const percent = (x: number): string => `${digits(100 * x)} %`;

export const chooseForm = (facts: FormFacts, budget: Budget): Choice => {
  const exact = formFlops(facts, EXACT) ?? Infinity;
  if (budget.error === null && budget.variance === null)
    return { policy: EXACT, why: "no limit of error or variance is given, which only the exact gradient keeps to" };
  const groups = [lowrankForms(facts, budget), sampledForms(facts, budget)];
  const candidates = groups.flatMap((group) => (typeof group === "string" ? [] : group));
  const reasons = groups.filter((group) => typeof group === "string");
  const [best] = [...candidates].sort((a, b) => a.flops - b.flops || a.most - b.most);
  if (best === undefined) return { policy: EXACT, why: reasons.join("; ") };
  const compared = `${quantity(best.flops)}FLOP against ${quantity(exact)}FLOP exact`;
  const also = reasons.length === 0 ? "" : `; ${reasons.join("; ")}`;
  if (best.flops >= exact) {
    const from = breakEven(facts, best.form);
    const until = from === null ? "at no length would it take less" : `it takes less from n = ${from}`;
    return { policy: EXACT, why: `${printPolicy(best.form)} (${best.evidence}) would take ${compared}; ${until}${also}` };
  }
  return { policy: best.form, why: `${compared}; ${best.evidence}${also}` };
};

/** A form whose operations do not have these sizes is none. */
const costed = (facts: FormFacts, forms: readonly Admitted[]): readonly Candidate[] =>
  forms.flatMap((admitted) => {
    const flops = formFlops(facts, admitted.form);
    return flops === null ? [] : [{ ...admitted, flops }];
  });

const lowrankForm = (degree: number, form: "plugin" | "surrogate", features: "taylor" | "chebyshev", unsafe: boolean): Form => ({
  kind: "lowrank", degree, form, features, forward: false, unsafe, guard: 0,
});

const orReason = (candidates: readonly Candidate[], reason: string): readonly Candidate[] | string =>
  candidates.length === 0 ? reason : candidates;

const lowrankForms = (facts: FormFacts, { error }: Budget): readonly Candidate[] | string => {
  if (error === null) return "no low-rank form, as no limit of error is given";
  if (facts.lowrankObjection !== null) return `no low-rank form: ${facts.lowrankObjection}`;
  const { bound, why } = facts.bound;
  if (bound !== null) {
    const forms = DEGREES.flatMap((degree) => FAMILIES.flatMap((features) => (["plugin", "surrogate"] as const).flatMap((form) => {
      const { weight, score } = gradientBound(bound, features, degree, form);
      const most = Math.max(weight, score);
      const evidence = `proven |score| <= ${digits(bound)}, so weights are within ${percent(most)}, limit ${percent(error)}`;
      return most <= error ? [{ form: lowrankForm(degree, form, features, false), most, evidence }] : [];
    })));
    const needed = smallestDegree("chebyshev", bound, epsilonFor(error), true);
    const wish = needed === null ? "no" : "only a";
    return orReason(costed(facts, forms), `${wish} polynomial of degree ${needed ?? "64 or less"} gives weights within ${percent(error)} for |score| <= ${digits(bound)}`);
  }
  if (facts.statistics === null) return `no low-rank form: ${why}; no statistics`;
  const measured = measuredLowrank(facts, facts.statistics, error);
  return orReason(costed(facts, measured), `no low-rank form was measured within ${percent(error)} in every head; ${why}`);
};

/** The largest over all heads; null where a head lacks the number. */
const worst = (heads: readonly HeadStatistics[], of: (head: HeadStatistics) => number | undefined): number | null => {
  const values = heads.map(of);
  return heads.length === 0 || values.includes(undefined) ? null : Math.max(...values.map((value) => value ?? Infinity));
};

/** Where it was measured, and where it is used if that is not the same. */
const lengthOf = ({ keys }: SiteStatistics, { sizes: { M } }: FormFacts): string => (keys === M ? `n = ${keys}` : `n = ${keys} (here ${M})`);

/** A sample that keeps much of a short row is better than it would be of a long one: then the measurement says nothing. */
const SHARE = 4;
const carriesOver = (c: number, { keys }: SiteStatistics, { sizes: { M } }: FormFacts): boolean => M <= keys || SHARE * c <= keys;

/** Odd degrees are left out, as their normalisers may vanish; Chebyshev polynomials, as they need a bound. */
const measuredLowrank = (facts: FormFacts, statistics: SiteStatistics, error: number): readonly Admitted[] => {
  const [first] = statistics.heads;
  return (first?.lowrank ?? []).flatMap(({ degree, form, features }) => {
    const same = (head: HeadStatistics): number | undefined =>
      head.lowrank.find((point) => point.degree === degree && point.form === form && point.features === features)?.error;
    const most = worst(statistics.heads, same);
    if (most === null || most > error || degree % 2 === 1 || degree === 0 || features !== "taylor") return [];
    const evidence = `measured at ${lengthOf(statistics, facts)}, not proven: gradients within ${percent(most)} in every head, limit ${percent(error)}`;
    return [{ form: lowrankForm(degree, form, features, true), most, evidence }];
  });
};

const sampledForms = (facts: FormFacts, { variance }: Budget): readonly Candidate[] | string => {
  if (variance === null) return "no sample, as no limit of variance is given";
  const { statistics } = facts;
  if (statistics === null) {
    const c = Math.ceil(1 / variance);
    const evidence = `no statistics: tr Var[dv] <= ‖d_o‖²/${c} whatever the weights are, ${percent(1 / c)} of ‖d_o‖² (not of the gradient's variance)`;
    return orReason(costed(facts, [{ form: susForm(c), most: variance, evidence }]), "no sample has these sizes");
  }
  const [first] = statistics.heads;
  const forms = (first?.sampled ?? []).flatMap(({ c, degree }) => {
    const point = (head: HeadStatistics) => head.sampled.find((other) => other.c === c && other.degree === degree);
    const most = worst(statistics.heads, (head) => point(head)?.increase);
    if (most === null || most > variance || !carriesOver(c, statistics, facts) || (degree !== null && (facts.lowrankObjection !== null || degree % 2 === 1))) return [];
    const kept = statistics.heads.reduce((sum, head) => sum + (point(head)?.kept ?? 0), 0) / statistics.heads.length;
    const evidence = `measured at ${lengthOf(statistics, facts)}: variance up by ${percent(most)} at most, limit ${percent(variance)}, ${digits(kept)} entries a row kept`;
    const form: Form = degree === null ? susForm(c) : { kind: "hybrid", c, degree, features: "taylor" };
    return [{ form, most, evidence }];
  });
  return orReason(costed(facts, forms), `no sample that carries over from ${lengthOf(statistics, facts)} was measured within ${percent(variance)} in every head`);
};

const susForm = (c: number): Form => ({ kind: "sus", c, sampler: "systematic" });
