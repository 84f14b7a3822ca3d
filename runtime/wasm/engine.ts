/** @file What this engine's WebAssembly can do; each answer is a reason why not, or null. */

/** The smallest module with a vector in it: engines without SIMD do not take it. */
const VECTOR = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11);

export function missingWasm(): string | null {
  if (typeof WebAssembly === "undefined") return "this engine has no WebAssembly";
  return WebAssembly.validate(VECTOR) ? null : "this engine has no WebAssembly SIMD";
}

/** f(x) = x * x - round(x * x) by `f32x4.relaxed_madd`: 0 where the product is rounded before the addition. */
const MULTIPLY_ADD = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 125, 1, 125, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 32, 1, 30, 1, 1, 123,
  32, 0, 253, 19, 33, 1, 32, 1, 32, 1, 32, 1, 32, 1, 253, 230, 1, 253, 225, 1, 253, 133, 2, 253, 31, 0, 11,
);

/** A number whose square has twice its digits. */
const EXACT_SQUARE_IS_LONG = 1 + 2 ** -12;

let relaxed: string | null | undefined;

/** Relaxed SIMD is worth having only where a processor multiplies and adds at once: elsewhere its instruction is two, for which
 *  kernels made for one have not enough registers. */
export function missingRelaxed(): string | null {
  relaxed ??= reasonAgainstRelaxed();
  return relaxed;
}

function reasonAgainstRelaxed(): string | null {
  const missing = missingWasm();
  if (missing !== null) return missing;
  if (!WebAssembly.validate(MULTIPLY_ADD)) return "this engine has no WebAssembly relaxed SIMD";
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(MULTIPLY_ADD));
  return (exports["f"] as (x: number) => number)(EXACT_SQUARE_IS_LONG) === 0 ? "this processor does not multiply and add in one instruction" : null;
}
