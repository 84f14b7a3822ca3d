/** @file Polynomials in the model's dimension names: the currency of shapes and costs (`4*B*T*D + 2*D`).
 *
 *  Exponents are integers and may be negative (`D*H^-1` is the width of a head), so that `H * (D / H)` is `D` again.
 *  Immutable; every function returns a polynomial in canonical form (no zero terms), so equality is term by term. */

export interface Poly {
  /** Monomial, printed canonically (`B*T^2`, empty for the constant), to its coefficient. */
  readonly terms: ReadonlyMap<string, number>;
}

type Powers = ReadonlyMap<string, number>;

const canonical = (terms: Iterable<readonly [string, number]>): Poly => {
  const sum = new Map<string, number>();
  for (const [key, coefficient] of terms) sum.set(key, (sum.get(key) ?? 0) + coefficient);
  for (const [key, coefficient] of sum) if (coefficient === 0) sum.delete(key);
  return { terms: sum };
};

const powersOf = (key: string): Powers => {
  if (key === "") return new Map();
  return new Map(
    key.split("*").map((factor): [string, number] => {
      const caret = factor.indexOf("^");
      return caret < 0 ? [factor, 1] : [factor.slice(0, caret), Number(factor.slice(caret + 1))];
    }),
  );
};

const keyOf = (powers: Powers): string =>
  [...powers]
    .filter(([, power]) => power !== 0)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, power]) => (power === 1 ? name : `${name}^${power}`))
    .join("*");

const multiplyKeys = (a: string, b: string, sign: 1 | -1): string => {
  if (b === "") return a;
  const powers = new Map(powersOf(a));
  for (const [name, power] of powersOf(b)) powers.set(name, (powers.get(name) ?? 0) + sign * power);
  return keyOf(powers);
};

export const constant = (value: number): Poly => ({ terms: value === 0 ? new Map() : new Map([["", value]]) });

export const symbol = (name: string): Poly => ({ terms: new Map([[name, 1]]) });

export const ZERO: Poly = constant(0);
export const ONE: Poly = constant(1);

export const add = (...all: readonly Poly[]): Poly => canonical(all.flatMap((p) => [...p.terms]));

export const scale = (p: Poly, factor: number): Poly =>
  canonical([...p.terms].map(([key, coefficient]): [string, number] => [key, coefficient * factor]));

export const sub = (a: Poly, b: Poly): Poly => add(a, scale(b, -1));

export const mul = (...all: readonly Poly[]): Poly => all.reduce(multiplyTwo, ONE);

const multiplyTwo = (a: Poly, b: Poly): Poly =>
  canonical(
    [...a.terms].flatMap(([ka, ca]) =>
      [...b.terms].map(([kb, cb]): [string, number] => [multiplyKeys(ka, kb, 1), ca * cb]),
    ),
  );

/** a / b, or `null` where b is zero or a sum (a polynomial is only divided by a single term). */
export const div = (a: Poly, b: Poly): Poly | null => {
  const [divisor, ...rest] = [...b.terms];
  if (divisor === undefined || rest.length > 0) return equal(a, b) && b.terms.size > 0 ? ONE : null;
  return canonical([...a.terms].map(([key, c]): [string, number] => [multiplyKeys(key, divisor[0], -1), c / divisor[1]]));
};

export const equal = (a: Poly, b: Poly): boolean =>
  a.terms.size === b.terms.size && [...a.terms].every(([key, coefficient]) => b.terms.get(key) === coefficient);

/** The value where every symbol has the value `env` gives it; NaN if one has none. */
export const evaluate = (p: Poly, env: ReadonlyMap<string, number>): number => {
  let total = 0;
  for (const [key, coefficient] of p.terms) {
    let term = coefficient;
    for (const [name, power] of powersOf(key)) term *= (env.get(name) ?? Number.NaN) ** power;
    total += term;
  }
  return total;
};

/** Replaces symbols by polynomials (where a negative power is met, the replacement must be a single term). */
export const substitute = (p: Poly, env: ReadonlyMap<string, Poly>): Poly =>
  add(
    ...[...p.terms].map(([key, coefficient]) => {
      let term = constant(coefficient);
      for (const [name, power] of powersOf(key)) {
        const by = env.get(name) ?? symbol(name);
        for (let i = 0; i < Math.abs(power); i++) {
          const next = power > 0 ? mul(term, by) : div(term, by);
          term = next ?? mul(term, { terms: new Map([[`${name}^-1`, 1]]) });
        }
      }
      return term;
    }),
  );

export const isConstant = (p: Poly): boolean => p.terms.size === 0 || (p.terms.size === 1 && p.terms.has(""));

export const symbolsOf = (p: Poly): ReadonlySet<string> =>
  new Set([...p.terms.keys()].flatMap((key) => [...powersOf(key).keys()]));

const degree = (key: string): number => [...powersOf(key).values()].reduce((sum, power) => sum + power, 0);

const byDegree = (a: string, b: string): number => degree(b) - degree(a) || (a < b ? -1 : a > b ? 1 : 0);

/** Canonical text: highest degree first, then by name: `8*B*T^2 + 4*D - 1`. `parse` reads it back. */
export const print = (p: Poly, times = "*"): string => {
  const keys = [...p.terms.keys()].sort(byDegree);
  if (keys.length === 0) return "0";
  return keys
    .map((key, i) => {
      const coefficient = p.terms.get(key) ?? 0;
      const size = Math.abs(coefficient);
      const body = key === "" ? `${size}` : size === 1 ? key : `${size}*${key}`;
      const sign = coefficient < 0 ? (i === 0 ? "-" : " - ") : i === 0 ? "" : " + ";
      return sign + body.replaceAll("*", times);
    })
    .join("");
};

/** Reads what `print` writes; `null` for anything else. */
export const parse = (text: string): Poly | null => {
  const terms: [string, number][] = [];
  const pattern = /\s*([+-]?)\s*([^\s+-](?:[^\s+-]|(?<=\^)-|(?<=\de)[+-])*)/gy;
  let end = 0;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    if (terms.length > 0 && match[1] === "") return null;
    const factors = (match[2] ?? "").split("*");
    const lead = Number(factors[0]);
    const coefficient = Number.isNaN(lead) ? 1 : lead;
    const names = Number.isNaN(lead) ? factors : factors.slice(1);
    if (names.some((name) => !/^[A-Za-z_]\w*(\^-?\d+)?$/.test(name))) return null;
    terms.push([keyOf(powersOf(names.join("*"))), match[1] === "-" ? -coefficient : coefficient]);
    end = pattern.lastIndex;
  }
  return end === text.length && terms.length > 0 ? canonical(terms) : null;
};
