/** @file Batches of text for a model's loss: next-token prediction, or masked tokens where the loss asks for `lengths`.
 *  A batch is a function of (text, seed, name) alone, so a resumed run sees exactly the batches it would have seen. */

import type { Entry, InputPort, Tensors } from "../abi.ts";
import { RuntimeError } from "../errors.ts";
import { randomStream, type RandomStream } from "../random.ts";
import { i32 } from "../tensors.ts";

/** next: targets are the tokens shifted by one. masked: some tokens are hidden, targets are those, -1 elsewhere. */
export type Objective = "next" | "masked";

/** Draws one batch of a text. */
export type Batcher = (text: Uint8Array, seed: number, name: string) => Tensors;

export interface BatchShape {
  readonly objective: Objective;
  readonly batch: number;
  readonly length: number;
  /** Bytes of text that one example needs. */
  readonly window: number;
  /** Tokens that one batch is scored on, at most. */
  readonly tokens: number;
  readonly vocabulary: number;
}

/** Targets that the loss must ignore (`ignore: -1`). */
const IGNORED = -1;
/** As in BERT (Devlin et al., 2018): 15 % of the tokens are hidden. */
const MASKED_SHARE = 0.15;
/** Behind the end of a sequence. */
const PADDING = 0;

const FEEDABLE: Readonly<Record<string, string>> = {
  tokens: "int[B, T], bytes of the text",
  targets: "int[B, T], what to predict",
  lengths: "int[B], how many tokens of each sequence count",
};

/** What the inputs of `loss` ask for. `lengths` among them means masked tokens unless `objective` says otherwise.
 *  @throws RuntimeError SQ0612 when the trainer cannot feed an input, with what it can. */
export function batchShape(loss: Entry, objective?: Objective): BatchShape {
  const inputs = loss.inputs.filter((port) => port.role === "input");
  for (const port of inputs) {
    if (!Object.hasOwn(FEEDABLE, port.name)) throw cannotFeed(`\`${loss.name}\` has an input \`${port.name}\``);
  }
  const tokens = portOf(inputs, "tokens", 2);
  const targets = portOf(inputs, "targets", 2);
  if (tokens === undefined || targets === undefined) throw cannotFeed(`\`${loss.name}\` lacks \`${tokens === undefined ? "tokens" : "targets"}\``);
  const [batch, length] = tokens.shape as readonly [number, number];
  if (targets.shape.join() !== tokens.shape.join()) {
    throw cannotFeed(`\`tokens\` is [${tokens.shape.join(", ")}] and \`targets\` is [${targets.shape.join(", ")}]`);
  }
  const chosen = objective ?? (portOf(inputs, "lengths", 1) === undefined ? "next" : "masked");
  const window = chosen === "next" ? length + 1 : length;
  return { objective: chosen, batch, length, window, tokens: batch * length, vocabulary: tokens.below ?? 256 };
}

function portOf(inputs: readonly InputPort[], name: string, rank: number): InputPort | undefined {
  const port = inputs.find((candidate) => candidate.name === name);
  if (port !== undefined && (port.dtype !== "i32" || port.shape.length !== rank)) {
    throw cannotFeed(`\`${name}\` is ${port.dtype}[${port.dims.join(", ")}]`);
  }
  return port;
}

function cannotFeed(fact: string): RuntimeError {
  const known = Object.entries(FEEDABLE).map(([name, what]) => `\`${name}\`: ${what}`).join("; ");
  return new RuntimeError("SQ0612", `the trainer cannot feed this loss: ${fact}`, `it can feed ${known}`);
}

/** @throws RuntimeError SQ0611 when the text has bytes that the vocabulary has not. */
export function createBatcher(loss: Entry, shape: BatchShape, text: Uint8Array): Batcher {
  const largest = text.reduce((most, byte) => Math.max(most, byte), 0);
  const limit = shape.objective === "masked" ? shape.vocabulary - 1 : shape.vocabulary;
  if (largest >= limit) {
    const reserved = shape.objective === "masked" ? ", the last of which stands for a hidden one" : "";
    throw new RuntimeError("SQ0611", `the text has byte ${largest}, the model knows ${shape.vocabulary} tokens${reserved}`);
  }
  const fill = shape.objective === "next" ? nextTokens : maskedTokens;
  const wantsLengths = loss.inputs.some((port) => port.name === "lengths");
  return (part, seed, name) => {
    const { tokens, targets, lengths } = fill(part, shape, randomStream(seed, name));
    const full = [shape.batch, shape.length];
    const batch = { tokens: i32(full, tokens), targets: i32(full, targets) };
    return wantsLengths ? { ...batch, lengths: i32([shape.batch], lengths) } : batch;
  };
}

interface Filled {
  readonly tokens: Int32Array;
  readonly targets: Int32Array;
  readonly lengths: Int32Array;
}

function nextTokens(text: Uint8Array, { batch, length, window }: BatchShape, random: RandomStream): Filled {
  const tokens = new Int32Array(batch * length);
  const targets = new Int32Array(batch * length);
  for (let row = 0; row < batch; row += 1) {
    const start = random.below(text.length - window + 1);
    tokens.set(text.subarray(start, start + length), row * length);
    targets.set(text.subarray(start + 1, start + 1 + length), row * length);
  }
  return { tokens, targets, lengths: new Int32Array(batch).fill(length) };
}

/** Sequences of random length (half of T to T); 15 % of each, at least one token, is replaced by the last id of the
 *  vocabulary (255 for bytes, which UTF-8 never uses). */
function maskedTokens(text: Uint8Array, { batch, length, vocabulary }: BatchShape, random: RandomStream): Filled {
  const tokens = new Int32Array(batch * length).fill(PADDING);
  const targets = new Int32Array(batch * length).fill(IGNORED);
  const lengths = Int32Array.from({ length: batch }, () => length - random.below(Math.floor(length / 2) + 1));
  for (let row = 0; row < batch; row += 1) {
    const count = lengths[row] as number;
    const start = random.below(text.length - count + 1);
    tokens.set(text.subarray(start, start + count), row * length);
    const always = random.below(count);
    for (let at = 0; at < count; at += 1) {
      const hidden = random.uniform() < MASKED_SHARE || at === always;
      if (!hidden) continue;
      targets[row * length + at] = tokens[row * length + at] as number;
      tokens[row * length + at] = vocabulary - 1;
    }
  }
  return { tokens, targets, lengths };
}
