/** @file How the gradient of attention is computed, as data, and its one-line spelling: `sus(c: 25)`,
 *  `lowrank(degree: 2, form: surrogate)`. `exact` is the default everywhere.
 *
 *  A module carries rules (site pattern, policy) as its attribute `backward`, an attention carries the policy of its site;
 *  `rewrite-attention-backward` reads it. The table below is the only place that knows which settings there are. */

export type Sampler = "systematic" | "bernoulli";
export type LowrankForm = "plugin" | "surrogate";
export type PolynomialFamily = "taylor" | "chebyshev";

export type Policy =
  | { readonly kind: "exact" }
  | { readonly kind: "sus"; readonly c: number; readonly sampler: Sampler }
  | {
      readonly kind: "lowrank";
      readonly degree: number;
      readonly form: LowrankForm;
      readonly features: PolynomialFamily;
      /** Approximate the forward too: then the surrogate gradient is the exact one of what is computed. */
      readonly forward: boolean;
      /** Not refused where no useful bound of the scores is known. */
      readonly unsafe: boolean;
      /** Heads whose scores may exceed it run exact, decided at run time; 0: none. */
      readonly guard: number;
    }
  | { readonly kind: "hybrid"; readonly c: number; readonly degree: number; readonly features: PolynomialFamily }
  | { readonly kind: "auto"; readonly error: number | null; readonly variance: number | null };

export type PolicyKind = Policy["kind"];
export type SettingValue = number | boolean | string;

export interface PolicySetting {
  /** What holds where it is not written; undefined: it must be written; null: nothing holds. */
  readonly fallback: SettingValue | null | undefined;
  /** `a number`, `true or false`, `systematic or bernoulli`. */
  readonly takes: string;
  /** The words it takes, none for numbers and flags. */
  readonly words: readonly string[];
  /** Null, or what a value must be: `must be positive`. */
  readonly objection: (value: SettingValue) => string | null;
  /** One phrase, for documents. */
  readonly doc: string;
}

export interface PolicyRecord {
  readonly doc: string;
  readonly settings: Readonly<Record<string, PolicySetting>>;
  /** What is wrong with settings that are fine one by one. */
  readonly together: (settings: Readonly<Record<string, SettingValue | null>>) => string | null;
}

type Check = readonly [holds: (value: number) => boolean, wish: string];

const POSITIVE: Check = [(x) => x > 0 && Number.isFinite(x), "must be positive"];
const UNIT_INTERVAL: Check = [(x) => x > 0 && x < 1, "must lie between 0 and 1"];

/** The largest degree: C(d+6, 6) features are beyond use long before it. */
const LARGEST_DEGREE = 6;

const degreeFrom = (least: number): Check => [
  (x) => Number.isInteger(x) && x >= least && x <= LARGEST_DEGREE,
  `must be a whole number from ${least} to ${LARGEST_DEGREE}`,
];

const NUMBER_KIND = "a number";

const number = ([holds, wish]: Check, doc: string, fallback?: number | null): PolicySetting => ({
  fallback,
  takes: NUMBER_KIND,
  words: [],
  objection: (value) => (typeof value !== "number" ? `is ${NUMBER_KIND}` : holds(value) ? null : wish),
  doc,
});

const word = (words: readonly string[], doc: string): PolicySetting => ({
  fallback: words[0],
  takes: words.join(" or "),
  words,
  objection: (value) => (words.some((known) => known === value) ? null : `is ${words.join(" or ")}`),
  doc,
});

const flag = (doc: string): PolicySetting => ({
  fallback: false,
  takes: "true or false",
  words: [],
  objection: (value) => (typeof value === "boolean" ? null : "is true or false"),
  doc,
});

const KEPT = "entries of a query row that are kept, expected";
const FAMILY = word(["taylor", "chebyshev"], "how the polynomial for the exponential is chosen");

/** An odd polynomial is negative for small enough scores, and then a row's normaliser may vanish: degrees are even, unless
 *  the user takes that on himself. */
const evenDegree = ({ degree, unsafe }: Readonly<Record<string, SettingValue | null>>): string | null =>
  typeof degree === "number" && degree % 2 === 1 && unsafe !== true
    ? `\`degree\` must be even: an odd polynomial is negative for small scores${unsafe === false ? "; `unsafe: true` allows it" : ""}`
    : null;

const lowrankTogether: PolicyRecord["together"] = (settings) =>
  settings["forward"] === true && settings["guard"] !== 0 ? "`guard` chooses between gradients of the exact forward pass, so it does not go with `forward`" : evenDegree(settings);

const anything = (): null => null;

