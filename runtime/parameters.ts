/** @file How a model starts: every parameter drawn as declared, from a stream of its own, the same on every backend. */

import type { HostTensor, Initializer, ParameterSpec, ProgramHead, Tensors } from "./abi.ts";
import { randomStream, type RandomStream } from "./random.ts";
import { elementCount, f32, zeros } from "./tensors.ts";

/** All parameters by path. The same seed gives the same values, whatever the order or the backend. */
export function initialParameters(program: Pick<ProgramHead, "parameters">, seed: number): Tensors {
  return Object.fromEntries(program.parameters.map((spec) => [spec.name, initialParameter(spec, seed)]));
}

/** The optimizer's state before the first step: zeros. Empty for a program without an optimizer. */
export function initialState(program: ProgramHead): Tensors {
  const state = program.optimizer?.state ?? [];
  return Object.fromEntries(state.map(({ name, shape }) => [name, zeros(shape)]));
}

function initialParameter(spec: ParameterSpec, seed: number): HostTensor {
  const data = new Float32Array(elementCount(spec.shape));
  const stream = randomStream(seed, spec.name);
  for (let at = 0; at < data.length; at += 1) data[at] = draw(spec.init, stream);
  return f32(spec.shape, data);
}

function draw(init: Initializer, stream: RandomStream): number {
  switch (init.kind) {
    case "constant":
      return init.value;
    case "uniform":
      return init.low + (init.high - init.low) * stream.uniform();
    case "normal":
      return init.mean + init.std * stream.normal();
  }
}
