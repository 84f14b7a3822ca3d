/** @file Which argument goes to which name, for layers, functions and builtins alike: positional ones in order, then by name. */

import type { Span } from "../../ir/span.ts";
import type { Arg } from "../syntax/ast.ts";
import type { Context } from "./context.ts";
import type { Value } from "./program.ts";
import { didYouMean } from "./suggest.ts";

export interface Given {
  readonly arg: Arg;
  readonly value: Value;
}

export interface Formal {
  readonly name: string;
  readonly optional: boolean;
}

export interface Assigned {
  readonly named: ReadonlyMap<string, Given>;
  /** Positional arguments beyond the formal ones, where `rest` allows them. */
  readonly rest: readonly Given[];
  /** Named arguments that are not formal, where `open` allows them. */
  readonly extra: ReadonlyMap<string, Given>;
}

export interface Interface {
  readonly name: string;
  readonly formals: readonly Formal[];
  readonly rest: boolean;
  readonly open: boolean;
  /** Where it is declared; null for a builtin. */
  readonly declared: Span | null;
}

/** Null after an error. */
export const assign = (ctx: Context, callee: Interface, given: readonly Given[], at: Span): Assigned | null => {
  const named = new Map<string, Given>();
  const extra = new Map<string, Given>();
  const rest: Given[] = [];
  const { name, formals } = callee;
  const labels = callee.declared === null ? [] : [{ span: callee.declared, text: "declared here" }];
  let good = true;
  const complain = (...args: Parameters<Context["error"]>): void => {
    ctx.error(...args);
    good = false;
  };
  let position = 0;
  for (const entry of given) {
    const written = entry.arg.name;
    const formal = written === null ? formals[position++]?.name : written.text;
    if (formal === undefined) {
      if (callee.rest) rest.push(entry);
      else if (position === formals.length + 1) complain("SQ0209", `\`${name}\` takes ${count(formals.length)}, not ${given.length}`, entry.arg.span, { labels });
    } else if (!formals.some((f) => f.name === formal)) {
      if (callee.open) extra.set(formal, entry);
      else complain("SQ0207", `\`${name}\` has no argument \`${formal}\``, written?.span ?? entry.arg.span, {
        labels,
        notes: [`it has ${formals.map((f) => f.name).join(", ") || "none"}`],
        ...didYouMean(formal, formals.map((f) => f.name)),
      });
    } else if (named.has(formal)) {
      complain("SQ0210", `\`${formal}\` of \`${name}\` is given twice`, entry.arg.span, { labels });
    } else named.set(formal, entry);
  }
  const missing = formals.filter((f) => !f.optional && !named.has(f.name));
  if (missing.length > 0 && good)
    complain("SQ0208", `\`${name}\` needs ${missing.map((f) => `\`${f.name}\``).join(", ")}`, at, {
      labels,
      notes: [`its arguments are ${formals.map((f) => f.name + (f.optional ? "?" : "")).join(", ")}`],
    });
  return good ? { named, rest, extra } : null;
};

const count = (n: number): string => (n === 0 ? "no argument" : n === 1 ? "one argument" : `${n} arguments`);
