/** @file The kernels of a program: how many there are, how big, how often each entry point launches them. */

import type { Program, ProgramHead, WasmKernel, WasmProgram } from "../../runtime/abi.ts";
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

/** The same of a module for WebAssembly: functions over items, with memory of their own. */
export interface WasmKernelReport extends Pick<KernelReport, "entries"> {
  readonly kernels: readonly (WasmKernel & Pick<KernelLine, "launches">)[];
}

interface Counts {
  readonly entries: KernelReport["entries"];
  readonly launchesOf: (kernel: number) => KernelLine["launches"];
}

const countLaunches = (program: ProgramHead): Counts => {
  const entries = Object.values(program.entries);
  const counts = entries.map(({ name, launches }) => {
    const byKernel = new Map<number, number>();
    for (const { kernel } of launches) byKernel.set(kernel, (byKernel.get(kernel) ?? 0) + 1);
    return { name, byKernel };
  });
  return {
    entries: counts.map(({ name, byKernel }, i) => ({ name, launches: entries[i]?.launches.length ?? 0, kernels: byKernel.size })),
    launchesOf: (kernel) => Object.fromEntries(counts.flatMap(({ name, byKernel }) => (byKernel.has(kernel) ? [[name, byKernel.get(kernel) ?? 0]] : []))),
  };
};

export const kernelReport = (program: Program): KernelReport => {
  const { entries, launchesOf } = countLaunches(program);
  return { entries, kernels: program.kernels.map(({ name, output, inputs, source }, i) => ({ name, output, inputs, launches: launchesOf(i), source })) };
};

export const wasmKernelReport = (program: WasmProgram): WasmKernelReport => {
  const { entries, launchesOf } = countLaunches(program);
  return { entries, kernels: program.kernels.map((kernel, i) => ({ ...kernel, launches: launchesOf(i) })) };
};

export const printWasmKernels = (report: WasmKernelReport): string => {
  const entries = report.entries.map((entry) => entry.name);
  const rows = report.kernels.map(({ name, items, grain, scratchBytes, launches }) => [
    name, `${items}`, `${grain}`, `${scratchBytes}`, ...entries.map((entry) => `${launches[entry] ?? ""}`),
  ]);
  const totals = ["launches", "", "", "", ...report.entries.map(({ launches }) => `${launches}`)];
  const columns = ["items", "grain", "scratch bytes", ...entries].map((title) => ({ title, align: "right" as const }));
  return table([{ title: "kernel" }, ...columns], [...rows, totals]);
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
