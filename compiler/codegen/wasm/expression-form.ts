/** @file How expressions are written: how a value is held, what a `select` may compute for nothing, what goes into a load's instruction. */

import type { Expr } from "../kernel.ts";
import { childrenOf } from "../schedule.ts";
import type { LocalIndex } from "./builder.ts";
import type { ValueType } from "./instructions.ts";
import type { Kind, Kinds } from "./kinds.ts";
import { CALLED, scalarCost } from "./lanes.ts";
import type { Width } from "./operations.ts";

/** Where the value of a name is. */
export interface Held {
  readonly local: LocalIndex;
  readonly kind: Kind;
  readonly width: Width;
  /** An integer of one lane, by how much it grows to the next one. */
  readonly stride?: number;
}

export const localType = (kind: Kind, width: Width): ValueType => (width === 4 ? "v128" : kind === "f32" ? "f32" : "i32");

/** A `select` without a jump, if both sides are no dearer than this. */
const CHEAP = 6;

export const isCheap = (expr: Expr): boolean => isPlain(expr) && scalarCost(expr) <= CHEAP;

/** No statements, no calls. */
const isPlain = (expr: Expr): boolean => {
  if (expr.kind === "let" || expr.kind === "reduce" || expr.kind === "walk" || expr.kind === "fold") return false;
  if ((expr.kind === "unary" || expr.kind === "binary") && CALLED.has(expr.fn)) return false;
  return childrenOf(expr).every(isPlain);
};

/** index = rest + offset; the offset goes into the instruction, which wants the rest not to be negative. */
export const splitOffset = (index: Expr, kinds: Kinds): readonly [rest: Expr | null, offset: number] => {
  if (index.kind === "const") return [null, index.value];
  if (index.kind !== "binary" || index.fn !== "add" || index.right.kind !== "const" || index.right.value < 0) return [index, 0];
  return (kinds.range(index.left)?.low ?? -1) >= 0 ? [index.left, index.right.value] : [index, 0];
};
