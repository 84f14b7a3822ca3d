/** @file `dim` declarations to a table of dims: values given from outside, values written, values derived. */

import * as poly from "../../ir/poly.ts";
import type { Poly } from "../../ir/poly.ts";
import type { Label } from "../../ir/diagnostic.ts";
import type { DimDecl, Expr } from "../syntax/ast.ts";
import { DimTable, MAX_ELEMENTS } from "./dims.ts";
import { combine, negate, number } from "./numbers.ts";
import type { Num } from "./numbers.ts";
import type { Reporter } from "./report.ts";
import { didYouMean } from "./suggest.ts";

export type Overrides = Readonly<Record<string, number>>;

class Resolver {
  readonly table = new DimTable();
  readonly #decls: ReadonlyMap<string, DimDecl>;
  readonly #overrides: Overrides;
  readonly #reporter: Reporter;
  readonly #failed = new Set<string>();
  readonly #active: string[] = [];

  constructor(decls: ReadonlyMap<string, DimDecl>, overrides: Overrides, reporter: Reporter) {
    this.#decls = decls;
    this.#overrides = overrides;
    this.#reporter = reporter;
  }

  /** Defines a dim after those it is made of. A dim that cannot be had is 1, so that checking goes on; it was reported. */
  resolve(decl: DimDecl): void {
    const name = decl.name.text;
    if (this.table.has(name)) return;
    this.#active.push(name);
    const result = this.#valueOf(decl);
    this.#active.pop();
    if (this.table.has(name)) return;
    const valid = result !== null && this.#isSize(decl, result);
    if (!valid) this.#failed.add(name);
    const given = Object.hasOwn(this.#overrides, name);
    this.table.define(name, valid ? result.value : 1, valid && !given ? result.dim : null, decl.name.span);
  }

  #valueOf(decl: DimDecl): Num | null {
    const override = Object.hasOwn(this.#overrides, decl.name.text) ? this.#overrides[decl.name.text] : undefined;
    if (override !== undefined) return number(override);
    if (decl.value !== null) return this.#evaluate(decl.value);
    const name = decl.name.text;
    this.#reporter.error("SQ0217", `\`${name}\` has no value`, decl.name.span, { hint: `give it one: \`--dim ${name}=64\`` });
    return null;
  }

  #evaluate(expr: Expr): Num | null {
    switch (expr.kind) {
      case "number":
        return number(expr.value);
      case "name":
        return this.#named(expr.text, expr);
      case "unary": {
        const operand = expr.operator === "-" ? this.#evaluate(expr.operand) : this.#notConstant(expr);
        return operand === null ? null : negate(operand);
      }
      case "binary": {
        const [left, right] = [this.#evaluate(expr.left), this.#evaluate(expr.right)];
        if (left === null || right === null) return null;
        return combine(expr.operator, left, right) ?? this.#notConstant(expr);
      }
      case "error":
        return null;
      default:
        return this.#notConstant(expr);
    }
  }

  #notConstant(expr: Expr): null {
    this.#reporter.error("SQ0318", "a dim is made of numbers and other dims", expr.span, { hint: "use `+`, `-`, `*`, `/` and `**`" });
    return null;
  }

  #named(name: string, expr: Expr): Num | null {
    const decl = this.#decls.get(name);
    if (decl === undefined) {
      this.#reporter.error("SQ0201", `there is no dim \`${name}\``, expr.span, didYouMean(name, this.#decls.keys()));
      return null;
    }
    if (this.#active.includes(name)) {
      const circle = [...this.#active.slice(this.#active.indexOf(name)), name];
      const first = [...circle].sort()[0] ?? name;
      const at = this.#decls.get(first)?.name.span ?? expr.span;
      this.#reporter.error("SQ0216", `\`${first}\` is defined by itself`, at, { notes: [circle.join(" → ")], hint: "give one of them a number" });
      return null;
    }
    this.resolve(decl);
    if (this.#failed.has(name)) return null;
    const symbol = this.table.symbol(name) ?? poly.symbol(name);
    return number(this.table.valueOf(symbol), symbol);
  }

  #isSize(decl: DimDecl, { value, dim }: Num): boolean {
    const name = decl.name.text;
    const labels = this.#labelsOf(dim);
    const given = Object.hasOwn(this.#overrides, name) ? ", given from outside," : "";
    if (!Number.isInteger(value) || value < 1) {
      const span = decl.value?.span ?? decl.name.span;
      this.#reporter.error("SQ0310", `\`${name}\`${given} is ${value}; a dim is a positive whole number`, span, { here: `${value}`, labels });
      return false;
    }
    if (value < MAX_ELEMENTS) return true;
    this.#reporter.error("SQ0311", `\`${name}\`${given} is ${value}; a dim is below 2^31`, decl.name.span, { labels });
    return false;
  }

  #labelsOf(dim: Poly | null): readonly Label[] {
    if (dim === null) return [];
    return [...poly.symbolsOf(dim)].flatMap((name) => {
      const span = this.table.spanOf(name);
      return span === null ? [] : [{ span, text: `${name} = ${this.table.valueOf(poly.symbol(name))}` }];
    });
  }
}

/** The dims of a program; the first declaration of a name counts. */
export const declareDims = (decls: readonly DimDecl[], overrides: Overrides, reporter: Reporter): DimTable => {
  const byName = new Map<string, DimDecl>();
  for (const decl of decls) if (!byName.has(decl.name.text)) byName.set(decl.name.text, decl);
  for (const name of Object.keys(overrides)) {
    if (byName.has(name)) continue;
    const known = [...byName.keys()];
    reporter.error("SQ0009", `there is no dim \`${name}\` to set`, null, {
      notes: [known.length === 0 ? "the program declares no dims" : `the dims are ${known.join(", ")}`],
      ...didYouMean(name, known),
    });
  }
  const resolver = new Resolver(byName, overrides, reporter);
  for (const decl of byName.values()) resolver.resolve(decl);
  return resolver.table;
};
