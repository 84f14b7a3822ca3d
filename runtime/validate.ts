/** @file What enters an entry point is checked against its ports, all of it, before anything runs: kernels read memory
 *  without looking, so a wrong shape or an index beyond a table would give wrong numbers rather than an error. */

import type { Entry, HostTensor, InputPort, Port, ProgramHead, Tensors } from "./abi.ts";
import { RuntimeError } from "./errors.ts";
import { elementCount } from "./tensors.ts";

/** Integers live in float32 lanes, exact below this. */
const EXACT = 2 ** 24;

const ACCEPTED: Record<Port["dtype"], readonly HostTensor["dtype"][]> = {
  f32: ["F32", "F64"],
  i32: ["I32", "I64", "U8"],
  i1: ["BOOL"],
};

/** @throws RuntimeError SQ0706 when the program has no such entry point. */
export function entryOf(program: ProgramHead, name: string): Entry {
  const entry = Object.hasOwn(program.entries, name) ? program.entries[name] : undefined;
  if (entry !== undefined) return entry;
  const known = Object.keys(program.entries).join(", ");
  throw new RuntimeError("SQ0706", `\`${program.model}\` has no entry point \`${name}\``, `it has: ${known}`);
}

/** Flat float32 data for every input port, in port order.
 *  @throws RuntimeError SQ0601 missing, SQ0608 extra, SQ0602 shape, SQ0603 dtype, SQ0609 values out of range. */
export function checkInputs(entry: Entry, inputs: Tensors): Float32Array[] {
  const missing = entry.inputs.filter((port) => !Object.hasOwn(inputs, port.name));
  if (missing.length > 0) {
    const wanted = missing.slice(0, 5).map((port) => `\`${port.name}\` ${typeOf(port)}`);
    const more = missing.length > 5 ? ` and ${missing.length - 5} more` : "";
    throw new RuntimeError("SQ0601", `\`${entry.name}\` needs ${wanted.join(", ")}${more}, which ${missing.length > 1 ? "were" : "was"} not given`);
  }
  const names = new Set(entry.inputs.map((port) => port.name));
  const extra = Object.keys(inputs).filter((name) => !names.has(name));
  if (extra.length > 0) {
    const shown = extra.slice(0, 5).map((name) => `\`${name}\``).join(", ");
    throw new RuntimeError("SQ0608", `\`${entry.name}\` has no input ${shown}`, `it takes: ${summary([...names])}`);
  }
  return entry.inputs.map((port) => checkInput(entry, port, inputs[port.name] as HostTensor));
}

function checkInput(entry: Entry, port: InputPort, tensor: HostTensor): Float32Array {
  const where = `input \`${port.name}\` of \`${entry.name}\``;
  if (!ACCEPTED[port.dtype].includes(tensor.dtype)) {
    const hint = `accepted here: ${ACCEPTED[port.dtype].join(", ")}`;
    throw new RuntimeError("SQ0603", `${where} is ${typeOf(port)}, but the tensor holds ${tensor.dtype}`, hint);
  }
  if (!sameShape(port.shape, tensor.shape)) {
    throw new RuntimeError("SQ0602", `${where} is ${typeOf(port)}, but the tensor has shape [${tensor.shape.join(", ")}]`);
  }
  if (tensor.data.length !== elementCount(port.shape)) {
    const counts = `${tensor.data.length} elements for shape [${tensor.shape.join(", ")}]`;
    throw new RuntimeError("SQ0602", `${where}: the tensor carries ${counts}`);
  }
  const data = toFloat32(tensor);
  if (port.dtype === "i32") checkRange(where, port, tensor);
  return data;
}

function checkRange(where: string, port: InputPort, tensor: HostTensor): void {
  const low = port.below === undefined ? -EXACT : 0;
  const limit = port.below ?? EXACT;
  for (let at = 0; at < tensor.data.length; at += 1) {
    const value = Number(tensor.data[at]);
    if (value >= low && value < limit) continue;
    const bound = port.below === undefined ? `below 2^24 in magnitude` : `in 0..${limit - 1}`;
    throw new RuntimeError("SQ0609", `${where}: element ${at} is ${value}, but it must be ${bound}`);
  }
}

function toFloat32(tensor: HostTensor): Float32Array {
  if (tensor.data instanceof Float32Array) return tensor.data;
  if (tensor.data instanceof BigInt64Array) return Float32Array.from(tensor.data, Number);
  if (tensor.dtype === "BOOL") return Float32Array.from(tensor.data, (value) => (value === 0 ? 0 : 1));
  return Float32Array.from(tensor.data);
}

/** The host tensor of an output port from the float32 lanes a backend computed (taken over, not copied). */
export function outputTensor(port: Port, data: Float32Array): HostTensor {
  if (port.dtype === "i32") return { dtype: "I32", shape: port.shape, data: Int32Array.from(data) };
  if (port.dtype === "i1") return { dtype: "BOOL", shape: port.shape, data: Uint8Array.from(data) };
  return { dtype: "F32", shape: port.shape, data };
}

/** `f32[2, 3] (B, T)`: sizes, and dimension names where they say more than the sizes. */
function typeOf(port: Port): string {
  const sizes = `${port.dtype}[${port.shape.join(", ")}]`;
  const named = port.dims.some((dim, axis) => dim !== String(port.shape[axis]));
  return named ? `${sizes} (${port.dims.join(", ")})` : sizes;
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

function summary(names: readonly string[]): string {
  return names.length <= 12 ? names.join(", ") : `${names.slice(0, 12).join(", ")}, … (${names.length} in all)`;
}
