/** @file What `auto` chooses, as a table; that it is the cheapest of what keeps to the limits; and what forms cost. */

import { describe, expect, it, test } from "vitest";
import { printPolicy } from "../../ir/backward-policy.ts";
import type { HeadStatistics, SiteStatistics } from "../../ir/head-statistics.ts";
import { chooseForm } from "../../passes/attention/auto.ts";
import type { Budget, FormFacts } from "../../passes/attention/auto.ts";
import { breakEven, formFlops } from "../../passes/attention/form-cost.ts";
import type { CostedSite, Form } from "../../passes/attention/form-cost.ts";

const site = (n: number, width = 16, causal = true, window = 0): CostedSite => ({
  sizes: { B: 2, H: 4, G: 2, N: n, M: n, K: width, E: width }, causal, window,
});

const UNBOUNDED = { bound: null, why: "queries without a bound: `wq` of A is trained, hence unbounded" };

const facts = (n: number, more: Partial<FormFacts> = {}): FormFacts => ({
  ...site(n), lowrankObjection: null, bound: UNBOUNDED, statistics: null, ...more,
});

const bounded = (bound: number): Partial<FormFacts> => ({ bound: { bound, why: "" } });

/** Increases of the variance at c = 4, 8, 16 without, and with a control variate of degree 2; error at degree 2. */
const head = (increases: readonly number[], controlled: readonly number[], error: number): HeadStatistics => ({
  head: 0, scoreStd: 1, maxScore: 4, entropy: 3,
  sampled: [4, 8, 16].flatMap((c, i) => [
    { c, degree: null, kept: c / 2, increase: increases[i] ?? 1 },
    { c, degree: 2, kept: c / 2, increase: controlled[i] ?? 1 },
  ]),
  lowrank: [
    { degree: 1, form: "surrogate", features: "taylor", error: error / 2 },
    { degree: 2, form: "plugin", features: "taylor", error },
    { degree: 2, form: "surrogate", features: "taylor", error: 4 * error },
  ],
});

const measured = (...heads: readonly HeadStatistics[]): Partial<FormFacts> => {
  const statistics: SiteStatistics = { site: "A", queries: 64, keys: 64, heads };
  return { statistics };
};

const sharp = head([0.4, 0.1, 0.03], [0.4, 0.1, 0.03], 0.6);
const diffuse = head([0.2, 0.05, 0.01], [0.004, 0.001, 0.0002], 0.01);

interface Case {
  readonly what: string;
  readonly facts: FormFacts;
  readonly budget: Budget;
  readonly policy: string;
  readonly why: string;
}

const budget = (error: number | null, variance: number | null): Budget => ({ error, variance });

const CASES: readonly Case[] = [
  {
    what: "no limits", facts: facts(4096), budget: budget(null, null), policy: "exact",
    why: "no limit of error or variance is given, which only the exact gradient keeps to",
  },
  {
    what: "an error limit, nothing proven", facts: facts(4096), budget: budget(0.1, null), policy: "exact",
    why: "no low-rank form: queries without a bound: `wq` of A is trained, hence unbounded; no statistics; no sample, as no limit of variance is given",
  },
  {
    what: "a proven bound, long", facts: facts(4096, bounded(0.25)), budget: budget(0.1, null), policy: "lowrank(degree: 2, form: surrogate, features: chebyshev)",
    why: "proven |score| <= 0.25, so weights are within 2.94 %, limit 10 %",
  },
  {
    what: "a proven bound, a finer limit", facts: facts(4096, bounded(0.25)), budget: budget(0.01, null), policy: "lowrank(degree: 2, features: chebyshev)",
    why: "so weights are within 0.163 %, limit 1 %",
  },
  {
    what: "a proven bound, short", facts: facts(256, bounded(0.25)), budget: budget(0.1, null), policy: "exact",
    why: "lowrank(degree: 2, form: surrogate, features: chebyshev) (proven |score| <= 0.25, so weights are within 2.94 %, limit 10 %) would take",
  },
  {
    what: "a bound that is too large", facts: facts(4096, bounded(12)), budget: budget(0.1, null), policy: "exact",
    why: "only a polynomial of degree 28 gives weights within 10 % for |score| <= 12; no sample, as no limit of variance is given",
  },
  {
    what: "masks that low rank cannot have", facts: facts(4096, { ...bounded(0.25), lowrankObjection: "a window cannot be had in linear time" }), budget: budget(0.1, null),
    policy: "exact", why: "no low-rank form: a window cannot be had in linear time; no sample, as no limit of variance is given",
  },
  {
    what: "a variance limit without statistics", facts: facts(2048), budget: budget(null, 0.04), policy: "sus(c: 25)",
    why: "no statistics: tr Var[dv] <= ‖d_o‖²/25 whatever the weights are, 4 % of ‖d_o‖² (not of the gradient's variance)",
  },
  {
    what: "a variance limit, short", facts: facts(32), budget: budget(null, 0.01), policy: "exact", why: "it takes less from n = ",
  },
  {
    what: "measured variance: the worst head decides", facts: facts(2048, measured(diffuse, sharp)), budget: budget(null, 0.1), policy: "sus(c: 8)",
    why: "measured at n = 64 (here 2048): variance up by 10 % at most, limit 10 %, 4 entries a row kept",
  },
  {
    what: "measured variance: no c is enough", facts: facts(2048, measured(sharp)), budget: budget(null, 0.01), policy: "exact",
    why: "no sample that carries over from n = 64 (here 2048) was measured within 1 % in every head",
  },
  {
    what: "measured variance: a control variate where sus is not enough", facts: facts(65_536, measured(diffuse)), budget: budget(null, 0.005), policy: "hybrid(c: 4, degree: 2)",
    why: "variance up by 0.4 % at most, limit 0.5 %",
  },
  {
    what: "measured variance: no control variate behind a window", facts: facts(65_536, { ...measured(diffuse), window: 512, lowrankObjection: "a window" }), budget: budget(null, 0.005),
    policy: "exact", why: "no sample that carries over from n = 64 (here 65536) was measured within 0.5 % in every head",
  },
  {
    what: "a sample of a window", facts: facts(65_536, { ...measured(diffuse), window: 512, lowrankObjection: "a window" }), budget: budget(null, 0.05),
    policy: "sus(c: 8)", why: "variance up by 5 % at most, limit 5 %",
  },
  {
    what: "measured error, not proven", facts: facts(65_536, measured(diffuse)), budget: budget(0.05, null), policy: "lowrank(degree: 2, form: surrogate, unsafe: true)",
    why: "measured at n = 64 (here 65536), not proven: gradients within 4 % in every head, limit 5 %",
  },
  {
    what: "measured error of the worst head", facts: facts(65_536, measured(diffuse, sharp)), budget: budget(0.05, null), policy: "exact",
    why: "no low-rank form was measured within 5 % in every head; queries without a bound",
  },
  {
    what: "measured where c keeps much of a row, used where it would not", facts: facts(2048, { ...measured(sharp), statistics: { site: "A", queries: 32, keys: 32, heads: [sharp] } }),
    budget: budget(null, 0.05), policy: "exact", why: "no sample that carries over from n = 32 (here 2048)",
  },
  {
    what: "measured at this length", facts: facts(256, { ...measured(sharp), statistics: { site: "A", queries: 256, keys: 256, heads: [sharp] } }),
    budget: budget(null, 0.05), policy: "sus(c: 16)", why: "measured at n = 256: variance up by 3 % at most",
  },
  {
    what: "both limits: the cheaper form", facts: facts(2048, { ...bounded(0.25), ...measured(diffuse) }), budget: budget(0.1, 0.1), policy: "sus(c: 8)",
    why: "variance up by 5 % at most",
  },
  {
    what: "both limits, longer: the cheaper form", facts: facts(262_144, { ...bounded(0.25), ...measured(diffuse) }), budget: budget(0.1, 0.1),
    policy: "lowrank(degree: 2, form: surrogate, features: chebyshev)", why: "proven |score| <= 0.25",
  },
  {
    what: "a width whose features outnumber the keys", facts: { ...facts(4096, bounded(0.25)), ...site(1024, 64) }, budget: budget(0.1, null), policy: "exact",
    why: "would take",
  },
];

