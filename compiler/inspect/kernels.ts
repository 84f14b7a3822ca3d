/** @file The kernels of a program: how many there are, how big, how often each entry point launches them. */

import type { Program } from "../../runtime/abi.ts";
import { table } from "./table.ts";

export interface KernelLine {
  readonly name: string;
  /** gpu.js order: x, y, z. */
  readonly output: readonly number[];
  readonly inputs: readonly number[];
  /** Launches by entry point. */
  readonly launches: Readonly<Record<string, number>>;
  readonly source: string;
}

export interface KernelReport {
  readonly entries: readonly { readonly name: string; readonly launches: number; readonly kernels: number }[];
  readonly kernels: readonly KernelLine[];
}

export const kernelReport = (program: Program): KernelReport => {
  const entries = Object.values(program.entries);
  const counts = entries.map(({ name, launches }) => {
    const byKernel = new Map<number, number>();
    for (const { kernel } of launches) byKernel.set(kernel, (byKernel.get(kernel) ?? 0) + 1);
    return { name, byKernel };
  });
  return {
    entries: counts.map(({ name, byKernel }, i) => ({ name, launches: entries[i]?.launches.length ?? 0, kernels: byKernel.size })),
    kernels: program.kernels.map(({ name, output, inputs, source }, i) => ({
      name,
      output,
      inputs,
      launches: Object.fromEntries(counts.flatMap(({ name: entry, byKernel }) => (byKernel.has(i) ? [[entry, byKernel.get(i) ?? 0]] : []))),
      source,
    })),
  };
};

/** The sources of the kernels of a report. */
export const printSources = ({ kernels }: KernelReport): string => `${kernels.map(({ source }) => source).join("\n\n")}\n`;

/** A table of all kernels. */
export const printKernels = (report: KernelReport): string => {
  const entries = report.entries.map((entry) => entry.name);
  const right = "right" as const;
  const rows = report.kernels.map(({ name, output, inputs, launches }) => [
    name,
    output.join("x"),
    String(inputs.length),
    ...entries.map((entry) => String(launches[entry] ?? "")),
  ]);
  const totals = ["launches", "", "", ...report.entries.map(({ launches }) => String(launches))];
  const columns = [{ title: "kernel" }, { title: "output", align: right }, { title: "inputs", align: right }];
  return table([...columns, ...entries.map((title) => ({ title, align: right }))], [...rows, totals]);
};
