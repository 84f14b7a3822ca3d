/** @file Programs written by hand, with their meaning in plain JavaScript: the runtime is tested without the compiler. */

import type { Entry, HostTensor, InputPort, KernelSource, Launch, Port, Program, Tensors } from "../../runtime/abi.ts";
import { elementCount, f32, i32 } from "../../runtime/tensors.ts";

export interface Fixture {
  readonly name: string;
  readonly program: Program;
  readonly entry: string;
  readonly inputs: Tensors;
  readonly expected: Readonly<Record<string, readonly number[]>>;
}

export function port(name: string, value: number, shape: readonly number[], dtype: Port["dtype"] = "f32"): Port {
  return { name, value, dtype, shape, dims: shape.map(String) };
}

export function input(name: string, value: number, shape: readonly number[], more: Partial<InputPort> = {}): InputPort {
  return { ...port(name, value, shape), role: "input", ...more };
}

export function entry(name: string, inputs: readonly InputPort[], outputs: readonly Port[], launches: readonly Launch[], sizes: readonly number[]): Entry {
  return { name, inputs, outputs, launches, values: sizes.map((elements) => ({ elements, offset: 0 })), arenaBytes: 0 };
}

export function program(kernels: readonly KernelSource[], entries: readonly Entry[], more: Partial<Program> = {}): Program {
  const byName = Object.fromEntries(entries.map((each) => [each.name, each]));
  return { version: 1, model: "Fixture", dims: {}, parameters: [], optimizer: null, kernels, entries: byName, ...more };
}

export function launch(kernel: number, args: readonly number[], result: number): Launch {
  return { kernel, args, result, path: "" };
}

/** Small numbers that no kernel gets right by accident. */
export function ramp(shape: readonly number[], scale = 1): HostTensor {
  return f32(shape, Array.from({ length: elementCount(shape) }, (_, at) => scale * Math.sin(at * 0.7 + 0.3)));
}

const values = (tensor: HostTensor): number[] => Array.from(tensor.data, Number);

/** c[n, m] = Σ_k a[n, k] b[k, m], output given to gpu.js as [m, n]. */
export function matmulKernel(n: number, k: number, m: number): KernelSource {
  return {
    name: "matmul",
    source: `function matmul(a, b) {
  let sum = 0;
  for (let k = 0; k < ${k}; k++) { sum += a[this.thread.y * ${k} + k] * b[k * ${m} + this.thread.x]; }
  return sum;
}`,
    output: [m, n],
    inputs: [n * k, k * m],
  };
}

function matmul(): Fixture {
  const [n, k, m] = [5, 7, 3];
  const a = ramp([n, k]);
  const b = ramp([k, m], 0.5);
  const c = Array.from({ length: n * m }, (_, at) => {
    let sum = 0;
    for (let l = 0; l < k; l += 1) sum += Number(a.data[Math.floor(at / m) * k + l]) * Number(b.data[l * m + (at % m)]);
    return sum;
  });
  const it = entry("forward", [input("a", 0, [n, k]), input("b", 1, [k, m])], [port("result", 2, [n, m])], [launch(0, [0, 1], 2)], [35, 21, 15]);
  return { name: "matmul", program: program([matmulKernel(n, k, m)], [it]), entry: "forward", inputs: { a, b }, expected: { result: c } };
}

function softmax(): Fixture {
  const [rows, columns] = [6, 10];
  const x = ramp([rows, columns], 3);
  const row = (name: string, update: string, start: string): KernelSource => ({
    name,
    source: `function ${name}(x) {
  let all = ${start};
  for (let j = 0; j < ${columns}; j++) { ${update} }
  return all;
}`,
    output: [rows],
    inputs: [rows * columns],
  });
  const each = (name: string, expression: string): KernelSource => ({
    name,
    source: `function ${name}(x, r) { return ${expression}; }`,
    output: [columns, rows],
    inputs: [rows * columns, rows],
  });
  const at = `x[this.thread.y * ${columns} + this.thread.x]`;
  const kernels = [
    row("row_max", `all = Math.max(all, x[this.thread.x * ${columns} + j]);`, "-1e30"),
    each("shifted_exp", `Math.exp(${at} - r[this.thread.y])`),
    row("row_sum", `all += x[this.thread.x * ${columns} + j];`, "0"),
    each("normalise", `${at} / r[this.thread.y]`),
  ];
  const launches = [launch(0, [0], 1), launch(1, [0, 1], 2), launch(2, [2], 3), launch(3, [2, 3], 4)];
  const it = entry("forward", [input("x", 0, [rows, columns])], [port("result", 4, [rows, columns])], launches, [60, 6, 60, 6, 60]);
  const data = values(x);
  const expected = Array.from({ length: rows }, (_, r) => data.slice(r * columns, (r + 1) * columns)).flatMap((xs) => {
    const exps = xs.map((value) => Math.exp(value - Math.max(...xs)));
    const sum = exps.reduce((a, b) => a + b, 0);
    return exps.map((value) => value / sum);
  });
  return { name: "softmax chain", program: program(kernels, [it]), entry: "forward", inputs: { x }, expected: { result: expected } };
}

