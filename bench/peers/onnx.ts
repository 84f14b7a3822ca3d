/** @file ONNX models as bytes: the few messages of `onnx.proto` (IR version 8) that a graph of float32 tensors needs. Numbers
 *  are those of its fields. */

import { bytes, joined, message, text, whole, type Bytes } from "./protobuf.ts";

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  /** Whole numbers, and lists of them. */
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
}

export interface OnnxTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

export interface OnnxConstant extends OnnxTensor {
  readonly data: Float32Array | BigInt64Array;
}

export interface OnnxGraph {
  readonly inputs: readonly OnnxTensor[];
  readonly outputs: readonly OnnxTensor[];
  readonly constants: readonly OnnxConstant[];
  readonly nodes: readonly OnnxNode[];
}

const [IR_VERSION, OPSET] = [8, 17];
/** TensorProto.DataType and AttributeProto.AttributeType. */
const [FLOAT, INT64] = [1, 7];
const [INT, INTS] = [2, 7];

const attribute = (name: string, value: number | readonly number[]): Bytes =>
  typeof value === "number"
    ? message(5, text(1, name), whole(3, value), whole(20, INT))
    : message(5, text(1, name), ...value.map((item) => whole(8, item)), whole(20, INTS));

const node = ({ op, inputs, output, attributes = {} }: OnnxNode): Bytes =>
  message(1, ...inputs.map((name) => text(1, name)), text(2, output), text(3, output), text(4, op), ...Object.entries(attributes).map(([name, value]) => attribute(name, value)));

const constant = ({ name, shape, data }: OnnxConstant): Bytes =>
  message(5, ...shape.map((size) => whole(1, size)), whole(2, data instanceof Float32Array ? FLOAT : INT64), text(8, name), bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)));

const port = (field: number, { name, shape }: OnnxTensor): Bytes =>
  message(field, text(1, name), message(2, message(1, whole(1, FLOAT), message(2, ...shape.map((size) => message(1, whole(1, size)))))));

/** A model of one graph. */
export const onnxModel = ({ inputs, outputs, constants, nodes }: OnnxGraph): Uint8Array =>
  joined(
    whole(1, IR_VERSION),
    message(7, ...nodes.map(node), text(2, "graph"), ...constants.map(constant), ...inputs.map((t) => port(11, t)), ...outputs.map((t) => port(12, t))),
    message(8, text(1, ""), whole(2, OPSET)),
  );
