/** @file What attention costs at other lengths, from the cost polynomials of the operations: nothing is run. */

import type { Module, Operation } from "../../ir/core.ts";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { costOf } from "../../ir/cost.ts";
import * as poly from "../../ir/poly.ts";
import type { Approximation } from "../audit/approximations.ts";
import type { CostSeries } from "../audit/schema.ts";
import { everywhere, gradientModule } from "./audit-model.ts";
import type { Dims } from "./audit-model.ts";
import type { ModelOptions } from "./compile.ts";

const LENGTHS = [128, 512, 2048, 8192, 32768] as const;

/** FLOPs of attention in one gradient of one sequence, forward and backward: what the gradient has of them beyond everything
 *  that is not attention.
 *  @param length the dimension to vary. */
export const auditCosts = async (options: ModelOptions, one: Dims, length: string, approximations: readonly Approximation[]): Promise<readonly CostSeries[]> => {
  const series = new Map<string, { length: number; flops: number }[]>();
  const note = (policy: string, at: number, flops: number): void => {
    const points = series.get(policy) ?? [];
    series.set(policy, [...points, { length: at, flops }]);
  };
  for (const at of LENGTHS) {
    const dims = { ...one, [length]: at };
    const exact = await exactAt(options, dims);
    if (exact === null) break;
    const attention = flopsOf(exact, ({ op }) => op.mnemonic.startsWith("attention"));
    const rest = flopsOf(exact, () => true) - attention;
    note("exact", at, attention);
    note("forward alone", at, flopsOf(exact, ({ op }) => op.mnemonic === "attention"));
    for (const { policy, rule } of approximations) {
      if (rule === null) continue;
      const { module, approximate } = await gradientModule(options, dims, everywhere(rule));
      if (approximate) note(policy, at, flopsOf(module, () => true) - rest);
    }
  }
  return [...series].map(([policy, points]) => ({ policy, points }));
};

/** null where the model does not compile at this length: a mask that is data, say, gets too large. */
const exactAt = async (options: ModelOptions, dims: Dims): Promise<Module | null> => {
  try {
    return (await gradientModule(options, dims, everywhere("exact"))).module;
  } catch (error) {
    if (error instanceof DiagnosticError) return null;
    throw error;
  }
};

const flopsOf = (module: Module, counts: (operation: Operation) => boolean): number =>
  module.funcs
    .flatMap(({ ops }) => ops)
    .filter(counts)
    .reduce((sum, operation) => sum + poly.evaluate(costOf(operation).flops, module.dims), 0);
