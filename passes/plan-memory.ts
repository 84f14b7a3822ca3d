/** @file Static memory: every value that has a buffer gets a place in one arena, and places are reused.
 *
 *  Time is the index of the operation. A value lives from the operation that makes it to the last kernel that reads it,
 *  which may be far from the operation that names it: an inline operation reads its operands where its consumers run.
 *  Everything that comes from outside exists before the first operation; parameters and states, which belong to the
 *  host, stay, and results live until after the last. Buffers are placed in the order they
 *  are made: at the smallest free gap that is large enough (best fit), else at the end. A result that is a reshape of a
 *  dying buffer takes that buffer over.
 *
 *  The plan is data for code generation and reports: `planMemory(func)`. The pass only says what it found, in a remark.
 *  Before  native, after fuse.  After  the same module. */

import { BYTES_PER_ELEMENT } from "../ir/core.ts";
import type { Func, Operation, Value } from "../ir/core.ts";
import { reshape } from "../ir/ops/index.ts";
import { UNKNOWN } from "../ir/span.ts";
import { elements } from "../ir/types.ts";
import { Arena } from "./arena.ts";
import { definePass } from "./pass.ts";

/** Offsets and sizes in elements. Half-open in time: [from, to) in kernel order. */
export interface Buffer {
  readonly offset: number;
  readonly elements: number;
  readonly from: number;
  readonly to: number;
}

export interface MemoryPlan {
  /** Every parameter, and every result of an operation that is not inline. */
  readonly buffers: ReadonlyMap<Value, Buffer>;
  /** A value and the one whose buffer it shares: the same elements in the same order. */
  readonly aliases: ReadonlyMap<Value, Value>;
  readonly arenaBytes: number;
  /** What the buffers alive at the fullest moment need; the arena is larger only by fragmentation. */
  readonly peakBytes: number;
}

export const planMemoryPass = definePass({
  name: "plan-memory",
  summary: "lays buffers out in one arena and reports its size",
  before: "native",
  after: "same",
  options: {},
  run: (module, _options, ctx) => {
    for (const func of module.funcs) ctx.remark({ kind: "analysis", path: "", loc: UNKNOWN, message: () => analysisOf(func) });
    return module;
  },
});

const analysisOf = (func: Func): string => {
  const { buffers, arenaBytes, peakBytes } = planMemory(func);
  const all = [...buffers.values()].reduce((sum, buffer) => sum + buffer.elements * BYTES_PER_ELEMENT, 0);
  return `@${func.name}: peak ${peakBytes} bytes in an arena of ${arenaBytes}; ${buffers.size} buffers of ${all} bytes together`;
};

interface Lifetime {
  readonly from: number;
  to: number;
}

export const planMemory = (func: Func): MemoryPlan => {
  const lifetimes = lifetimesOf(func);
  const aliases = aliasesOf(func, lifetimes);
  const arena = new Arena();
  const placed = new Map<Value, Buffer>();
  const endings = new Map<number, Value[]>();
  let now = -1;
  for (const [value, { from, to }] of lifetimes) {
    if (aliases.has(value)) continue;
    while (now < from) {
      now += 1;
      for (const dead of endings.get(now) ?? NONE) release(arena, placed.get(dead));
    }
    const size = elements(value.type);
    placed.set(value, { offset: arena.take(size), elements: size, from, to });
    const ending = endings.get(to);
    if (ending === undefined) endings.set(to, [value]);
    else ending.push(value);
  }
  const buffers = new Map(placed);
  for (const [value, source] of aliases) {
    const [own, shared] = [lifetimes.get(value), placed.get(source)];
    if (own !== undefined && shared !== undefined) buffers.set(value, { ...shared, ...own });
  }
  return {
    buffers,
    aliases,
    arenaBytes: arena.size * BYTES_PER_ELEMENT,
    peakBytes: arena.peak * BYTES_PER_ELEMENT,
  };
};

const NONE: readonly Value[] = [];

const release = (arena: Arena, buffer: Buffer | undefined): void => {
  if (buffer !== undefined) arena.give(buffer.offset, buffer.elements);
};

/** By value, in the order the buffers are made. Operation i runs at time i; parameters exist from time -1. */
const lifetimesOf = (func: Func): Map<Value, Lifetime> => {
  const end = func.ops.length + 1;
  const lifetimes = new Map<Value, Lifetime>();
  for (const { value, role } of func.params)
    lifetimes.set(value, { from: -1, to: role === "parameter" || role === "state" ? end : 0 });
  func.ops.forEach((operation, i) => {
    if (!operation.inline) for (const result of operation.results) lifetimes.set(result, { from: i, to: i + 1 });
  });
  for (const [value, lastRead] of lastReads(func)) extend(lifetimes.get(value), lastRead + 1);
  for (const { value } of func.results) extend(lifetimes.get(value), end);
  return lifetimes;
};

const extend = (lifetime: Lifetime | undefined, to: number): void => {
  if (lifetime !== undefined) lifetime.to = Math.max(lifetime.to, to);
};

/** When each value is read for the last time; a read by an inline operation happens where that operation is read. */
const lastReads = (func: Func): Map<Value, number> => {
  const last = new Map<Value, number>();
  const note = (operation: Operation, time: number): void => {
    for (const operand of operation.operands) last.set(operand, Math.max(last.get(operand) ?? -1, time));
  };
  for (let i = func.ops.length - 1; i >= 0; i--) {
    const operation = func.ops[i];
    if (operation === undefined) continue;
    const [result] = operation.results;
    const time = operation.inline ? (result === undefined ? undefined : last.get(result)) : i;
    if (time !== undefined) note(operation, time);
  }
  return last;
};

/** A kernel that only reshapes a buffer which nothing reads afterwards (and which is not a parameter or a result) shares it. */
const aliasesOf = (func: Func, lifetimes: ReadonlyMap<Value, Lifetime>): Map<Value, Value> => {
  const results = new Set(func.results.map((result) => result.value));
  const aliases = new Map<Value, Value>();
  func.ops.forEach((operation, i) => {
    const [source] = operation.operands;
    const [result] = operation.results;
    if (operation.inline || operation.op !== reshape || source === undefined || result === undefined) return;
    const root = aliases.get(source) ?? source;
    const lifetime = lifetimes.get(root);
    // What comes from outside has its buffer from before the first operation, and an inline operation has none.
    if (lifetime === undefined || lifetime.from < 0 || results.has(source) || lifetime.to > i + 1) return;
    aliases.set(result, root);
    extend(lifetime, lifetimes.get(result)?.to ?? 0);
  });
  return aliases;
};
