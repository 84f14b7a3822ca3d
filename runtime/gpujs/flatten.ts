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

/** The same kernel with a one-dimensional output: `this.thread.x` and its fellows become quotients of the flat index.
 *  On gpu.js's cpu a result of several dimensions is an array of rows, which the next kernel could not index flatly. */
export function withFlatOutput(kernel: KernelSource): KernelSource {
  const [width = 1, height = 1, depth = 1] = kernel.output;
  if (kernel.output.length <= 1) return kernel;
  const axes: readonly [string, string][] = [
    ["x", `this.thread.x % ${width}`],
    ["y", `Math.floor(this.thread.x / ${width}) % ${height}`],
    ["z", `Math.floor(this.thread.x / ${width * height})`],
  ];
  const body = kernel.source.replace(/this\.thread\.([xyz])/g, "flat_thread_$1");
  const used = axes.filter(([axis]) => body.includes(`flat_thread_${axis}`));
  const prologue = used.map(([axis, value]) => `const flat_thread_${axis} = ${value};`).join(" ");
  return { ...kernel, source: body.replace("{", () => `{ ${prologue}`), output: [width * height * depth] };
}
