/** @file Reverse-mode differentiation, function to function.
 *
 *      grad(x…) = (y, dy/dx…)  where  y = f(x…) is a scalar (or stands for the sum of its elements)
 *
 *  1. Activity: a float value is active if it depends on a wanted input through differentiable operations.
 *  2. Active operations whose derivative is that of their expansion are expanded, so every active operation has a rule.
 *  3. Backwards over the operations: the rule turns cotangents of results into contributions to cotangents of operands,
 *     which are added up in the order they arise. That order is the program's, so the result is deterministic.
 *  An operation of the backward pass belongs to the layer of the operation it differentiates (`path`, `loc`) and the
 *  cotangent of %x is called %d_x. The result is an ordinary function: it can be differentiated again.
 *
 *  Before  gradient (model is part of it).  After  gradient; function `to` exists.  Changes numerics: no. */

import type { Builder, Origin } from "../ir/builder.ts";
import { NOWHERE } from "../ir/builder.ts";
import type { Func, Module, Operation, Param, Result, Value } from "../ir/core.ts";
import { InternalError } from "../ir/diagnostic.ts";
import { add, constant } from "../ir/ops/index.ts";
import { fused } from "../ir/span.ts";
import { describe, isFloat, sameType } from "../ir/types.ts";
import { Substitution, buildAt, liveOps, withFunc } from "./edit.ts";
import { fail } from "./fail.ts";
import { definePass, option } from "./pass.ts";

export const differentiate = definePass({
  name: "differentiate",
  summary: "adds the gradient of a function with respect to its parameters and float inputs",
  before: "gradient",
  after: "gradient",
  options: {
    of: option.string("", "function to differentiate (train_loss where there is one, else loss)"),
    to: option.string("grad", "name of the new function"),
    result: option.string("", "its result to differentiate, summed over its elements (the first)"),
  },
  run: (module, { of, to, result }, ctx) => {
    const func = sourceOf(module, of);
    const grad = gradientOf(func, to, result);
    ctx.count("operations differentiated", func.ops.length);
    ctx.count("operations added", grad.ops.length - func.ops.length);
    return withFunc(module, grad);
  },
});

const sourceOf = (module: Module, of: string): Func => {
  const candidates = of === "" ? ["train_loss", "loss"] : [of];
  const func = candidates.map((name) => module.funcs.find((f) => f.name === name)).find((f) => f !== undefined);
  if (func !== undefined) return func;
  const names = module.funcs.map((f) => f.name).join(", ");
  return fail("SQ0508", `differentiate: there is no function \`${candidates.at(-1)}\``, [`the module has: ${names}`]);
};

/** Parameters and inputs with respect to which a gradient is wanted. */
const isWanted = (param: Param): boolean =>
  isFloat(param.value.type) && (param.role === "parameter" || param.role === "input");

const chosenResult = (func: Func, name: string): Result => {
  const chosen = name === "" ? func.results[0] : func.results.find((result) => result.name === name);
  if (chosen !== undefined && isFloat(chosen.value.type)) return chosen;
  const facts = func.results.map((result) => `${result.name}: ${describe(result.value.type)}`);
  return fail("SQ0508", `differentiate: \`${func.name}\` has no float result \`${name}\``, facts);
};

/** The function `to`: the chosen result of `func`, then `grad.<name>` for every parameter and float input. */
export const gradientOf = (func: Func, to: string, resultName = ""): Func => {
  const chosen = chosenResult(func, resultName);
  const wanted = func.params.filter(isWanted);
  const forward = expandActive(func, wanted);
  const output = forward.substitution.of(chosen.value);
  const reverse = new Reverse(forward.ops, forward.active);
  reverse.seed(output);
  reverse.run();
  const gradients = wanted.map((param): Result => ({ name: `grad.${param.name}`, value: reverse.gradient(param.value) }));
  const name = gradients.some((gradient) => gradient.name === chosen.name) ? "value" : chosen.name;
  const results = [{ name, value: output }, ...gradients];
  const ops = liveOps([...forward.ops, ...reverse.ops], results.map((result) => result.value));
  return { name: to, params: func.params, ops, results };
};

interface Forward {
  readonly ops: readonly Operation[];
  readonly active: ReadonlySet<Value>;
  readonly substitution: Substitution;
}

