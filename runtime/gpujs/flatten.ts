/** @file gpu.js hands results over as rows of rows; inside and outside of Subquad every tensor is one flat array. */

import type { KernelSource } from "../abi.ts";

/** Copies gpu.js's nested result (rows, planes) into one flat array. A result that is flat already is returned as is. */
export function flatten(result: unknown, elements: number): Float32Array {
  if (result instanceof Float32Array && result.length === elements) return result;
  const flat = new Float32Array(elements);
  const end = append(result, flat, 0);
  if (end !== elements) throw new Error(`gpu.js returned ${end} elements where ${elements} were due`);
  return flat;
}

function append(part: unknown, into: Float32Array, at: number): number {
  if (part instanceof Float32Array) {
    into.set(part, at);
    return at + part.length;
  }
  if (!Array.isArray(part)) throw new Error("gpu.js returned something that is not an array");
  return part.reduce<number>((next, row) => append(row, into, next), at);
}

/** The same kernel with a one-dimensional output: `this.thread.x` and its fellows become quotients and remainders of the
 *  flat index. `division` says whether the backend's quotient of integers may miss by one. */
export function withFlatOutput(kernel: KernelSource, division: "exact" | "rounded"): KernelSource {
  const [width = 1, height = 1, depth = 1] = kernel.output;
  if (kernel.output.length <= 1) return kernel;
  const split = division === "exact" ? exactSplit : correctedSplit;
  const body = kernel.source.replace(/this\.thread\.([xyz])/g, "flat_thread_$1");
  const lines = [
    `let flat_row = this.thread.x; let flat_thread_x = 0; let flat_thread_y = 0; let flat_thread_z = 0;`,
    split("this.thread.x", width, "flat_thread_x", "flat_row"),
    depth === 1 ? "flat_thread_y = flat_row;" : split("flat_row", height, "flat_thread_y", "flat_thread_z"),
  ];
  const source = body.replace("{", () => `{ ${lines.join(" ")}`);
  return { ...kernel, source, output: [width * height * depth] };
}

/** remainder = from mod size, quotient = ⌊from / size⌋, where division is that of float64. */
function exactSplit(from: string, size: number, remainder: string, quotient: string): string {
  return `${remainder} = ${from} % ${size}; ${quotient} = Math.floor(${from} / ${size});`;
}

/** The same on GPUs, whose division is good to 2.5 units in the last place: off by one at most, and put right. */
function correctedSplit(from: string, size: number, remainder: string, quotient: string): string {
  const name = `${remainder}_in`;
  return [
    `const ${name} = ${from};`,
    `${quotient} = Math.floor(${name} / ${size});`,
    `${remainder} = ${name} - ${quotient} * ${size};`,
    `if (${remainder} < 0) { ${quotient} = ${quotient} - 1; ${remainder} = ${remainder} + ${size}; }`,
    `if (${remainder} >= ${size}) { ${quotient} = ${quotient} + 1; ${remainder} = ${remainder} - ${size}; }`,
  ].join(" ");
}