function scalarLoss(): Fixture {
  const x = ramp([9]);
  const kernel: KernelSource = {
    name: "mean_square",
    source: `function mean_square(x) { let s = 0; for (let j = 0; j < 9; j++) { s += x[j] * x[j]; } return s / 9; }`,
    output: [1],
    inputs: [9],
  };
  const it = entry("loss", [input("x", 0, [9])], [port("loss", 1, [])], [launch(0, [0], 1)], [9, 1]);
  const expected = values(x).reduce((sum, value) => sum + value * value, 0) / 9;
  return { name: "scalar loss", program: program([kernel], [it]), entry: "loss", inputs: { x }, expected: { loss: [expected] } };
}

/** A tensor of four axes [2, 3, 4, 5] whose kernel writes [5, 4, 6], read again by a second such kernel. */
function fourAxes(): Fixture {
  const shape = [2, 3, 4, 5];
  const x = ramp(shape);
  const flat = "(this.thread.z * 4 + this.thread.y) * 5 + this.thread.x";
  const kernels: KernelSource[] = [
    { name: "twice", source: `function twice(x) { return 2 * x[${flat}]; }`, output: [5, 4, 6], inputs: [120] },
    {
      name: "add_coordinates",
      source: `function add_coordinates(x) { return x[${flat}] + 100 * this.thread.z + 10 * this.thread.y + this.thread.x; }`,
      output: [5, 4, 6],
      inputs: [120],
    },
  ];
  const it = entry("forward", [input("x", 0, shape)], [port("result", 2, shape)], [launch(0, [0], 1), launch(1, [1], 2)], [120, 120, 120]);
  const expected = values(x).map((value, at) => 2 * value + 100 * Math.floor(at / 20) + 10 * (Math.floor(at / 5) % 4) + (at % 5));
  return { name: "four axes", program: program(kernels, [it]), entry: "forward", inputs: { x }, expected: { result: expected } };
}

/** x, then `count` times x + y, the two buffers alternating. */
export function chain(count: number, size: number): Fixture {
  const kernel: KernelSource = {
    name: "add",
    source: "function add(a, b) { return a[this.thread.x] + b[this.thread.x]; }",
    output: [size],
    inputs: [size, size],
  };
  const x = ramp([size]);
  const y = ramp([size], 0.25);
  const launches = Array.from({ length: count }, (_, at) => launch(0, [at === 0 ? 0 : at + 1, 1], at + 2));
  const sizes = Array.from({ length: count + 2 }, () => size);
  const it = entry("forward", [input("x", 0, [size]), input("y", 1, [size])], [port("result", count + 1, [size])], launches, sizes);
  const expected = values(x).map((start, at) => {
    let sum = start;
    for (let step = 0; step < count; step += 1) sum = Math.fround(sum + Number(y.data[at]));
    return sum;
  });
  return { name: `${count} launches, size ${size}`, program: program([kernel], [it]), entry: "forward", inputs: { x, y }, expected: { result: expected } };
}

/** Adds up `count` inputs, more than any kernel takes. */
export function manyInputs(count: number): Fixture {
  const base = chain(1, 4).program.kernels;
  const inputs = Array.from({ length: count }, (_, at) => input(`p.${at}`, at, [4]));
  const launches = Array.from({ length: count - 1 }, (_, at) => launch(0, [at === 0 ? 0 : count + at - 1, at + 1], count + at));
  const sizes = Array.from({ length: 2 * count - 1 }, () => 4);
  const it = entry("forward", inputs, [port("result", 2 * count - 2, [4])], launches, sizes);
  const given = Object.fromEntries(inputs.map((each, at) => [each.name, f32([4], [at, 1, -at, 0.5])]));
  const sum = (count * (count - 1)) / 2;
  return { name: `${count} inputs`, program: program(base, [it]), entry: "forward", inputs: given, expected: { result: [sum, count, -sum, count / 2] } };
}

