/** @file Builds kernel expressions so that equal ones are one object: a pool interns every node it makes.
 *
 *  Sharing then shows itself (an operand used twice is one node with two uses), and inlining a whole tree of operations
 *  costs the size of its graph, not of its expansion. `schedule.ts` turns such a graph back into a tree with `let`s. */

import { InternalError } from "../../ir/diagnostic.ts";
import type { BinaryFn, Expr, Loop, UnaryFn } from "./kernel.ts";
import { BINARY, UNARY } from "./scalar-functions.ts";

interface Facts {
  readonly id: number;
  /** Variables the node depends on and does not bind. */
  readonly free: ReadonlySet<string>;
}

/** Names that say no more than what kind of expression it is, so that a number is better chosen afresh. */
const PLAIN_NAME = /^(base|max|sum|v)\d*$/;

const NONE: ReadonlySet<string> = new Set();

export class ExprPool {
  readonly #nodes = new Map<string, Expr>();
  readonly #facts = new Map<Expr, Facts>();
  readonly #extents = new Map<string, number>();
  readonly #order = new Map<string, number>();
  readonly #suggestions = new Map<Expr, string>();

  /** A variable named `hint`, or `hint2`, `hint3`, … where that is taken. Without `extent` its range is unknown. It counts
   *  as declared after all others, or at the place of `like`. */
  declare(hint: string, extent = Number.POSITIVE_INFINITY, like?: string): string {
    let name = hint;
    for (let i = 2; this.#order.has(name); i++) name = `${hint}${i}`;
    this.#order.set(name, (like === undefined ? undefined : this.#order.get(like)) ?? this.#order.size);
    this.#extents.set(name, extent);
    return name;
  }

  /** Declares loops and gives the index of each; a loop of one turn needs no variable, its index is 0. */
  loops(wanted: readonly Loop[]): { readonly loops: readonly Loop[]; readonly at: readonly Expr[] } {
    const loops: Loop[] = [];
    const at = wanted.map((loop) => {
      if (loop.extent === 1) return this.constant(0);
      const name = this.declare(loop.name, loop.extent);
      loops.push({ name, extent: loop.extent });
      return this.variable(name);
    });
    return { loops, at };
  }

  /** Number of values of a variable; Infinity where it is not an index. */
  extent(name: string): number {
    return this.#extents.get(name) ?? Number.POSITIVE_INFINITY;
  }

  id(expr: Expr): number {
    return this.#factsOf(expr).id;
  }

  free(expr: Expr): ReadonlySet<string> {
    return this.#factsOf(expr).free;
  }

  /** When the last of its variables was declared: inner loops are declared after outer ones. -1 without variables. */
  depth(expr: Expr): number {
    let depth = -1;
    for (const name of this.free(expr)) depth = Math.max(depth, this.#order.get(name) ?? -1);
    return depth;
  }

  constant(value: number): Expr {
    return this.#intern(`c${Object.is(value, -0) ? "-0" : value}`, { kind: "const", value }, []);
  }

  variable(name: string): Expr {
    return this.#intern(`v${name}`, { kind: "var", name }, []);
  }

  load(input: number, at: readonly Expr[]): Expr {
    return this.#intern(`l${input}:${this.#ids(at)}`, { kind: "load", input, at }, at);
  }

  unary(fn: UnaryFn, arg: Expr): Expr {
    if (arg.kind === "const") return this.constant(UNARY[fn](arg.value));
    return this.#intern(`u${fn}:${this.id(arg)}`, { kind: "unary", fn, arg }, [arg]);
  }

  binary(fn: BinaryFn, left: Expr, right: Expr): Expr {
    if (left.kind === "const" && right.kind === "const") return this.constant(BINARY[fn](left.value, right.value));
    return this.#intern(`b${fn}:${this.id(left)},${this.id(right)}`, { kind: "binary", fn, left, right }, [left, right]);
  }

  select(cond: Expr, then: Expr, otherwise: Expr): Expr {
    if (cond.kind === "const") return cond.value !== 0 ? then : otherwise;
    if (then === otherwise) return then;
    const key = `s${this.#ids([cond, then, otherwise])}`;
    return this.#intern(key, { kind: "select", cond, then, otherwise }, [cond, then, otherwise]);
  }

  reduce(fn: "sum" | "max", loops: readonly Loop[], body: Expr): Expr {
    if (loops.length === 0) return body;
    const key = `r${fn}:${loops.map((loop) => `${loop.name}*${loop.extent}`).join()}:${this.id(body)}`;
    return this.#intern(key, { kind: "reduce", fn, loops, body }, [body]);
  }

  walk(cursor: string, head: Expr, next: Expr, limit: number, body: Expr): Expr {
    const key = `w${cursor}:${limit}:${this.#ids([head, next, body])}`;
    return this.#intern(key, { kind: "walk", cursor, head, next, limit, body }, [head, next, body]);
  }

  fold(accumulator: string, init: Expr, loop: Loop, next: Expr, halving = false): Expr {
    const key = `f${accumulator}:${loop.name}${halving ? "/" : "*"}${loop.extent}:${this.#ids([init, next])}`;
    return this.#intern(key, { kind: "fold", accumulator, init, loop, halving, next }, [init, next]);
  }

  /** Rebuilds `expr` over rebuilt children. A `let` (which the pool never makes) is not accepted. */
  map(expr: Expr, child: (e: Expr) => Expr): Expr {
    switch (expr.kind) {
      case "const":
      case "var":
        return expr;
      case "load":
        return this.load(expr.input, expr.at.map(child));
      case "unary":
        return this.unary(expr.fn, child(expr.arg));
      case "binary":
        return this.binary(expr.fn, child(expr.left), child(expr.right));
      case "select":
        return this.select(child(expr.cond), child(expr.then), child(expr.otherwise));
      case "reduce":
        return this.reduce(expr.fn, expr.loops, child(expr.body));
      case "walk":
        return this.walk(expr.cursor, child(expr.head), child(expr.next), expr.limit, child(expr.body));
      case "fold":
        return this.fold(expr.accumulator, child(expr.init), expr.loop, child(expr.next), expr.halving);
      case "let":
        throw new InternalError("a let is not part of an expression graph");
    }
  }

  /** What a node should be called if it gets a name; "" where nothing is known. The first suggestion stays. */
  suggestion(expr: Expr): string {
    return this.#suggestions.get(expr) ?? "";
  }

  suggest(expr: Expr, name: string): void {
    if (name !== "" && !this.#suggestions.has(expr)) this.#suggestions.set(expr, name);
  }

  /** The graph of a tree: `let`s dissolved, bound variables declared here (and renamed where their name is taken). */
  adopt(expr: Expr, scope: ReadonlyMap<string, Expr>): Expr {
    switch (expr.kind) {
      case "var": {
        const value = scope.get(expr.name);
        if (value === undefined) throw new InternalError(`unbound kernel variable ${expr.name}`);
        return value;
      }
      case "const":
        return this.constant(expr.value);
      case "let": {
        const value = this.adopt(expr.value, scope);
        if (!PLAIN_NAME.test(expr.name)) this.suggest(value, expr.name);
        return this.adopt(expr.body, new Map(scope).set(expr.name, value));
      }
      case "reduce": {
        const { loops, at } = this.loops(expr.loops);
        const inner = new Map(scope);
        expr.loops.forEach((loop, i) => inner.set(loop.name, at[i] ?? this.constant(0)));
        return this.reduce(expr.fn, loops, this.adopt(expr.body, inner));
      }
      case "walk": {
        const cursor = this.declare(expr.cursor);
        const inner = new Map(scope).set(expr.cursor, this.variable(cursor));
        const head = this.adopt(expr.head, scope);
        return this.walk(cursor, head, this.adopt(expr.next, inner), expr.limit, this.adopt(expr.body, inner));
      }
      case "fold": {
        const accumulator = this.declare(expr.accumulator);
        const { extent } = expr.loop;
        const loop = { extent, name: this.declare(expr.loop.name, expr.halving ? 2 ** (extent - 1) + 1 : extent) };
        const inner = new Map(scope).set(expr.accumulator, this.variable(accumulator)).set(expr.loop.name, this.variable(loop.name));
        return this.fold(accumulator, this.adopt(expr.init, scope), loop, this.adopt(expr.next, inner), expr.halving);
      }
      default:
        return this.map(expr, (e) => this.adopt(e, scope));
    }
  }

  #ids(exprs: readonly Expr[]): string {
    return exprs.map((expr) => this.id(expr)).join();
  }

  #factsOf(expr: Expr): Facts {
    const facts = this.#facts.get(expr);
    if (facts === undefined) throw new InternalError("an expression of another pool");
    return facts;
  }

  #intern(key: string, expr: Expr, children: readonly Expr[]): Expr {
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    this.#nodes.set(key, expr);
    this.#facts.set(expr, { id: this.#facts.size, free: this.#freeOf(expr, children) });
    return expr;
  }

  #freeOf(expr: Expr, children: readonly Expr[]): ReadonlySet<string> {
    if (expr.kind === "var") return new Set([expr.name]);
    const free = union(children.map((child) => this.free(child)));
    if (expr.kind === "reduce") return without(free, expr.loops.map((loop) => loop.name));
    if (expr.kind === "walk") return union([this.free(expr.head), without(free, [expr.cursor])]);
    if (expr.kind === "fold") return union([this.free(expr.init), without(free, [expr.accumulator, expr.loop.name])]);
    return free;
  }
}

const union = (sets: readonly ReadonlySet<string>[]): ReadonlySet<string> => {
  const full = sets.filter((set) => set.size > 0);
  return full.length <= 1 ? (full[0] ?? NONE) : new Set(full.flatMap((set) => [...set]));
};

const without = (set: ReadonlySet<string>, names: readonly string[]): ReadonlySet<string> =>
  names.some((name) => set.has(name)) ? new Set([...set].filter((name) => !names.includes(name))) : set;
