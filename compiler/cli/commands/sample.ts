/** @file `subquad sample`: text from a trained model, as it is drawn. */

import type { AddCommand } from "../command.ts";
import { sample } from "../../node/sample.ts";
import { examples, modelOptions, positiveWhole, THREADS_HELP, wholeNumber, withModelFlags } from "../options.ts";
import type { ModelFlags } from "../options.ts";
import { InvalidArgumentError } from "commander";

interface Flags extends ModelFlags {
  readonly checkpoint: string;
  readonly prompt: string;
  readonly bytes: number;
  readonly seed: number;
  readonly temperature: number;
  readonly topK?: number;
  readonly backend: string;
  readonly threads?: number;
}

const temperature = (text: string): number => {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < 0) throw new InvalidArgumentError("it must be a number, 0 or more.");
  return value;
};

export const addSample: AddCommand = (program, io) => {
  withModelFlags(program.command("sample"))
    .description("write text with a trained model of bytes")
    .argument("<file>", "the model (.sq)")
    .requiredOption("--checkpoint <file>", "safetensors with the parameters, as `train --save` writes it")
    .option("--prompt <text>", "text to continue", "")
    .option("--bytes <n>", "how many bytes to draw", positiveWhole, 256)
    .option("--temperature <x>", "logits are divided by it; 0 takes the likeliest byte every time", temperature, 0.8)
    .option("--top-k <k>", "draw only from the k likeliest bytes", positiveWhole)
    .option("--seed <n>", "seed of the draws", wholeNumber, 0)
    .option("--backend <name>", "auto (the fastest of this machine), wasm, wasm:relaxed, wasm:wide, gpujs (the best of gpu.js), gpujs:cpu, gpujs:webasm, gpujs:webgpu, … or interpreter", "auto")
    .option("--threads <n>", THREADS_HELP, positiveWhole)
    .addHelpText("after", examples("sample model.sq --checkpoint model.safetensors", "sample model.sq --checkpoint model.safetensors --prompt \"Once\" --bytes 500 --temperature 0.7 --top-k 20"))
    .action(async (file: string, flags: Flags) => {
      const { checkpoint, prompt, bytes, seed, topK, backend, threads } = flags;
      const options = { checkpoint, prompt, bytes, seed, backend, temperature: flags.temperature, ...(threads === undefined ? {} : { threads }) };
      let before = prompt; // with the first piece: a run that fails at once writes nothing
      for await (const text of sample({ ...modelOptions(file, flags), ...options, ...(topK === undefined ? {} : { topK }) })) {
        io.out(before + text);
        before = "";
      }
      io.out("\n");
    });
};
