/** @file Small statistics: moments that do not cancel, Student's t, the jackknife. */

/** An estimate with its standard error; the error is NaN where it cannot be known (one observation). */
export interface Estimate {
  readonly value: number;
  readonly error: number;
}

export const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** A statistic of n observations and its jackknife error (Tukey, 1958):
 *
 *      error² = (n - 1)/n Σ_b (θ_b - mean θ)²    with θ_b the statistic without observation b
 *
 *  @param without the statistic when observation `b` is left out; of all when `b` is null. */
export const jackknife = (count: number, without: (b: number | null) => number): Estimate => {
  const value = without(null);
  if (count < 3) return { value, error: Number.NaN };
  const left = Array.from({ length: count }, (_, b) => without(b));
  const mean = meanOf(left);
  const squares = left.reduce((sum, theta) => sum + (theta - mean) ** 2, 0);
  return { value, error: Math.sqrt(((count - 1) / count) * squares) };
};

/** The mean of independent observations, with its standard error. */
export const meanEstimate = (values: readonly number[]): Estimate => {
  const value = meanOf(values);
  const squares = values.reduce((sum, each) => sum + (each - value) ** 2, 0);
  const { length } = values;
  return { value, error: length < 2 ? Number.NaN : Math.sqrt(squares / (length - 1) / length) };
};

/** E|t| of Student's t with ν degrees of freedom:
 *
 *      2 √ν Γ((ν + 1)/2) / (√π (ν - 1) Γ(ν/2))
 *
 *  → √(2/π) = 0.798 of the normal distribution as ν grows; infinite for ν = 1, where t is Cauchy's. */
export const expectedAbsT = (freedom: number): number => {
  if (freedom <= 1) return Number.POSITIVE_INFINITY;
  const ratio = Math.exp(logGamma((freedom + 1) / 2) - logGamma(freedom / 2));
  return (2 * Math.sqrt(freedom) * ratio) / (Math.sqrt(Math.PI) * (freedom - 1));
};

/** ln Γ(x) for x > 0: shifted to x ≥ 10, then Stirling's series; relative error below 1e-12. */
export const logGamma = (x: number): number => {
  let [at, shift] = [x, 0];
  while (at < 10) {
    shift -= Math.log(at);
    at += 1;
  }
  const inverse = 1 / (at * at);
  const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / at;
  return shift + (at - 0.5) * Math.log(at) - at + 0.5 * Math.log(2 * Math.PI) + series;
};

/** The exponent of y ∝ x^slope by least squares of ln y on ln x. */
export const logLogSlope = (points: readonly (readonly [x: number, y: number])[]): number => {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const [mx, my] = [meanOf(logs.map(([x]) => x)), meanOf(logs.map(([, y]) => y))];
  const [xy, xx] = logs.reduce(([a, b], [x, y]) => [a + (x - mx) * (y - my), b + (x - mx) ** 2], [0, 0]);
  return xy / xx;
};
