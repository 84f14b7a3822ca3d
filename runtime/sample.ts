/** @file Text from a trained model: one byte after another from the logits of `forward`. */

import type { Entry, Executable, ProgramHead, Tensors } from "./abi.ts";
import { RuntimeError } from "./errors.ts";
import { keyFor, randomStream } from "./random.ts";
import { i32 } from "./tensors.ts";
import { entryOf } from "./validate.ts";

export interface SampleOptions {
  readonly bytes: number;
  readonly seed: number;
  /** Logits are divided by it; 0 takes the likeliest byte every time. 1 unless given. */
  readonly temperature?: number;
  /** Only the k likeliest bytes are drawn from; all unless given. */
  readonly topK?: number;
}

const NEWLINE = 10;

/** Bytes that continue `prompt` (an empty one counts as a line break). The model sees the last T bytes.
 *  @throws RuntimeError SQ0612 when `forward` is not a model of tokens, SQ0007 options out of range. */
export async function* sample(
  program: ProgramHead,
  executable: Executable,
  parameters: Tensors,
  prompt: Uint8Array,
  options: SampleOptions,
): AsyncGenerator<number, void, undefined> {
  const { entry, batch, length, vocabulary } = samplerShape(program);
  const { temperature = 1, topK = vocabulary, seed } = options;
  if (!(temperature >= 0) || !Number.isFinite(temperature)) throw new RuntimeError("SQ0007", `temperature is ${temperature}, but must be 0 or more`);
  if (!Number.isSafeInteger(topK) || topK < 1) throw new RuntimeError("SQ0007", `top-k is ${topK}, but must be a whole number above 0`);
  const random = randomStream(seed, "sample");
  let context = prompt.length === 0 ? [NEWLINE] : [...prompt.slice(-length)];
  for (let count = 0; count < options.bytes; count += 1) {
    const outputs = await executable.run(entry.name, contextInputs(entry, parameters, context, batch, length, seed));
    const result = outputs[entry.outputs[0]?.name as string] as Tensors[string];
    const start = (context.length - 1) * vocabulary;
    const logits = Float64Array.from(result.data.subarray(start, start + Math.min(vocabulary, 256)) as Float32Array);
    const byte = choose(logits, temperature, topK, random.uniform());
    yield byte;
    context = [...context, byte].slice(-length);
  }
}

interface SamplerShape {
  readonly entry: Entry;
  readonly batch: number;
  readonly length: number;
  readonly vocabulary: number;
}

function samplerShape(program: ProgramHead): SamplerShape {
  const entry = entryOf(program, "forward");
  const tokens = entry.inputs.find((port) => port.name === "tokens" && port.dtype === "i32" && port.shape.length === 2);
  const output = entry.outputs[0];
  const foreign = entry.inputs.find((port) => port.role === "input" && port.name !== "tokens" && port.name !== "lengths");
  if (tokens === undefined || foreign !== undefined || output?.shape.length !== 3) {
    const fact = foreign === undefined ? "it is not a model from tokens [B, T] to logits [B, T, V]" : `it has an input \`${foreign.name}\``;
    throw new RuntimeError("SQ0612", `cannot sample from \`${program.model}\`: ${fact}`);
  }
  const [batch, length] = tokens.shape as readonly [number, number];
  return { entry, batch, length, vocabulary: output.shape[2] as number };
}

/** The context is the first sequence; what is behind its end no causal model sees. */
function contextInputs(entry: Entry, parameters: Tensors, context: readonly number[], batch: number, length: number, seed: number): Tensors {
  const given: Record<string, Tensors[string]> = {};
  for (const port of entry.inputs) {
    const parameter = parameters[port.name];
    if (port.role === "key") given[port.name] = i32([4], keyFor(seed, 0));
    else if (port.name === "tokens") given[port.name] = i32([batch, length], Int32Array.from({ length: batch * length }, (_, at) => context[at] ?? 0));
    else if (port.name === "lengths") given[port.name] = i32([batch], new Int32Array(batch).fill(context.length));
    else if (parameter !== undefined) given[port.name] = parameter;
  }
  return given;
}

/** The first byte at which the running sum of softmax(logits / temperature), likeliest first, passes `uniform`. */
export function choose(logits: Float64Array, temperature: number, topK: number, uniform: number): number {
  const ranked = [...logits.keys()].sort((a, b) => (logits[b] as number) - (logits[a] as number) || a - b).slice(0, topK);
  const best = ranked[0] as number;
  if (temperature === 0) return best;
  const weights = ranked.map((byte) => Math.exp(((logits[byte] as number) - (logits[best] as number)) / temperature));
  let left = uniform * weights.reduce((sum, weight) => sum + weight, 0);
  const at = weights.findIndex((weight) => (left -= weight) < 0);
  return ranked[at] ?? best;
}