/** Outputs that are inputs, one twice, one computed twice over; and an integer and a boolean result. */
function passThrough(): Fixture {
  const kernels: KernelSource[] = [
    { name: "add_one", source: "function add_one(x) { return x[this.thread.x] + 1; }", output: [3], inputs: [3] },
    { name: "is_two", source: "function is_two(x) { let r = 0; if (x[this.thread.x] > 1.5 && x[this.thread.x] < 2.5) { r = 1; } return r; }", output: [3], inputs: [3] },
  ];
  const inputs = [input("ids", 0, [3], { dtype: "i32", below: 8 }), input("unused", 1, [2])];
  const outputs = [port("ids", 0, [3], "i32"), port("unused", 1, [2]), port("again", 1, [2]), port("next", 2, [3], "i32"), port("next_too", 2, [3], "i32"), port("two", 3, [3], "i1")];
  const it = entry("forward", inputs, outputs, [launch(0, [0], 2), launch(1, [2], 3)], [3, 2, 3, 3]);
  const expected = { ids: [1, 7, 0], unused: [4, 5], again: [4, 5], next: [2, 8, 1], next_too: [2, 8, 1], two: [1, 0, 0] };
  return { name: "pass-through", program: program(kernels, [it]), entry: "forward", inputs: { ids: i32([3], [1, 7, 0]), unused: f32([2], [4, 5]) }, expected };
}

/** More rows, or columns, than a texture has. */
function beyondTextures(width: number, height: number): Fixture {
  const size = width * height;
  const kernel: KernelSource = {
    name: "coordinates",
    source: `function coordinates(x) {
  const row = this.thread.y;
  return x[row * ${width} + this.thread.x] + 2 * row + this.thread.x;
}`,
    output: [width, height],
    inputs: [size],
  };
  const x = f32([height, width], Array.from({ length: size }, (_, at) => at % 11));
  const it = entry("forward", [input("x", 0, [height, width])], [port("result", 2, [height, width])], [launch(0, [0], 1), launch(0, [1], 2)], [size, size, size]);
  const expected = values(x).map((value, at) => value + 4 * Math.floor(at / width) + 2 * (at % width));
  return { name: `output [${width}, ${height}]`, program: program([kernel], [it]), entry: "forward", inputs: { x }, expected: { result: expected } };
}

function noLaunches(): Fixture {
  const it = entry("forward", [input("x", 0, [2, 2])], [port("result", 0, [2, 2])], [], [4]);
  return { name: "no launches", program: program([], [it]), entry: "forward", inputs: { x: f32([2, 2], [1, 2, 3, 4]) }, expected: { result: [1, 2, 3, 4] } };
}

/** Σ over a linked list, whose length is known only at run time: more steps than gpu.js's default limit of 1000. */
function walk(): Fixture {
  const size = 1500;
  const kernel: KernelSource = {
    name: "walk",
    source: `function walk(next, x) {
  let sum = 0;
  let cursor = this.thread.x;
  while (cursor >= 0) { sum += x[cursor]; cursor = next[cursor]; }
  return sum;
}`,
    output: [2],
    inputs: [size, size],
    loopLimit: size,
  };
  const next = i32([size], Array.from({ length: size }, (_, at) => (at + 2 < size ? at + 2 : -1)));
  const x = f32([size], Array.from({ length: size }, (_, at) => at % 7));
  const sums = [0, 1].map((parity) => values(x).filter((_, at) => at % 2 === parity).reduce((a, b) => a + b, 0));
  const it = entry("forward", [input("next", 0, [size], { dtype: "i32" }), input("x", 1, [size])], [port("result", 2, [2])], [launch(0, [0, 1], 2)], [size, size, 2]);
  return { name: "walk", program: program([kernel], [it]), entry: "forward", inputs: { next, x }, expected: { result: sums } };
}

/** For each wanted number, how many of the sorted keys are smaller: a binary search with a loop of constant length. */
function binarySearch(): Fixture {
  const [size, wanted] = [1000, 37];
  const kernel: KernelSource = {
    name: "lower_bound",
    source: `function lower_bound(keys, wanted) {
  let low = 0;
  let step = 512;
  for (let s = 0; s < 10; s++) {
    let probe = low + step;
    low = (probe <= ${size} ? (keys[probe - 1] < wanted[this.thread.x] ? probe : low) : low);
    step = step * 0.5;
  }
  return low;
}`,
    output: [wanted],
    inputs: [size, wanted],
  };
  const keys = i32([size], Array.from({ length: size }, (_, at) => 3 * Math.floor(at / 4)));
  const x = i32([wanted], Array.from({ length: wanted }, (_, at) => 21 * at));
  const expected = values(x).map((key) => values(keys).filter((other) => other < key).length);
  const it = entry("forward", [input("keys", 0, [size], { dtype: "i32" }), input("wanted", 1, [wanted], { dtype: "i32" })], [port("result", 2, [wanted])], [launch(0, [0, 1], 2)], [size, wanted, wanted]);
  return { name: "binary search", program: program([kernel], [it]), entry: "forward", inputs: { keys, wanted: x }, expected: { result: expected } };
}

export const FIXTURES: readonly Fixture[] = [
  matmul(),
  softmax(),
  scalarLoss(),
  fourAxes(),
  chain(40, 33),
  manyInputs(150),
  passThrough(),
  noLaunches(),
  walk(),
  binarySearch(),
  beyondTextures(3, 70_001),
  beyondTextures(40_009, 7),
];