export const POLICIES: { readonly [K in PolicyKind]: PolicyRecord } = {
  exact: { doc: "the gradient as it is", settings: {}, together: anything },
  sus: {
    doc: "a sparse unbiased sample of the attention weights",
    settings: { c: number(POSITIVE, KEPT), sampler: word(["systematic", "bernoulli"], "how entries are drawn") },
    together: anything,
  },
  lowrank: {
    doc: "a polynomial of the scores in place of their exponential, in linear time",
    settings: {
      degree: number(degreeFrom(1), "degree of the polynomial, even"),
      form: word(["plugin", "surrogate"], "approximate the weights, or differentiate the approximate attention"),
      features: FAMILY,
      forward: flag("approximate the forward too"),
      unsafe: flag("allow it without a useful bound of the scores, and odd degrees"),
      guard: number(POSITIVE, "run a head exactly where its scores may exceed this", 0),
    },
    together: lowrankTogether,
  },
  hybrid: {
    doc: "low rank as a control variate of the sample: unbiased",
    settings: { c: number(POSITIVE, KEPT), degree: number(degreeFrom(0), "degree of the polynomial, even"), features: FAMILY },
    together: evenDegree,
  },
  auto: {
    doc: "the cheapest of the others that keeps to the limits",
    settings: {
      error: number(UNIT_INTERVAL, "largest relative error of an attention weight", null),
      variance: number(UNIT_INTERVAL, "largest relative increase of the gradient's variance", null),
    },
    together: anything,
  },
};

export const isPolicyKind = (name: string): name is PolicyKind => Object.hasOwn(POLICIES, name);

/** Is the setting one of words, such as `sampler`, or of true and false? */
export const takesWord = (kind: PolicyKind, key: string): boolean =>
  Object.hasOwn(POLICIES[kind].settings, key) && POLICIES[kind].settings[key]?.takes !== NUMBER_KIND;

/** Null, or what is wrong with one setting: `` `c` must be positive ``. */
export const settingObjection = (kind: PolicyKind, key: string, value: SettingValue): string | null => {
  const { settings } = POLICIES[kind];
  const setting = Object.hasOwn(settings, key) ? settings[key] : undefined;
  if (setting === undefined) {
    const names = Object.keys(settings);
    return names.length === 0 ? `\`${kind}\` takes no settings` : `\`${kind}\` has no \`${key}\`; it has ${names.join(", ")}`;
  }
  const wrong = setting.objection(value);
  return wrong === null ? null : `\`${key}\` ${wrong}`;
};

/** The policy with these settings and the defaults of the others; a string says what is wrong. */
export const makePolicy = (kind: PolicyKind, given: ReadonlyMap<string, SettingValue>): Policy | string => {
  for (const [key, value] of given) {
    const wrong = settingObjection(kind, key, value);
    if (wrong !== null) return wrong;
  }
  const { settings, together } = POLICIES[kind];
  const missing = Object.keys(settings).filter((key) => settings[key]?.fallback === undefined && !given.has(key));
  if (missing.length > 0) return `\`${kind}\` needs ${missing.join(", ")}`;
  const values = Object.fromEntries(Object.entries(settings).map(([key, { fallback }]) => [key, given.get(key) ?? fallback ?? null]));
  // Every setting of the kind is there, and was checked or is its default.
  return together(values) ?? ({ kind, ...values } as Policy);
};

/** Canonical text, settings at their defaults left out: `sus(c: 25)`. */
export const printPolicy = (policy: Policy): string => {
  const { settings } = POLICIES[policy.kind];
  const fields = Object.entries(policy).filter(([key, value]) => key !== "kind" && value !== settings[key]?.fallback);
  return fields.length === 0 ? policy.kind : `${policy.kind}(${fields.map(([key, value]) => `${key}: ${String(value)}`).join(", ")})`;
};

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

const settingValue = (text: string): SettingValue => (NUMBER.test(text) ? Number(text) : text === "true" ? true : text === "false" ? false : text);

/** The policy that a text spells: a name, and settings in parentheses; a string says what is wrong with it. */
export const parsePolicy = (text: string): Policy | string => {
  const call = /^\s*(\w+)\s*(?:\(([^()]*)\))?\s*$/.exec(text);
  const kind = call?.[1] ?? "";
  if (!isPolicyKind(kind)) return `\`${text.trim()}\` is no policy; there are ${Object.keys(POLICIES).join(", ")}`;
  const given = new Map<string, SettingValue>();
  const fields = call?.[2]?.trim() ?? "";
  for (const field of fields === "" ? [] : fields.split(",")) {
    const [, key, value] = /^\s*(\w+)\s*:\s*([\w.+-]+)\s*$/.exec(field) ?? [];
    if (key === undefined || value === undefined) return `cannot read \`${field.trim()}\`: expected \`name: value\``;
    if (given.has(key)) return `\`${key}\` is given twice`;
    given.set(key, settingValue(value));
  }
  return makePolicy(kind, given);
};
