/** @file Exact identities of data movement: what is moved twice is moved once, what is not moved is left alone. */

import type { TensorType } from "../../ir/core.ts";
import { bind, on, value } from "../../ir/pattern.ts";
import { broadcast, concat, pad, reduceMax, reduceSum, reshape, slice, transpose } from "../../ir/ops/index.ts";
import { named, sameShape } from "../../ir/types.ts";
import { exact } from "../rewrite.ts";
import type { Rule } from "../rewrite.ts";

const x = value("x");

const BTD = named("f32", [["B", 2], ["T", 3], ["D", 4]]);
const TD = named("f32", [["T", 3], ["D", 4]]);
const D = named("f32", [["D", 4]]);
const FLAT = named("f32", [["N", 24]]);

const at = (list: readonly number[], i: number): number => list[i] ?? 0;

const reduced = ({ shape }: TensorType, axes: readonly number[]): boolean => axes.every((axis) => shape[axis] === 1);

export const MOVEMENT: readonly Rule[] = [
  exact({
    name: "transpose-identity", law: "transpose(x, identity) = x", match: on(transpose, x),
    where: ({ root }) => root.attrs.perm.every((axis, i) => axis === i), rewrite: (_, m) => m.x,
    example: (b, input) => b.one(transpose, [input(BTD)], { perm: [0, 1, 2] }),
  }),
  exact({
    name: "transpose-transpose", law: "transpose(transpose(x, p), q) = transpose(x, p∘q)",
    match: on(transpose, bind("inner", on(transpose, x))),
    rewrite: (b, m) => b.one(transpose, [m.x], { perm: m.root.attrs.perm.map((axis) => at(m.inner.attrs.perm, axis)) }),
    example: (b, input) => b.one(transpose, [b.one(transpose, [input(BTD)], { perm: [2, 0, 1] })], { perm: [0, 2, 1] }),
  }),
  exact({
    name: "reshape-same", law: "reshape(x, its own shape) = x", match: on(reshape, x),
    where: ({ x: { type }, root }) => sameShape(type, root.attrs.type), rewrite: (_, m) => m.x,
    example: (b, input) => b.one(reshape, [input(BTD)], { type: BTD }),
  }),
  exact({
    name: "reshape-reshape", law: "reshape(reshape(x)) = reshape(x)", match: on(reshape, on(reshape, x)),
    rewrite: (b, m) => b.one(reshape, [m.x], { type: m.root.attrs.type }),
    example: (b, input) => b.one(reshape, [b.one(reshape, [input(BTD)], { type: FLAT })], { type: BTD }),
  }),
  exact({
    name: "broadcast-same", law: "broadcast(x, its own shape) = x", match: on(broadcast, x),
    where: ({ x: { type }, root }) => type.shape.length === root.attrs.type.shape.length, rewrite: (_, m) => m.x,
    example: (b, input) => b.one(broadcast, [input(TD)], { axes: [0, 1], type: TD }),
  }),
  exact({
    name: "broadcast-broadcast", law: "broadcast(broadcast(x)) = broadcast(x)",
    match: on(broadcast, bind("inner", on(broadcast, x))),
    rewrite: (b, m) => {
      const axes = m.inner.attrs.axes.map((axis) => at(m.root.attrs.axes, axis));
      return b.one(broadcast, [m.x], { axes, type: m.root.attrs.type });
    },
    example: (b, input) => b.one(broadcast, [b.one(broadcast, [input(D)], { axes: [1], type: TD })], { axes: [1, 2], type: BTD }),
  }),
  exact({
    name: "slice-full", law: "slice(x, everything) = x", match: on(slice, x),
    where: ({ x: { type }, root }) => root.attrs.limits.every((limit, i) => limit - at(root.attrs.starts, i) === type.shape[i]),
    rewrite: (_, m) => m.x,
    example: (b, input) => b.one(slice, [input(TD)], { starts: [0, 0], limits: [3, 4] }),
  }),
  exact({
    name: "slice-slice", law: "slice(slice(x, s), t) = slice(x, s + t)", match: on(slice, bind("inner", on(slice, x))),
    rewrite: (b, m) => {
      const add = (list: readonly number[]): readonly number[] => list.map((n, i) => n + at(m.inner.attrs.starts, i));
      return b.one(slice, [m.x], { starts: add(m.root.attrs.starts), limits: add(m.root.attrs.limits) });
    },
    example: (b, input) =>
      b.one(slice, [b.one(slice, [input(TD)], { starts: [1, 0], limits: [3, 3] })], { starts: [0, 1], limits: [1, 3] }),
  }),
  exact({
    name: "slice-pad", law: "slice(pad(x), where x is) = x", match: on(slice, bind("inner", on(pad, x))),
    where: ({ x: { type }, inner, root }) =>
      root.attrs.starts.every((start, i) => start === inner.attrs.low[i] && at(root.attrs.limits, i) - start === type.shape[i]),
    rewrite: (_, m) => m.x,
    example: (b, input) =>
      b.one(slice, [b.one(pad, [input(TD)], { low: [1, 0], high: [0, 2] })], { starts: [1, 0], limits: [4, 4] }),
  }),
  exact({
    name: "pad-nothing", law: "pad(x, 0) = x", match: on(pad, x),
    where: ({ root }) => [...root.attrs.low, ...root.attrs.high].every((width) => width === 0), rewrite: (_, m) => m.x,
    example: (b, input) => b.one(pad, [input(TD)], { low: [0, 0], high: [0, 0] }),
  }),
  exact({
    name: "pad-pad", law: "pad(pad(x, l), m) = pad(x, l + m)", match: on(pad, bind("inner", on(pad, x))),
    rewrite: (b, m) => {
      const sum = (p: readonly number[], q: readonly number[]): readonly number[] => p.map((n, i) => n + at(q, i));
      const { low, high } = m.inner.attrs;
      return b.one(pad, [m.x], { low: sum(m.root.attrs.low, low), high: sum(m.root.attrs.high, high) });
    },
    example: (b, input) => b.one(pad, [b.one(pad, [input(TD)], { low: [1, 0], high: [0, 2] })], { low: [0, 1], high: [2, 0] }),
  }),
  exact({
    name: "concat-one", law: "concat(x) = x", match: on(concat, x), rewrite: (_, m) => m.x,
    example: (b, input) => b.one(concat, [input(TD)], { axis: 0 }),
  }),
  exact({
    name: "sum-of-one", law: "a sum over axes of size 1 is a reshape", match: on(reduceSum, x),
    where: ({ x: { type }, root }) => reduced(type, root.attrs.axes),
    rewrite: (b, m) => b.one(reshape, [m.x], { type: m.root.results[0]?.type ?? m.x.type }),
    example: (b, input) => b.one(reduceSum, [input(named("f32", [["B", 1], ["T", 3]]))], { axes: [0] }),
  }),
  exact({
    name: "max-of-one", law: "a maximum over axes of size 1 is a reshape", match: on(reduceMax, x),
    where: ({ x: { type }, root }) => reduced(type, root.attrs.axes),
    rewrite: (b, m) => b.one(reshape, [m.x], { type: m.root.results[0]?.type ?? m.x.type }),
    example: (b, input) => b.one(reduceMax, [input(named("f32", [["B", 1], ["T", 3]]))], { axes: [0] }),
  }),
];
