/** @file Kernel → gpu.js source: one function a thread runs, readable, in the part of JavaScript that all its backends take.
 *
 *  Arrays are flat, loop bounds literal, integers below 2^24; `Math.max` has two arguments; nothing is `++`ed but loop
 *  counters; comparisons are conditions, and become 0 or 1 where their value is wanted. A `select` whose branches loop
 *  or name values is an `if`, any other a `?:`, unless a branch is an index: WebGL takes no `?:` of an int and a float,
 *  and gpu.js converts only what is assigned. Negations are in parentheses so that no backend ever sees `--`. */

import type { Expr, Kernel } from "./kernel.ts";
import type { KernelSource } from "../../runtime/abi.ts";
import { flattenKernel } from "./flat-kernel.ts";
import type { FlatKernel } from "./flat-kernel.ts";
import { binaryCode, code, conditionCode, number, unaryCode } from "./gpujs-expressions.ts";
import type { Code } from "./gpujs-expressions.ts";
import { childrenOf } from "./schedule.ts";

export const emitGpujs = (kernel: Kernel): KernelSource => {
  const flat = flattenKernel(kernel);
  const emitter = new Emitter(flat);
  const output = flat.axes.length === 0 ? [1] : flat.axes.map((axis) => axis.extent).reverse();
  const source = emitter.emit(kernel.name);
  return {
    name: kernel.name,
    source,
    output,
    inputs: kernel.inputs.map((input) => input.shape.reduce((product, size) => product * size, 1)),
    ...(emitter.loopLimit > 0 ? { loopLimit: emitter.loopLimit } : {}),
  };
};

/** Smaller than any score; the identity of max that every backend can spell. */
const LOWEST = -3.4e38;

const THREAD = ["x", "y", "z"] as const;

class Emitter {
  readonly #flat: FlatKernel;
  readonly #lines: string[] = [];
  /** Variables that gpu.js may type as integers. */
  readonly #integers = new Set<string>();
  #indent = 1;
  loopLimit = 0;

  constructor(flat: FlatKernel) {
    this.#flat = flat;
  }

  emit(name: string): string {
    const { axes, inputs, body } = this.#flat;
    const used = variablesOf(body);
    [...axes].reverse().forEach((axis, i) => {
      this.#integers.add(axis.name);
      if (used.has(axis.name)) this.#line(`let ${axis.name} = this.thread.${THREAD[i] ?? "z"};`);
    });
    const result = this.#value(body);
    this.#line(`return ${result.text};`);
    return [`function ${name}(${inputs.map((input) => input.name).join(", ")}) {`, ...this.#lines, "}"].join("\n");
  }

  #line(text: string): void {
    this.#lines.push("  ".repeat(this.#indent) + text);
  }

