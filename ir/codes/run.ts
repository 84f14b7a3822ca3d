/** @file SQ06xx: run time: inputs, tensors in files, checkpoints, training data. */

import type { CodeEntry } from "./entry.ts";

export const RUN_CODES = {
  SQ0601: {
    title: "an input is missing",
    explanation: "The entry point needs a tensor of this name: one of its arguments, or a parameter by its path. `subquad inspect FILE` lists them.",
    bad: "subquad run gpt.sq loss --inputs only-tokens.safetensors",
    good: "subquad run gpt.sq loss --inputs tokens-and-targets.safetensors",
  },
  SQ0602: {
    title: "an input has the wrong shape",
    explanation: "Sizes are fixed when the program is compiled. Give a tensor of the size in the message, or compile with another `--dim`.",
    bad: "subquad run gpt.sq loss --inputs t256.safetensors            // the file says: dim T = 512",
    good: "subquad run gpt.sq loss --inputs t256.safetensors --dim T=256",
  },
  SQ0603: {
    title: "an input has the wrong dtype",
    explanation: "Floats are read from F32, F64, F16 and BF16 tensors, integers from I32, I64, U8 and the like, truth values from BOOL. A float tensor is never read as integers.",
    bad: "tokens: F32 [1, 512]",
    good: "tokens: I32 [1, 512]",
  },
  SQ0604: {
    title: "a malformed safetensors file",
    explanation:
      "The header's length, its JSON, or an offset does not agree with the file. It may be cut off, or be of another format. Nothing of it " +
      "was used.",
    bad: "subquad run gpt.sq forward --inputs model.bin",
    good: "subquad run gpt.sq forward --inputs model.safetensors",
  },
  SQ0605: {
    title: "a checkpoint of another model",
    explanation: "The names or shapes of the tensors in the checkpoint are not those of this program. The message lists the differences. Check the file and the `--dim`s it was trained with.",
    bad: "subquad train gpt.sq --resume llama.safetensors",
    good: "subquad train llama.sq --resume llama.safetensors",
  },
  SQ0606: {
    title: "a checkpoint cannot be resumed",
    explanation: "Going on bit for bit needs the optimizer's state, the step and the generator's seed beside the parameters. This file has parameters only, or was written by another version or with other settings.",
    bad: "subquad train gpt.sq --resume weights-only.safetensors",
    good: "subquad train gpt.sq --resume checkpoint.safetensors",
  },
  SQ0607: {
    title: "too little training text",
    explanation: "Text is cut into windows of T + 1 bytes, and a part is held out for evaluation; both parts need at least one batch of windows. Give more text or a smaller T or B.",
    bad: "subquad train gpt.sq --data ten-bytes.txt",
    good: "subquad train gpt.sq --data novel.txt",
  },
  SQ0608: {
    title: "an input that nothing asks for",
    explanation: "A tensor is neither an argument of the entry point nor a parameter. It is refused because it is usually a misspelt name.",
    bad: "inputs: tokens, target",
    good: "inputs: tokens, targets",
  },
  SQ0609: {
    title: "an index is outside of its table",
    explanation: "An integer input that is used to look up rows is negative or not less than the number of rows. The message says where and which value.",
    bad: "tokens: [0, 17, 256]        // V = 256",
    good: "tokens: [0, 17, 255]",
  },
  SQ0610: {
    title: "the loss is not finite",
    explanation: "The loss became NaN or infinite, so the parameters are no longer meaningful. Training stops before a checkpoint is overwritten. Lower the learning rate, warm up longer, or clip the gradient.",
    bad: "optimizer sgd(lr: 100)",
    good: "optimizer sgd(lr: 0.1, clip: 1)",
  },
  SQ0611: {
    title: "the text holds bytes beyond the vocabulary",
    explanation: "The training loop feeds bytes, so the vocabulary of a model trained from text files has at least 256 entries, or the text only bytes below it.",
    bad: "dim V = 100",
    good: "dim V = 256",
  },
  SQ0612: {
    title: "the program takes something that bytes of text are not",
    explanation: "The training loop feeds `tokens` and `targets` (int[B, T]) and, for masked-token training, `lengths` (int[B]); sampling feeds `tokens` and `lengths`. A loss or model with other inputs can be run with `subquad run`, or trained through the TypeScript API.",
    bad: "loss(image: [B, C, W, H], label: int[B]) = …",
    good: "loss(tokens: int[B, T], targets: int[B, T]) = …",
  },
  SQ0613: {
    title: "there is nothing to audit",
    explanation: "`subquad audit` measures how approximate gradients of attention differ from exact ones. The loss of this model depends on no attention: it has none, or what looks like one is not recognised (`subquad compile FILE --remarks` says why).",
    bad: "subquad audit perceptron.sq",
    good: "subquad audit gpt.sq",
  },
  SQ0614: {
    title: "there is nothing to time",
    explanation: "`subquad bench` times entry points of the model and its attention by itself. What was asked for is not there: the model has no attention, or none that its loss depends on. Name other entries, or none for all that there are.",
    bad: "subquad bench perceptron.sq --entries attention",
    good: "subquad bench perceptron.sq --entries grad,step",
  },
  SQ0615: {
    title: "a baseline that is none",
    explanation: "The file is not what `subquad bench --json` writes, or it was edited, or another version wrote it. The message says where it differs. Measure the baseline again.",
    bad: "subquad bench gpt.sq --baseline audit.json",
    good: "subquad bench gpt.sq --baseline before.json",
  },
} as const satisfies Record<string, CodeEntry>;
