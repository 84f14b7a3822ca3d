/** @file A compiled program as one line of text, for a process or a page that only has the runtime. */

import type { WasmProgram } from "../../runtime/abi.ts";

export const encodeProgram = ({ wasm, ...rest }: WasmProgram): string => JSON.stringify({ ...rest, wasm: Buffer.from(wasm).toString("base64") });

export const decodeProgram = (text: string): WasmProgram => {
  const { wasm, ...rest } = JSON.parse(text) as Omit<WasmProgram, "wasm"> & { readonly wasm: string };
  return { ...rest, wasm: Uint8Array.from(atob(wasm), (character) => character.charCodeAt(0)) };
};
