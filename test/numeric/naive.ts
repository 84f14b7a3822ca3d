/** @file What each kernel-stage op means, said a second time and as plainly as possible: one element of the result as a
 *  function of its multi-index. No strides, no packing, nothing shared with the evaluation it checks. */

import type { Data, TensorType } from "../../ir/core.ts";

export interface Tensor {
  readonly data: Data;
  readonly type: TensorType;
}

/** Every multi-index of a shape, in row-major order. */
export const indices = (shape: readonly number[]): readonly (readonly number[])[] =>
  shape.reduce<readonly (readonly number[])[]>(
    (all, size) => all.flatMap((head) => Array.from({ length: size }, (_, i) => [...head, i])),
    [[]],
  );

/** x[index], NaN outside. */
const get = ({ data, type }: Tensor, index: readonly number[]): number => {
  const inside = index.every((i, axis) => i >= 0 && i < type.shape[axis]!);
  return inside ? data[index.reduce((flat, i, axis) => flat * type.shape[axis]! + i, 0)]! : Number.NaN;
};

type Attrs = Readonly<Record<string, never>>;
type Element = (xs: readonly Tensor[], index: readonly number[], attrs: Attrs) => number;

const each = (f: (...args: readonly number[]) => number): Element => (xs, index) => f(...xs.map((x) => get(x, index)));

/** erf by Simpson's rule on its integral. */
const erf = (x: number): number => {
  const steps = 2000;
  const f = (i: number): number => Math.exp(-(((i / steps) * x) ** 2));
  let sum = f(0) + f(steps);
  for (let i = 1; i < steps; i++) sum += f(i) * (i % 2 === 0 ? 2 : 4);
  return ((2 / Math.sqrt(Math.PI)) * x * sum) / steps / 3;
};

const relation: Readonly<Record<string, (order: number) => boolean>> = {
  eq: (order) => order === 0,
  ne: (order) => order !== 0,
  lt: (order) => order < 0,
  le: (order) => order <= 0,
  gt: (order) => order > 0,
  ge: (order) => order >= 0,
};

const reduced = (start: number, f: (a: number, b: number) => number): Element => ([x], index, attrs) => {
  const axes: readonly number[] = attrs["axes"]!;
  return indices(x!.type.shape)
    .filter((at) => at.filter((_, axis) => !axes.includes(axis)).every((i, axis) => i === index[axis]))
    .reduce((sum, at) => f(sum, get(x!, at)), start);
};

const contraction: Element = ([a, b], index, attrs) => {
  const [ins, out] = String(attrs["spec"]).split("->");
  const [la, lb, lr] = [...ins!.split(","), out!].map((text) => text.split(" ").filter(Boolean));
  const bound = new Map(lr!.map((label, i) => [label, index[i]!]));
  const free = [...new Set([...la!, ...lb!])].filter((label) => !bound.has(label));
  const size = (label: string): number => a!.type.shape[la!.indexOf(label)] ?? b!.type.shape[lb!.indexOf(label)]!;
  return indices(free.map(size)).reduce((sum, values) => {
    const env = new Map([...bound, ...free.map((label, i): [string, number] => [label, values[i]!])]);
    return sum + get(a!, la!.map((label) => env.get(label)!)) * get(b!, lb!.map((label) => env.get(label)!));
  }, 0);
};

/** Slot s of a row: by the last chunk below the threshold, the least j in it that the sum up to j carries over it. */
const chosen: Element = ([p, prefix, u], index, attrs) => {
  const [row, slot, width] = [index.slice(0, -1), index.at(-1)!, Number(attrs["width"])];
  const [size, chunks] = [p!.type.shape.at(-1)!, prefix!.type.shape.at(-1)!];
  const threshold = slot + 1 - get(u!, row);
  const below = Array.from({ length: chunks }, (_, c) => c).filter((c) => get(prefix!, [...row, c]) < threshold);
  const chunk = below.at(-1) ?? 0;
  const own = Array.from({ length: size }, (_, j) => j).filter((j) => Math.floor(j / width) === chunk);
  const sum = (j: number): number => own.filter((i) => i <= j).reduce((total, i) => total + get(p!, [...row, i]), get(prefix!, [...row, chunk]));
  const over = own.find((j) => sum(j) >= threshold);
  const rest = chunk === chunks - 1 ? undefined : own.filter((j) => get(p!, [...row, j]) > 0).at(-1);
  return over ?? rest ?? -1;
};

