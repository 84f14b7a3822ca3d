/** @file The interpreter as a backend: the same `Executable` that kernels give, computed in float64 from the IR.
 *  It runs the module before decomposition, so it shares no lowering with what it is the oracle of. */

import type { DType, Func, Module, Param, TensorType } from "../ir/core.ts";
import { interpret } from "../ir/interpret.ts";
import { print } from "../ir/poly.ts";
import type { Entry, Executable, HostTensor, InputPort, Tensors } from "../runtime/abi.ts";
import { RuntimeError } from "../runtime/errors.ts";
import { checkInputs } from "../runtime/validate.ts";
import { tableRows } from "./codegen/entry.ts";

export const INTERPRETER = "interpreter";

/** Runs a module's functions as entry points. Float results come back as F64. */
export const interpreterExecutable = (module: Module): Executable => ({
  backend: INTERPRETER,
  run: async (entry, inputs) => runFunc(funcNamed(module, entry), inputs),
  destroy: () => {},
});

const funcNamed = (module: Module, name: string): Func => {
  const func = module.funcs.find((candidate) => candidate.name === name);
  if (func !== undefined) return func;
  const known = module.funcs.map((candidate) => candidate.name).join(", ");
  throw new RuntimeError("SQ0706", `\`${module.name}\` has no entry point \`${name}\``, `it has: ${known}`);
};

const runFunc = (func: Func, inputs: Tensors): Tensors => {
  checkInputs(signatureOf(func), inputs);
  const data = new Map(func.params.map((param) => [param.name, toFloat64(inputs[param.name] as HostTensor)]));
  const { results } = interpret(func, data);
  return Object.fromEntries(
    func.results.map(({ name, value }): [string, HostTensor] => [name, toHost(value.type, results.get(name) ?? new Float64Array())]),
  );
};

/** An entry with the function's ports and nothing to launch: what input validation reads. */
const signatureOf = (func: Func): Entry => ({
  name: func.name,
  inputs: func.params.map((param, index) => portOf(func, param, index)),
  outputs: [],
  launches: [],
  values: [],
  arenaBytes: 0,
});

const portOf = (func: Func, { name, role, value }: Param, index: number): InputPort => {
  const below = role === "input" ? tableRows(func, value) : null;
  return {
    name,
    role,
    value: index,
    dtype: value.type.dtype,
    shape: value.type.shape,
    dims: value.type.dims.map((dim) => print(dim)),
    ...(below === null ? {} : { below }),
  };
};

const toFloat64 = ({ data }: HostTensor): Float64Array => {
  if (data instanceof Float64Array) return data;
  return data instanceof BigInt64Array ? Float64Array.from(data, Number) : Float64Array.from(data);
};

const toHost = ({ dtype, shape }: TensorType, data: Float64Array): HostTensor => HOST[dtype](shape, data);

const HOST: { readonly [D in DType]: (shape: readonly number[], data: Float64Array) => HostTensor } = {
  f32: (shape, data) => ({ dtype: "F64", shape, data }),
  i32: (shape, data) => ({ dtype: "I32", shape, data: Int32Array.from(data) }),
  i1: (shape, data) => ({ dtype: "BOOL", shape, data: Uint8Array.from(data) }),
};
