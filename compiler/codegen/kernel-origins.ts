/** @file What each kernel stands for in the model: the operation it was first generated from, for people who read it. */

import type { Func, Module, Operation } from "../../ir/core.ts";
import { printingOf, printOperation } from "../../ir/print.ts";
import type { Printing } from "../../ir/print.ts";
import { fileLoc } from "../../ir/span.ts";
import { describe } from "../../ir/types.ts";
import type { Program, WasmProgram } from "../../runtime/abi.ts";
import { planEntry } from "./entry.ts";
import type { Plan } from "./entry.ts";

/** Per kernel: the IR line it implements, what is computed in place, where that was written, and the output's shape. */
export const kernelOrigins = (module: Module, program: Program | WasmProgram): readonly (readonly string[])[] => {
  const lines = new Map<number, readonly string[]>();
  for (const func of module.funcs) {
    const launches = program.entries[func.name]?.launches ?? [];
    const plan = planEntry(func);
    let printing: Printing | null = null;
    let next = 0;
    for (const root of plan.roots) {
      const first = launches[next];
      // The phases of an operation computed whole have its results.
      for (const end = first?.result; next < launches.length && launches[next]?.result === end; next++) {
        const kernel = launches[next]?.kernel;
        if (kernel === undefined || lines.has(kernel)) continue;
        printing ??= printingOf(func);
        lines.set(kernel, describeRoot(root, plan, func, printing));
      }
    }
  }
  return program.kernels.map((_, i) => lines.get(i) ?? ["A copy: an output that is an input, or another output too."]);
};

const describeRoot = (root: Operation, plan: Plan, func: Func, printing: Printing): readonly string[] => {
  const [result] = root.results;
  const place = fileLoc(root.loc);
  const where = place === null ? "" : `${place.file}:${place.line}:${place.column}, `;
  const inPlace = inlined(root, plan);
  return [
    `\`${printOperation(root, printing)}\``,
    ...(inPlace.length === 0 ? [] : [`with ${inPlace.join(", ")} in place`]),
    `${where}@${func.name}: ${result === undefined ? "" : describe(result.type)}`,
  ];
};

/** The operations computed inside a kernel, by op and with counts: `exp, 2 mul, sub`. */
const inlined = (root: Operation, plan: Plan): readonly string[] => {
  const seen = new Set<Operation>();
  const visit = (operation: Operation): void => {
    for (const operand of operation.operands) {
      const producer = plan.inlineProducer(operand);
      if (producer === undefined || seen.has(producer)) continue;
      seen.add(producer);
      visit(producer);
    }
  };
  visit(root);
  const counts = new Map<string, number>();
  for (const { op } of seen) counts.set(op.mnemonic, (counts.get(op.mnemonic) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => (count === 1 ? name : `${count} ${name}`));
};