const joined: Element = (xs, index, attrs) => {
  const axis: number = attrs["axis"]!;
  let along = index[axis]!;
  for (const x of xs) {
    if (along < x.type.shape[axis]!) return get(x, index.with(axis, along));
    along -= x.type.shape[axis]!;
  }
  return Number.NaN;
};

/** All positions on list i, by following the links from its head. */
const list = (heads: Tensor, next: Tensor, i: number): readonly number[] => {
  const found: number[] = [];
  for (let t = get(heads, [i]); t !== -1; t = get(next, [t])) found.push(t);
  return found;
};

/** Sorted lists of at most `degree` variables: by length, then by their last, last but one, … variable. */
const sortedLists = (width: number, degree: number): readonly (readonly number[])[] =>
  Array.from({ length: degree + 1 }, (_, p) => indices(new Array<number>(p).fill(width)).filter((list) => list.every((v, t) => t === 0 || list[t - 1]! <= v)))
    .flat()
    .toSorted((a, b) => {
      if (a.length !== b.length) return a.length - b.length;
      const t = a.findLastIndex((v, i) => v !== b[i]);
      return t < 0 ? 0 : a[t]! - b[t]!;
    });

const exponents = (list: readonly number[], width: number): readonly number[] =>
  Array.from({ length: width }, (_, v) => list.filter((own) => own === v).length);

const factorial = (n: number): number => (n <= 1 ? 1 : n * factorial(n - 1));

const productNumber: Element = (_, [m, a], attrs) => {
  const [width, degree]: [number, number] = [attrs["width"]!, attrs["degree"]!];
  const all = sortedLists(width, degree).map((list) => exponents(list, width));
  const wanted = all[m!]!.with(a!, all[m!]![a!]! + 1).join();
  return all.findIndex((own) => own.join() === wanted);
};

const monomialWeight: Element = (_, [m], attrs) => {
  const coefficients: readonly number[] = attrs["coefficients"]!;
  const list = sortedLists(attrs["width"]!, coefficients.length - 1)[m!]!;
  return exponents(list, attrs["width"]!).reduce((w, e) => w / factorial(e), coefficients[list.length]! * factorial(list.length));
};