/** Steps 1 and 2, in one sweep. */
const expandActive = (func: Func, wanted: readonly Param[]): Forward => {
  const active = new Set(wanted.map((param) => param.value));
  const substitution = new Substitution();
  const ops: Operation[] = [];
  const visit = (original: Operation): void => {
    const operation = substitution.apply(original);
    const { op, operands, results } = operation;
    if (op.vjp === "inactive" || !operands.some((operand) => active.has(operand))) {
      ops.push(operation);
    } else if (op.vjp === "by-expansion") {
      const { expand } = op;
      if (expand === null) throw new InternalError(`sq.${op.mnemonic} has a vjp by expansion but no expansion`);
      const names = results.map((result) => result.name);
      const origin = { path: operation.path, loc: operation.loc };
      const built = buildAt(origin, names, (b) => expand(b, operands, operation.attrs));
      results.forEach((result, i) => substitution.set(result, built.values[i] ?? result));
      for (const inner of built.ops) visit(inner);
    } else {
      ops.push(operation);
      for (const result of results) if (isFloat(result.type)) active.add(result);
    }
  };
  for (const operation of func.ops) visit(operation);
  return { ops, active, substitution };
};

const originOf = ({ path, loc }: Operation): Origin => ({ path, loc: fused("differentiate", [loc]) });

/** Step 3. */
class Reverse {
  readonly ops: Operation[] = [];
  readonly #forward: readonly Operation[];
  readonly #active: ReadonlySet<Value>;
  readonly #cotangents = new Map<Value, Value>();

  constructor(forward: readonly Operation[], active: ReadonlySet<Value>) {
    this.#forward = forward;
    this.#active = active;
  }

  seed(output: Value): void {
    const ones = this.#build(NOWHERE, `d_${output.name}`, (b) => b.one(constant, [], { value: 1, type: output.type }));
    this.#cotangents.set(output, ones);
  }

  run(): void {
    for (let i = this.#forward.length - 1; i >= 0; i--) {
      const operation = this.#forward[i];
      if (operation !== undefined && operation.operands.some((operand) => this.#active.has(operand))) this.#through(operation);
    }
  }

  /** The cotangent of a parameter; zeros where the output does not depend on it. */
  gradient(value: Value): Value {
    return (
      this.#cotangents.get(value) ??
      this.#build(NOWHERE, `d_${value.name}`, (b) => b.one(constant, [], { value: 0, type: value.type }))
    );
  }

  #through(operation: Operation): void {
    const { op, operands, results, attrs } = operation;
    const cotangents = results.map((result) => this.#cotangents.get(result) ?? null);
    const rule = op.vjp;
    if (typeof rule === "string" || cotangents.every((cotangent) => cotangent === null)) return;
    const wanted = operands.map((operand) => this.#active.has(operand));
    const origin = originOf(operation);
    const names = operands.map((operand) => (operand.name === "" ? "" : `d_${operand.name}`));
    const built = buildAt<Value | null>(origin, names, (b) =>
      rule({ b, operands, results, attrs, cotangents, wanted }),
    );
    for (const inner of built.ops) this.ops.push(inner);
    operands.forEach((operand, i) => {
      const contribution = built.values[i];
      if (wanted[i] === true && contribution != null) this.#accumulate(operation, operand, contribution);
    });
  }

  #accumulate(operation: Operation, operand: Value, contribution: Value): void {
    if (!sameType(contribution.type, operand.type)) {
      const types = `${describe(contribution.type)} for ${describe(operand.type)}`;
      throw new InternalError(`the vjp of sq.${operation.op.mnemonic} contributes ${types}`);
    }
    const before = this.#cotangents.get(operand);
    const sum =
      before === undefined
        ? contribution
        : this.#build(originOf(operation), operand.name === "" ? "" : `d_${operand.name}`, (b) => b.one(add, [before, contribution], {}));
    this.#cotangents.set(operand, sum);
  }

  #build(origin: Origin, name: string, body: (b: Builder) => Value): Value {
    const built = buildAt(origin, [name], (b) => [body(b)]);
    for (const operation of built.ops) this.ops.push(operation);
    const [value] = built.values;
    if (value === undefined) throw new InternalError("nothing was built");
    return value;
  }
}