  #block(head: string, body: () => void): void {
    this.#line(`${head} {`);
    this.#indent++;
    body();
    this.#indent--;
    this.#line("}");
  }

  /** A number; statements it needs are written first. */
  #value(expr: Expr): Code {
    switch (expr.kind) {
      case "const":
        return number(expr.value);
      case "var":
        return code(expr.name);
      case "load":
        return code(`${this.#flat.inputs[expr.input]?.name ?? ""}[${this.#value(expr.at[0] ?? { kind: "const", value: 0 }).text}]`);
      case "unary":
        return expr.fn === "not" ? this.#truth(expr) : this.#unary(expr);
      case "binary":
        return isCondition(expr) ? this.#truth(expr) : binaryCode(expr.fn, expr.right, this.#value(expr.left), this.#value(expr.right), (c, hint) => this.#name(c, hint));
      case "let":
        this.#define(expr.name, expr.value);
        return this.#value(expr.body);
      case "select":
        return this.#isBranch(expr) ? this.#stored(expr, "chosen") : this.#ternary(expr);
      case "reduce":
        return this.#stored(expr, expr.fn);
      case "walk":
        return this.#stored(expr, "sum");
      case "fold":
        return this.#fold(expr);
    }
  }

  #unary(expr: Expr & { kind: "unary" }): Code {
    return unaryCode(expr.fn, this.#value(expr.arg), (c, hint) => this.#name(c, hint));
  }

  #truth(expr: Expr): Code {
    return code(`(${this.#condition(expr)} ? 1 : 0)`);
  }

  #ternary(expr: Expr & { kind: "select" }): Code {
    const condition = this.#condition(expr.cond);
    return code(`(${condition} ? ${this.#value(expr.then).text} : ${this.#value(expr.otherwise).text})`);
  }

  #condition(expr: Expr): string {
    return conditionCode(expr, (e) => this.#value(e)).text;
  }

  /** A variable for what a function spells more than once. */
  #name(value: Code, hint: string): Code {
    if (value.simple) return value;
    const name = this.#flat.pool.declare(hint);
    this.#line(`let ${name} = ${value.text};`);
    return code(name, true);
  }

  #stored(expr: Expr, hint: string): Code {
    const name = this.#flat.pool.declare(hint);
    this.#define(name, expr);
    return code(name, true);
  }

  #define(name: string, expr: Expr): void {
    if (expr.kind === "reduce") return this.#reduce(name, expr);
    if (expr.kind === "walk") return this.#walk(name, expr);
    if (expr.kind === "select" && this.#isBranch(expr)) return this.#branch(name, expr);
    if (expr.kind === "let") {
      this.#define(expr.name, expr.value);
      return this.#define(name, expr.body);
    }
    if (this.#isInteger(expr)) this.#integers.add(name);
    this.#line(`let ${name} = ${this.#value(expr).text};`);
  }

  #isInteger(expr: Expr): boolean {
    if (expr.kind === "var") return this.#integers.has(expr.name);
    if (expr.kind === "unary") return expr.fn === "floor" || (expr.fn === "neg" && this.#isInteger(expr.arg));
    if (expr.kind !== "binary" || !INTEGRAL.has(expr.fn)) return false;
    const sides = [expr.left, expr.right];
    return sides.some((e) => this.#isInteger(e)) && sides.every((e) => e.kind === "const" || this.#isInteger(e));
  }

  /** Must a `select` be an `if`? */
  #isBranch({ then, otherwise }: Expr & { kind: "select" }): boolean {
    return [then, otherwise].some((e) => this.#hasStatements(e) || this.#isInteger(e));
  }

  #hasStatements(expr: Expr): boolean {
    if (expr.kind === "let" || expr.kind === "reduce" || expr.kind === "walk" || expr.kind === "fold") return true;
    if (expr.kind === "select") return this.#isBranch(expr) || this.#hasStatements(expr.cond);
    if ((expr.kind === "unary" || expr.kind === "binary") && NAMING.has(expr.fn)) return true;
    return childrenOf(expr).some((child) => this.#hasStatements(child));
  }

  #branch(name: string, expr: Expr & { kind: "select" }): void {
    const condition = this.#condition(expr.cond);
    this.#line(`let ${name} = 0;`);
    this.#block(`if (${condition})`, () => this.#assign(name, expr.then));
    this.#block("else", () => this.#assign(name, expr.otherwise));
  }

  #assign(name: string, expr: Expr): void {
    this.#line(`${name} = ${this.#value(expr).text};`);
  }

  #reduce(name: string, expr: Expr & { kind: "reduce" }): void {
    this.#line(`let ${name} = ${expr.fn === "sum" ? "0" : number(LOWEST).text};`);
    const loop = expr.loops[0] ?? { name: "", extent: 0 };
    this.#integers.add(loop.name);
    this.#block(`for (let ${loop.name} = 0; ${loop.name} < ${loop.extent}; ${loop.name}++)`, () => {
      const term = this.#value(expr.body).text;
      this.#line(expr.fn === "sum" ? `${name} += ${term};` : `${name} = Math.max(${name}, ${term});`);
    });
  }

  /** gpu.js would take the type of the first value, be it an index, for the accumulator's. */
  #fold({ accumulator, init, loop, halving, next }: Expr & { kind: "fold" }): Code {
    const first = this.#value(init).text;
    this.#line(`let ${accumulator} = ${init.kind === "const" ? first : "0"};`);
    if (init.kind !== "const") this.#line(`${accumulator} = ${first};`);
    const counter = halving ? this.#flat.pool.declare("turn") : loop.name;
    if (halving) this.#line(`let ${loop.name} = ${2 ** (loop.extent - 1)};`);
    else this.#integers.add(counter);
    this.#block(`for (let ${counter} = 0; ${counter} < ${loop.extent}; ${counter}++)`, () => {
      this.#assign(accumulator, next);
      if (halving) this.#line(`${loop.name} = ${loop.name} * 0.5;`);
    });
    return code(accumulator, true);
  }

  #walk(name: string, expr: Expr & { kind: "walk" }): void {
    this.loopLimit = Math.max(this.loopLimit, expr.limit);
    this.#line(`let ${expr.cursor} = ${this.#value(expr.head).text};`);
    this.#line(`let ${name} = 0;`);
    this.#block(`while (${expr.cursor} >= 0)`, () => {
      this.#line(`${name} += ${this.#value(expr.body).text};`);
      this.#line(`${expr.cursor} = ${this.#value(expr.next).text};`);
    });
  }
}

const CONDITIONS: ReadonlySet<string> = new Set(["eq", "ne", "lt", "le", "gt", "ge", "and", "or"]);

const isCondition = (expr: Expr & { kind: "binary" }): boolean => CONDITIONS.has(expr.fn);

/** Functions that name a temporary, so that they need statements of their own. */
const NAMING: ReadonlySet<string> = new Set(["erf", "sin", "cos", "sign", "pow"]);

/** Functions of integers that are integers for gpu.js. */
const INTEGRAL: ReadonlySet<string> = new Set(["add", "sub", "mul"]);

const variablesOf = (expr: Expr, into = new Set<string>()): ReadonlySet<string> => {
  if (expr.kind === "var") into.add(expr.name);
  for (const child of childrenOf(expr)) variablesOf(child, into);
  return into;
};
