/** @file Tensors compared with numbers. */

import { expect } from "vitest";
import type { Tensors } from "../../runtime/abi.ts";

/** The same names in the same order, and every element within `tolerance` of 1 + its size. */
export function expectClose(actual: Tensors, expected: Readonly<Record<string, readonly number[]>>, tolerance = 1e-5): void {
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [name, values] of Object.entries(expected)) {
    const data = Array.from(actual[name]?.data ?? [], Number);
    expect(data.length, name).toBe(values.length);
    const errors = data.map((value, at) => Math.abs(value - (values[at] as number)) / (1 + Math.abs(values[at] as number)));
    const worst = errors.reduce((most, error, at) => (error <= (errors[most] as number) ? most : at), 0);
    expect(errors[worst] ?? 0, `${name}[${worst}] is ${data[worst]}, not ${values[worst]}`).toBeLessThanOrEqual(tolerance);
  }
}
