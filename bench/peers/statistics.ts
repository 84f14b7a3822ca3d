/** @file Quotients of what was measured in turns. */

/** The quotients of two lists, round by round. */
export const quotients = (above: readonly number[], below: readonly number[]): readonly number[] => above.map((value, i) => value / (below[i] ?? Number.NaN));
