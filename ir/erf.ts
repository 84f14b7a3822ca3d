/** @file The error function in float64, to a few units in the last place: the reference that kernels' approximations meet.
 *
 *  |x| < 2.5:  erf(x) = 2/sqrt(pi) x exp(-x^2) sum over n of (2 x^2)^n / (1 3 5 … (2n+1)), every term positive;
 *  above:      erfc(x) = exp(-x^2)/sqrt(pi) / (x + (1/2)/(x + (2/2)/(x + (3/2)/(x + …)))), evaluated from its tail. */

const SERIES_BELOW = 2.5;
const FRACTION_DEPTH = 60;

const bySeries = (x: number): number => {
  let term = 1;
  let sum = 1;
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * x * Math.exp(-x * x) * sum;
};

const complementByFraction = (x: number): number => {
  let tail = x;
  for (let n = FRACTION_DEPTH; n >= 1; n--) tail = x + n / 2 / tail;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / tail;
};

export const erf = (x: number): number => {
  const size = Math.abs(x);
  if (!(size >= SERIES_BELOW)) return bySeries(x);
  return Math.sign(x) * (1 - complementByFraction(size));
};
