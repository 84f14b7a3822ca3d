/** @file How a parameter starts: `normal(std: 0.02)`, `uniform(low: -1, high: 1)`, `constant(0.5)`, `zeros`, `ones`. The
 *  runtime draws them; here they are checked and spelled canonically, every number worked out. */

import type { Span } from "../../ir/span.ts";
import type { Arg, Expr } from "../syntax/ast.ts";
import { assign } from "./arguments.ts";
import type { Context } from "./context.ts";
import { evaluate } from "./expressions.ts";
import { describeValue } from "./shapes.ts";
import { didYouMean } from "./suggest.ts";

interface Initialiser {
  /** Settings in order, with what they are when left out; NaN: they must be given. */
  readonly settings: Readonly<Record<string, number>>;
  /** What is wrong with the settings; null where nothing is. */
  readonly objection: (settings: Readonly<Record<string, number>>) => string | null;
}

export const INITIALISERS: Readonly<Record<string, Initialiser>> = {
  normal: {
    settings: { std: 1, mean: 0 },
    objection: ({ std = 0 }) => (std < 0 ? `the standard deviation is ${std}; it must not be negative` : null),
  },
  uniform: {
    settings: { low: 0, high: 1 },
    objection: ({ low = 0, high = 0 }) => (low > high ? `low is ${low}, above high, ${high}` : null),
  },
  constant: { settings: { value: Number.NaN }, objection: () => null },
  zeros: { settings: {}, objection: () => null },
  ones: { settings: {}, objection: () => null },
};

/** The canonical spelling; null after an error. */
export const initialiser = (ctx: Context, expr: Expr): string | null => {
  const callee = expr.kind === "call" ? expr.callee : expr;
  if (callee.kind === "error") return null;
  const known = Object.keys(INITIALISERS);
  const record = callee.kind === "name" ? INITIALISERS[callee.text] : undefined;
  if (callee.kind !== "name" || record === undefined) {
    const near = callee.kind === "name" ? didYouMean(callee.text, known) : {};
    ctx.error("SQ0223", "this is not an initialiser", callee.span, { notes: [`there are ${known.join(", ")}`], ...near });
    return null;
  }
  const settings = evaluateSettings(ctx, callee.text, record, expr.kind === "call" ? expr.args : [], expr.span);
  if (settings === null) return null;
  const objection = record.objection(settings);
  if (objection !== null) {
    ctx.error("SQ0319", objection, expr.span);
    return null;
  }
  const shown = Object.entries(settings).filter(([name, value]) => name !== "mean" || value !== 0);
  return shown.length === 0 ? callee.text : `${callee.text}(${shown.map(([name, value]) => `${name}: ${value}`).join(", ")})`;
};

const evaluateSettings = (
  ctx: Context,
  name: string,
  record: Initialiser,
  args: readonly Arg[],
  span: Span,
): Readonly<Record<string, number>> | null => {
  const given = args.map((arg) => ({ arg, value: evaluate(ctx, arg.value) }));
  const formals = Object.entries(record.settings).map(([key, fallback]) => ({ name: key, optional: !Number.isNaN(fallback) }));
  const assigned = assign(ctx, { name, formals, rest: false, open: false, declared: null }, given, span);
  if (assigned === null) return null;
  const settings = { ...record.settings };
  for (const [key, { arg, value }] of assigned.named) {
    if (value.kind === "error") return null;
    if (value.kind !== "number" || !Number.isFinite(value.value)) {
      ctx.error("SQ0318", `\`${key}\` is a number known when compiled, not ${describeValue(value)}`, arg.value.span);
      return null;
    }
    settings[key] = value.value;
  }
  return settings;
};
