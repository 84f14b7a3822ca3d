/** @file The functions of a module in the making: those that several kernels call are in it once. */

import type { WasmFunction } from "./module.ts";

/** The index of a function that several kernels call; it is in the module once, known by its name. */
export type Shared = (make: () => WasmFunction) => number;

export class FunctionTable {
  /** Multiplication and addition may be one instruction (relaxed SIMD). */
  readonly fused: boolean;
  readonly functions: WasmFunction[] = [];
  readonly #known = new Map<string, number>();

  constructor(fused = false) {
    this.fused = fused;
  }

  add(func: WasmFunction): number {
    return this.functions.push(func) - 1;
  }

  readonly shared: Shared = (make) => {
    const func = make();
    const index = this.#known.get(func.name) ?? this.add(func);
    this.#known.set(func.name, index);
    return index;
  };
}