test.each(CASES)("$what", ({ facts: given, budget: limits, policy, why }) => {
  const choice = chooseForm(given, limits);
  expect(printPolicy(choice.policy)).toBe(policy);
  expect(choice.why).toContain(why);
});

const exact: Form = { kind: "exact" };
const lowrank = (degree: number, form: "plugin" | "surrogate"): Form => ({ kind: "lowrank", degree, form, features: "taylor", forward: false, unsafe: false, guard: 0 });

describe("a choice", () => {
  it("never costs more than the exact gradient", () => {
    for (const n of [16, 128, 1024, 8192, 65_536])
      for (const bound of [0.1, 0.5, 2])
        for (const limit of [0.001, 0.05, 0.3]) {
          const given = facts(n, { ...bounded(bound), ...measured(diffuse, sharp) });
          const { policy } = chooseForm(given, budget(limit, limit));
          expect(formFlops(given, policy)).toBeLessThanOrEqual(formFlops(given, exact) ?? 0);
        }
  });

  it("does not become dearer when limits are relaxed", () => {
    const given = facts(8192, { ...bounded(0.5), ...measured(diffuse, sharp) });
    const costs = [0.001, 0.01, 0.05, 0.2, 0.5].map((limit) => formFlops(given, chooseForm(given, budget(limit, limit)).policy) ?? 0);
    expect(costs).toEqual([...costs].sort((a, b) => b - a));
  });
});

describe("break-even", () => {
  it("is the first length at which a form takes fewer operations", () => {
    for (const form of [lowrank(2, "surrogate"), lowrank(2, "plugin"), { kind: "sus", c: 16, sampler: "systematic" } as const]) {
      const from = breakEven(site(1), form) ?? 0;
      const flops = (n: number, of: Form): number => formFlops(site(n), of) ?? 0;
      expect(flops(from, form)).toBeLessThan(flops(from, exact));
      expect(flops(from - 1, form)).toBeGreaterThanOrEqual(flops(from - 1, exact));
    }
  });

  it("comes later for the plug-in form, whose features have one degree more, and for wider heads", () => {
    const from = (width: number, form: Form, causal = true): number => breakEven(site(1, width, causal), form) ?? Infinity;
    expect(from(16, lowrank(2, "surrogate"))).toBeLessThan(from(16, lowrank(2, "plugin")));
    expect(from(16, lowrank(2, "surrogate"))).toBeLessThan(from(32, lowrank(2, "surrogate")));
    expect(from(16, lowrank(2, "surrogate"), false)).toBeLessThan(from(16, lowrank(2, "surrogate")));
  });

  it("does not exist behind a window", () => {
    expect(breakEven(site(1, 16, true, 32), lowrank(2, "surrogate"))).toBe(null);
  });
});