export const NAIVE: Readonly<Record<string, Element>> = {
  neg: each((x) => 0 - x!),
  exp: each((x) => Math.E ** x!),
  log: each((x) => Math.log2(x!) * Math.LN2),
  sqrt: each((x) => x! ** 0.5),
  rsqrt: each((x) => x! ** -0.5),
  tanh: each((x) => (Math.exp(2 * x!) - 1) / (Math.exp(2 * x!) + 1)),
  erf: each((x) => erf(x!)),
  logistic: each((x) => 0.5 + 0.5 * Math.tanh(x! / 2)),
  sin: each((x) => Math.cos(x! - Math.PI / 2)),
  cos: each((x) => Math.sin(x! + Math.PI / 2)),
  abs: each((x) => (x! < 0 ? 0 - x! : x!)),
  sign: each((x) => (x! < 0 ? -1 : x! > 0 ? 1 : 0)),
  floor: each((x) => Math.round(x! - 0.5)),
  not: each((x) => (x === 0 ? 1 : 0)),
  and: each((a, b) => (a === 1 && b === 1 ? 1 : 0)),
  or: each((a, b) => (a === 1 || b === 1 ? 1 : 0)),
  add: each((a, b) => b! + a!),
  sub: each((a, b) => -b! + a!),
  mul: each((a, b) => b! * a!),
  div: each((a, b) => a! * (1 / b!)),
  max: each((a, b) => (a! > b! ? a! : b!)),
  min: each((a, b) => (a! < b! ? a! : b!)),
  pow: each((a, b) => Math.exp(b! * Math.log(a!))),
  idiv: each((a, b) => Math.trunc(a! / b!)),
  mod: each((a, b) => a! - b! * Math.trunc(a! / b!)),
  compare: (xs, index, attrs) => (relation[String(attrs["direction"])]!(get(xs[0]!, index) - get(xs[1]!, index)) ? 1 : 0),
  select: each((cond, a, b) => (cond === 1 ? a! : b!)),
  convert: (xs, index, attrs) => {
    const x = get(xs[0]!, index);
    return String(attrs["to"]) === "i32" ? Math.sign(x) * Math.floor(Math.abs(x)) : x;
  },
  constant: (_, _index, attrs) => attrs["value"]!,
  iota: (_, index, attrs) => index[attrs["axis"]!]!,
  reduce_sum: reduced(0, (a, b) => a + b),
  reduce_max: reduced(Number.NEGATIVE_INFINITY, (a, b) => (b > a ? b : a)),
  broadcast: ([x], index, attrs) => get(x!, Array.from(attrs["axes"]! as readonly number[], (axis) => index[axis]!)),
  transpose: ([x], index, attrs) => {
    const perm: readonly number[] = attrs["perm"]!;
    return get(x!, index.map((_, axis) => index[perm.indexOf(axis)]!));
  },
  reshape: ([x], index, attrs) => {
    const type: TensorType = attrs["type"]!;
    const flat = indices(type.shape).findIndex((at) => at.every((i, axis) => i === index[axis]));
    return get(x!, indices(x!.type.shape)[flat]!);
  },
  slice: ([x], index, attrs) => get(x!, index.map((i, axis) => i + (attrs["starts"]! as readonly number[])[axis]!)),
  pad: ([x], index, attrs) => {
    const value = get(x!, index.map((i, axis) => i - (attrs["low"]! as readonly number[])[axis]!));
    return Number.isNaN(value) ? 0 : value;
  },
  concat: joined,
  barrier: ([x], index) => get(x!, index),
  dynamic_slice: ([x, start], index, attrs) => get(x!, index.map((i, axis) => (axis === attrs["axis"] ? i + get(start!, []) : i))),
  dynamic_update_slice: ([x, update, start], index, attrs) => {
    const value = get(update!, index.map((i, axis) => (axis === attrs["axis"] ? i - get(start!, []) : i)));
    return Number.isNaN(value) ? get(x!, index) : value;
  },
  gather: ([table, ids], index) => {
    const rank = ids!.type.shape.length;
    return get(table!, [get(ids!, index.slice(0, rank)), ...index.slice(rank)]);
  },
  bucket_heads: ([ids], [row]) => ids!.data.indexOf(row!),
  bucket_next: ([ids], [t]) => ids!.data.indexOf(ids!.data[t!]!, t! + 1),
  bucket_sum: ([heads, next, updates], [row, r]) =>
    list(heads!, next!, row!).reduce((sum, t) => sum + get(updates!, [t, r!]), 0),
  take_rows: ([x, ids], index) => {
    const [b, h, , , e] = index;
    const id = get(ids!, index.slice(0, 4));
    return id < 0 ? 0 : get(x!, [b!, Math.floor((h! * x!.type.shape[1]!) / ids!.type.shape[1]!), id, e!]);
  },
  merge_runs: ([keys, order], index, attrs) => {
    const [row, k] = [index.slice(0, -1), index.at(-1)!];
    const [pair, size] = [2 * attrs["run"]!, order!.type.shape.at(-1)!];
    const start = k - (k % pair);
    const places = Array.from({ length: Math.min(pair, size - start) }, (_, i) => start + i);
    return get(order!, [...row, places.toSorted((p, q) => get(keys!, [...row, p]) - get(keys!, [...row, q]))[k - start]!]);
  },
  lower_bound: ([keys], index) => {
    const row = index.slice(0, -1);
    return indices(keys!.type.shape.slice(-1)).filter((p) => get(keys!, [...row, ...p]) < index.at(-1)!).length;
  },
  segment_sum: ([starts, entries, updates], [b, g, j, e]) => {
    const [first, end] = [get(starts!, [b!, g!, j!]), get(starts!, [b!, g!, j! + 1])];
    const places = Array.from({ length: end - first }, (_, i) => get(entries!, [b!, g!, first + i]));
    return places.reduce((sum, p) => sum + get(updates!, [b!, g!, p, e!]), 0);
  },
  take_along: ([x, ids], index) => (get(ids!, index) < 0 ? 0 : get(x!, [...index.slice(0, -1), get(ids!, index)])),
  systematic: chosen,
  einsum: contraction,
  monomials: (_, [m, t], attrs) => sortedLists(attrs["width"]!, attrs["degree"]!)[m!]![t!] ?? -1,
  monomial_products: productNumber,
  monomial_weights: monomialWeight,
};
