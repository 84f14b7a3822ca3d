/** @file Causal attention as an ONNX graph, and with its gradient derived by hand:
 *
 *      t = q / sqrt(width),  p = softmax(t kᵀ + mask),  out = p v
 *      dv = pᵀ r,  ds = p (r vᵀ - sum_c r out),  dq = ds k / sqrt(width),  dk = dsᵀ t
 *
 *  The scale is on the small tensors and the row sums are of r · out, so that no more than four elementwise passes over the
 *  scores remain; the transposes of whole matrices are what ONNX Runtime fuses into its products. */

import type { AttentionTask } from "./contract.ts";
import { onnxModel, type OnnxConstant, type OnnxNode } from "./onnx.ts";

/** What hides keys after the query, as a number: exp of it is 0, and no infinities meet. */
const HIDDEN = -1e30;

const mask = (length: number): OnnxConstant => {
  const data = new Float32Array(length * length);
  for (let row = 0; row < length; row += 1) data.fill(HIDDEN, row * length + row + 1, (row + 1) * length);
  return { name: "mask", shape: [length, length], data };
};

const call = (op: string, inputs: string, output: string, attributes: OnnxNode["attributes"] = {}): OnnxNode => ({ op, inputs: inputs.split(" "), output, attributes });

const transposed = (input: string): OnnxNode => call("Transpose", input, `${input}T`, { perm: [0, 2, 1] });

const FORWARD: readonly OnnxNode[] = [
  call("Mul", "q scale", "t"),
  transposed("k"),
  call("MatMul", "t kT", "s"),
  call("Add", "s mask", "masked"),
  call("Softmax", "masked", "p", { axis: 2 }),
  call("MatMul", "p v", "out"),
];

const BACKWARD: readonly OnnxNode[] = [
  transposed("p"),
  call("MatMul", "pT r", "dv"),
  transposed("v"),
  call("MatMul", "r vT", "dp"),
  call("Mul", "r out", "ro"),
  call("ReduceSum", "ro last", "along", { keepdims: 1 }),
  call("Sub", "dp along", "centred"),
  call("Mul", "p centred", "ds"),
  call("MatMul", "ds k", "dt"),
  call("Mul", "dt scale", "dq"),
  transposed("ds"),
  call("MatMul", "dsT t", "dk"),
];

const build = ({ heads, length, width }: AttentionTask, nodes: readonly OnnxNode[], inputs: string, outputs: string): Uint8Array => {
  const shaped = (names: string) => names.split(" ").map((name) => ({ name, shape: [heads, length, width] }));
  const scale: OnnxConstant = { name: "scale", shape: [], data: Float32Array.of(1 / Math.sqrt(width)) };
  const last: OnnxConstant = { name: "last", shape: [1], data: BigInt64Array.of(2n) };
  return onnxModel({ inputs: shaped(inputs), outputs: shaped(outputs), constants: [scale, mask(length), ...(nodes === FORWARD ? [] : [last])], nodes });
};

/** q, k, v to out. */
export const forwardModel = (task: AttentionTask): Uint8Array => build(task, FORWARD, "q k v", "out");

/** q, k, v, r to out, dq, dk, dv. */
export const gradientModel = (task: AttentionTask): Uint8Array => build(task, [...FORWARD, ...BACKWARD], "q k v r", "out dq dk dv");
