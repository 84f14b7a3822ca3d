/** @file Vectors of 256 bits: V8's WebAssembly compiler can make one of two of 128 that are worked on side by side. The kernels are the
 *  same, and so are their results, to the bit: each lane is computed as before. */

/** V8 12 has the flag too, but finds no pairs in loops. */
const FIRST_V8 = 13;

const FLAG = "--experimental-wasm-revectorize";

/** Why this machine has none; null where it has. */
export function missingWide(): string | null {
  if (typeof process === "undefined" || process.versions?.node === undefined) return "a page cannot ask its engine for them";
  const built = (process.config.variables as Readonly<Record<string, unknown>>)["v8_enable_wasm_simd256_revec"];
  if (Number(built) !== 1 || Number.parseInt(process.versions.v8, 10) < FIRST_V8) return `Node ${process.versions.node} cannot make them`;
  return process.arch === "x64" ? null : `they are not made for ${process.arch}`;
}

/** From now on, in everything that this process compiles: an engine has one set of flags. */
export async function makeWide(v8 = "node:v8"): Promise<void> {
  const { setFlagsFromString } = (await import(/* @vite-ignore */ v8)) as { readonly setFlagsFromString: (flags: string) => void };
  setFlagsFromString(FLAG);
}
