/** @file Where in one arena the buffers of an entry lie, by the allocator of `plan-memory`. Lives are counted in launches,
 *  not in operations: only here is it known which reshapes cost no buffer and which operands no kernel reads. */

import { BYTES_PER_ELEMENT } from "../../ir/core.ts";
import { Arena } from "../../passes/arena.ts";
import type { Launch, Port } from "../../runtime/abi.ts";

export interface Layout {
  /** In elements, one a value. */
  readonly offsets: readonly number[];
  readonly bytes: number;
}

/** Inputs come first and stay, as outputs do once they are made; any other buffer is free after its last reader. */
export const layOut = (sizes: readonly number[], launches: readonly Launch[], inputs: readonly Port[], outputs: readonly Port[]): Layout => {
  const arena = new Arena();
  const offsets = new Array<number>(sizes.length).fill(0);
  const take = (value: number): void => {
    offsets[value] = arena.take(sizes[value] ?? 0);
  };
  for (const { value } of inputs) take(value);
  const dying = lastUses(sizes.length, launches, [...inputs, ...outputs]);
  const taken = new Set<number>();
  launches.forEach(({ result, also = [] }, at) => {
    for (const value of [result, ...also]) {
      if (!taken.has(value)) take(value);
      taken.add(value);
    }
    for (const value of dying[at] ?? []) arena.give(offsets[value] ?? 0, sizes[value] ?? 0);
  });
  return { offsets, bytes: arena.size * BYTES_PER_ELEMENT };
};

/** By launch: the values that nothing needs after it. */
const lastUses = (count: number, launches: readonly Launch[], kept: readonly Port[]): readonly (readonly number[])[] => {
  const last = new Array<number>(count).fill(-1);
  launches.forEach(({ args, result, also = [] }, at) => {
    for (const value of [...args, result, ...also]) last[value] = at;
  });
  for (const { value } of kept) last[value] = -1;
  const dying: number[][] = launches.map(() => []);
  last.forEach((at, value) => dying[at]?.push(value));
  return dying;
};
