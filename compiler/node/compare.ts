/** @file How far the outputs of two backends are apart. */

import type { HostTensor, Tensors } from "../../runtime/abi.ts";

export interface Comparison {
  readonly name: string;
  /** A ratio: 0 where both are equal, Infinity where they cannot be compared or a value is not finite. */
  readonly error: number;
}

/** Below this share of the largest norm of its family a reference is zero up to rounding, by the reference's own dtype. */
const ZERO_SHARE: Readonly<Record<string, number>> = { F64: 1e-9, F32: 1e-6 };

/** Outputs of one kind, whose sizes can be measured by each other: all gradients, all first moments, all second ones. */
const familyOf = (name: string): string => /^(grad|m|v)\./.exec(name)?.[0] ?? "";

const isFloat = ({ dtype }: HostTensor): boolean => dtype === "F32" || dtype === "F64";

/** The relative error of every float output a against the reference b, worst first:
 *
 *    error(a, b) = |a - b| / |b|    with Frobenius norms,
 *
 *  except where b is zero up to rounding, |b| <= z N, N the largest norm of its family and z = 1e-9 for an F64 reference
 *  (the interpreter), 1e-6 for an F32 one. The exact value is 0 there (the gradient of a key's bias under softmax, say),
 *  both sides hold nothing but the rounding of what cancelled, and the error is |a - b| / N. Where N = 0 it is |a|. */
export const compare = (outputs: Tensors, reference: Tensors): Comparison[] => {
  const largest = new Map<string, number>();
  for (const [name, tensor] of Object.entries(reference)) {
    if (!isFloat(tensor)) continue;
    largest.set(familyOf(name), Math.max(largest.get(familyOf(name)) ?? 0, normOf(tensor)));
  }
  return Object.entries(outputs)
    .filter(([, tensor]) => isFloat(tensor))
    .map(([name, tensor]): Comparison => ({ name, error: relativeError(tensor, reference[name], largest.get(familyOf(name)) ?? 0) }))
    .sort((a, b) => b.error - a.error);
};

/** As `compare` defines it; `largest` is N. */
export const relativeError = (a: HostTensor, b: HostTensor | undefined, largest = 0): number => {
  if (b === undefined || a.data.length !== b.data.length) return Infinity;
  const norm = normOf(b);
  const zero = norm <= (ZERO_SHARE[b.dtype] ?? 0) * largest;
  const scale = zero ? largest : norm;
  let difference = 0;
  for (let i = 0; i < a.data.length; i++) difference += (Number(a.data[i]) - Number(b.data[i])) ** 2;
  const error = Math.sqrt(difference) / (scale === 0 ? 1 : scale);
  return Number.isNaN(error) ? Infinity : error;
};

/** The Frobenius norm. */
export const normOf = ({ data }: HostTensor): number => {
  let sum = 0;
  for (const value of data) sum += Number(value) ** 2;
  return Math.sqrt(sum);
};
