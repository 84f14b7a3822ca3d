/** @file Order statistics of few numbers. */

/** The value below which a share of the numbers lies, between neighbours by proportion. NaN of none. */
export const quantile = (numbers: readonly number[], share: number): number => {
  const sorted = numbers.toSorted((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(at)] ?? Number.NaN, sorted[Math.ceil(at)] ?? Number.NaN];
  return below + (at - Math.floor(at)) * (above - below);
};

export const median = (numbers: readonly number[]): number => quantile(numbers, 0.5);

/** The quotients of two lists, round by round. */
export const quotients = (above: readonly number[], below: readonly number[]): readonly number[] => above.map((value, i) => value / (below[i] ?? Number.NaN));
