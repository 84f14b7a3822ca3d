/** @file Relaxed SIMD for tests: Node 20 has it, but only if asked. */

import { setFlagsFromString } from "node:v8";
import { missingRelaxed } from "../../runtime/wasm/engine.ts";

const V8_OF_NODE_20 = 11;

/** Why there is none here, which is printed too, so that a skip is never silent; null where there is, from now on. */
export function allowRelaxed(): string | null {
  if (Number.parseInt(process.versions.v8, 10) === V8_OF_NODE_20) setFlagsFromString("--experimental-wasm-relaxed-simd");
  const missing = missingRelaxed();
  if (missing !== null) console.warn(`skipped: relaxed SIMD: ${missing}`);
  return missing;
}
