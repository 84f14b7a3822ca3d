/** @file The verifier: everything a module must satisfy between two passes. All errors are collected.
 *
 *  Per module     function names are unique.
 *  Per function   names of parameters, and of results, are unique; roles that need an initialiser have one;
 *                 every value is defined exactly once (as a parameter or by one operation) and before it is used;
 *                 results are defined values.
 *  Per operation  its op belongs to the stage; the attributes are those of the op, and each survives its codec;
 *                 the op's labelled constraints (C0, C1, …) hold; the results have the dtypes and shapes that the op
 *                 infers. The spelling of axes (`dims`) may differ: it is for costs and messages.
 *
 *  Values are the same when they are the same object: names do not matter here. One walk, linear in the operations. */

import type { AttrNode } from "./attrs.ts";
import type { AnyOp, Func, Module, Operation, Value } from "./core.ts";
import { isViolation } from "./core.ts";
import { diagnostic } from "./codes.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { funcLines, printOperation, printingOf } from "./print.ts";
import type { Span } from "./span.ts";
import { STAGES } from "./stages.ts";
import type { StageName } from "./stages.ts";
import { nameValues } from "./text/names.ts";
import { describe, sameType } from "./types.ts";

export interface VerifyError {
  readonly code: "SQ0403" | "SQ0404" | "SQ0405" | "SQ0406" | "SQ0407" | "SQ0410";
  readonly func: Func;
  /** The operation at fault; null where it is the function itself. */
  readonly operation: Operation | null;
  /** The op's constraint that fails (`C1`), "" for a rule of the IR itself. */
  readonly constraint: string;
  readonly message: string;
}

export const verify = (module: Module, stage: StageName): VerifyError[] => {
  const errors: VerifyError[] = [];
  const names = new Set<string>();
  for (const func of module.funcs) {
    const verifier = new FuncVerifier(func, STAGES[stage], stage, errors);
    if (names.has(func.name)) verifier.report("SQ0410", null, `two functions are called @${func.name}`);
    names.add(func.name);
    if (rightAt.get(func)?.has(stage) === true) continue;
    const before = errors.length;
    verifier.run();
    if (errors.length === before) rightAt.set(func, (rightAt.get(func) ?? new Set()).add(stage));
  }
  return errors;
};

/** Functions are immutable, and many a pass leaves some as they are: the stages at which one was found right. */
const rightAt = new WeakMap<Func, Set<StageName>>();

/** Operations are immutable and most survive a pass: attributes and types that were found right stay right. By the array
 *  of their results, which copies of an operation (with other operands, with `inline` set) share. */
const checked = new WeakMap<readonly Value[], Operation>();

const wasChecked = (operation: Operation): boolean => {
  const before = checked.get(operation.results);
  return before !== undefined && before.op === operation.op && before.operands === operation.operands && before.attrs === operation.attrs;
};

class FuncVerifier {
  readonly #func: Func;
  readonly #allowed: ReadonlySet<AnyOp>;
  readonly #stage: StageName;
  readonly #errors: VerifyError[];
  readonly #defined = new Set<Value>();

  constructor(func: Func, allowed: ReadonlySet<AnyOp>, stage: StageName, errors: VerifyError[]) {
    this.#func = func;
    this.#allowed = allowed;
    this.#stage = stage;
    this.#errors = errors;
  }

  run(): void {
    this.#params();
    for (const operation of this.#func.ops) {
      this.#operands(operation);
      this.#membership(operation);
      if (!wasChecked(operation)) this.#contents(operation);
      for (const result of operation.results) this.#define(result, operation);
    }
    this.#results();
  }

  report(code: VerifyError["code"], operation: Operation | null, message: string, constraint = ""): void {
    this.#errors.push({ code, func: this.#func, operation, constraint, message });
  }

