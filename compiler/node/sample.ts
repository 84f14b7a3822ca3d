/** @file Text from a checkpoint. */

import { readBytes } from "../../runtime/node/index.ts";
import { sample as sampleBytes } from "../../runtime/sample.ts";
import type { SampleOptions as SamplerOptions } from "../../runtime/sample.ts";
import { decodeParameters } from "../../runtime/train/state.ts";
import { compile } from "./compile.ts";
import type { ModelOptions } from "./compile.ts";
import { createBackend, programOf, targetOf } from "./execute.ts";
import type { BackendOptions } from "./execute.ts";

export interface SampleOptions extends ModelOptions, BackendOptions, SamplerOptions {
  /** A safetensors file with the model's parameters: what `train` saves. */
  readonly checkpoint: string;
  /** Text to continue; an empty one counts as a line break. */
  readonly prompt?: string;
}

/** Pieces of text as they are drawn; bytes that are not valid UTF-8 show as U+FFFD.
 *  One sequence is sampled: a dimension `B` that is not overridden is taken to be 1. */
export async function* sample(options: SampleOptions): AsyncGenerator<string, void, undefined> {
  const compiled = await compileForOne(options);
  const program = programOf(compiled);
  const parameters = decodeParameters(program, readBytes(options.checkpoint));
  const executable = await createBackend(compiled, options.backend, options.threads);
  const decoder = new TextDecoder();
  try {
    const prompt = new TextEncoder().encode(options.prompt ?? "");
    for await (const byte of sampleBytes(program, executable, parameters, prompt, options)) {
      const text = decoder.decode(Uint8Array.of(byte), { stream: true });
      if (text !== "") yield text;
    }
    const rest = decoder.decode();
    if (rest !== "") yield rest;
  } finally {
    executable.destroy();
  }
}

const compileForOne = async (options: SampleOptions) => {
  const model = { ...options, target: targetOf(options.backend) };
  const compiled = await compile(model);
  const { B } = programOf(compiled).dims;
  return B === undefined || B === 1 || options.dims?.["B"] !== undefined ? compiled : compile({ ...model, dims: { ...options.dims, B: 1 } });
};