  #params(): void {
    const names = new Set<string>();
    for (const { name, value, role, init } of this.#func.params) {
      if (names.has(name)) this.report("SQ0410", null, `two parameters are called ${name}`);
      names.add(name);
      if ((role === "parameter") !== (init !== ""))
        this.report("SQ0410", null, `parameter ${name} of role ${role} ${init === "" ? "has no" : "has an"} initialiser`);
      this.#define(value, null);
    }
  }

  #results(): void {
    const names = new Set<string>();
    for (const { name, value } of this.#func.results) {
      if (names.has(name)) this.report("SQ0410", null, `two results are called ${name}`);
      names.add(name);
      if (!this.#defined.has(value)) this.report("SQ0410", null, `result ${name} is a value that is not defined`);
    }
  }

  #define(value: Value, operation: Operation | null): void {
    const before = this.#defined.size;
    if (this.#defined.add(value).size === before) this.report("SQ0403", operation, `value ${shown(value)} is defined twice`);
  }

  #operands(operation: Operation): void {
    for (const value of operation.operands)
      if (!this.#defined.has(value)) this.report("SQ0403", operation, `operand ${shown(value)} is not defined before it is used`);
  }

  #membership(operation: Operation): void {
    if (this.#allowed.has(operation.op)) return;
    this.report("SQ0406", operation, `sq.${operation.op.mnemonic} does not belong to the ${this.#stage} stage`);
  }

  /** What depends on the operation alone. */
  #contents(operation: Operation): void {
    const before = this.#errors.length;
    this.#attributes(operation);
    this.#types(operation);
    if (this.#errors.length === before) checked.set(operation.results, operation);
  }

  #attributes(operation: Operation): void {
    const { op } = operation;
    const values = operation.attrs as Readonly<Record<string, unknown>>;
    const report = (message: string): void => this.report("SQ0407", operation, message);
    for (const key in values) if (!Object.hasOwn(op.attrs, key)) report(`sq.${op.mnemonic} has no attribute ${key}`);
    for (const key in op.attrs) {
      const codec = op.attrs[key];
      const node: AttrNode | null = values[key] === undefined ? null : (codec?.encode(values[key]) ?? null);
      if (codec?.decode(node) === undefined || !isExact(node)) report(`attribute ${key} is not ${codec?.expects ?? "known"}`);
    }
  }

  #types(operation: Operation): void {
    const { op, results } = operation;
    const inferred = op.infer(operation.operands.map((value) => value.type), operation.attrs);
    if (isViolation(inferred)) return this.report("SQ0404", operation, inferred.message, inferred.constraint);
    if (inferred.length !== results.length)
      return this.report("SQ0405", operation, `has ${results.length} results, sq.${op.mnemonic} has ${inferred.length}`);
    for (let i = 0; i < results.length; i++) {
      const [result, type] = [results[i], inferred[i]];
      if (result === undefined || type === undefined || result.type === type || sameType(result.type, type)) continue;
      const message = `result ${shown(result)} is ${describe(result.type)}, sq.${op.mnemonic} gives ${describe(type)}`;
      this.report("SQ0405", operation, message);
    }
  }
}

const shown = (value: Value): string => (value.name === "" ? "(unnamed)" : `%${value.name}`);

/** Integers are integers; what is in an array too. */
const isExact = (node: AttrNode | null): boolean =>
  node?.kind === "int" ? Number.isSafeInteger(node.value) : node?.kind === "array" ? node.items.every(isExact) : true;

/** `C1: axis 3 of rank 2`, without where. */
export const errorText = ({ constraint, message }: VerifyError): string =>
  constraint === "" ? message : `${constraint}: ${message}`;

/** One line: function, operation, error. */
export const describeError = (error: VerifyError): string => {
  const { func, operation } = error;
  if (operation === null) return `@${func.name}: ${errorText(error)}`;
  const names = nameValues(func);
  const results = operation.results.map((value) => `%${names.of(value)}`).join(", ");
  return `@${func.name} ${results} sq.${operation.op.mnemonic}: ${errorText(error)}`;
};

/** The functions that have errors, printed, with each error under its operation. */
export const printErrors = (errors: readonly VerifyError[]): string => {
  const funcs = [...new Set(errors.map((error) => error.func))];
  return funcs.map((func) => annotated(func, errors.filter((error) => error.func === func))).join("\n");
};

const annotated = (func: Func, errors: readonly VerifyError[]): string => {
  const printing = printingOf(func);
  const notes = (operation: Operation | null): string[] =>
    errors.filter((error) => error.operation === operation).map((error) => `    ^ ${error.code}: ${errorText(error)}`);
  const [head, ...rest] = funcLines(func, printing, "");
  const faulty = new Set(errors.map((error) => error.operation));
  const ops = func.ops.flatMap((operation) => [
    `  ${printOperation(operation, printing)}`,
    ...(faulty.has(operation) ? notes(operation) : []),
  ]);
  return [head, ...notes(null), ...ops, ...rest.slice(func.ops.length), ""].join("\n");
};

/** The errors as diagnostics, for a module that was read from a text. */
export const verifyDiagnostics = (
  errors: readonly VerifyError[],
  spans: ReadonlyMap<Operation | Func, Span>,
): Diagnostic[] =>
  errors.map((error) => {
    const span = spans.get(error.operation ?? error.func);
    return diagnostic(error.code, errorText(error), { labels: span === undefined ? [] : [{ span, text: "" }] });
  });
