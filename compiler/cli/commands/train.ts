/** @file `subquad train`: a model file, text, a progress bar. */

import { Option } from "commander";
import type { AddCommand } from "../command.ts";
import { createProgressLine, duration, percent, short } from "../../../runtime/node/index.ts";
import { train } from "../../node/train.ts";
import type { TrainOptions, TrainResult, TrainStart } from "../../node/train.ts";
import type { Progress } from "../../../runtime/train/progress.ts";
import { bytes as sizeOf } from "../../inspect/table.ts";
import { examples, modelOptions, positiveNumber, positiveWhole, share, THREADS_HELP, wholeNumber, withModelFlags } from "../options.ts";
import type { ModelFlags } from "../options.ts";

interface Flags extends ModelFlags {
  readonly data: readonly string[];
  readonly steps: number;
  readonly backend: string;
  readonly threads?: number;
  readonly seed: number;
  readonly save?: string;
  readonly saveEvery: number;
  readonly resume?: boolean;
  readonly log?: string;
  readonly lr?: number;
  readonly warmup?: number;
  readonly floor?: number;
  readonly evaluateEvery?: number;
  readonly evaluationBatches?: number;
  readonly objective?: "next" | "masked";
}

export const addTrain: AddCommand = (program, io) => {
  withModelFlags(program.command("train"))
    .description("train a model on the bytes of text files; Ctrl-C saves and stops")
    .argument("<file>", "the model (.sq)")
    .requiredOption("--data <paths...>", "text files, folders or patterns")
    .requiredOption("--steps <n>", "steps in all, those before --resume included", positiveWhole)
    .option("--backend <name>", "auto (the fastest of this machine), wasm, wasm:relaxed, wasm:wide, gpujs (the best of gpu.js), gpujs:cpu, gpujs:webasm, gpujs:webgpu, … or interpreter", "auto")
    .option("--threads <n>", THREADS_HELP, positiveWhole)
    .option("--seed <n>", "seed of parameters, batches and dropout", wholeNumber, 0)
    .option("--save <file>", "checkpoint (safetensors), replaced atomically")
    .option("--save-every <n>", "steps between checkpoints", positiveWhole, 100)
    .option("--resume", "go on from the checkpoint at --save")
    .option("--log <file>", "one JSON object a step")
    .option("--lr <x>", "peak learning rate instead of the model's", positiveNumber)
    .option("--warmup <n>", "steps of linear warm-up", wholeNumber)
    .option("--floor <x>", "last learning rate of the cosine as a share of the peak", share)
    .option("--evaluate-every <n>", "steps between held-out losses", positiveWhole)
    .option("--evaluation-batches <n>", "held-out batches of one evaluation", positiveWhole)
    .addOption(new Option("--objective <what>", "what to predict; by default what the loss asks for").choices(["next", "masked"]))
    .addHelpText("after", examples("train model.sq --data texts/ --steps 1000 --save model.safetensors --log run.jsonl", "train model.sq --data 'src/**/*.ts' --steps 1000 --save model.safetensors --resume"))
    .action(async (file: string, flags: Flags) => {
      const interrupt = new AbortController();
      const release = io.onInterrupt(() => interrupt.abort());
      const line = createProgressLine({ isTTY: io.terminal, columns: io.columns, write: io.err }, () => performance.now() / 1000);
      const started = performance.now();
      let last: Progress | null = null;
      try {
        const result = await train({
          ...trainOptions(file, flags),
          signal: interrupt.signal,
          onStart: (start) => io.err(startText(start)),
          onProgress: (progress) => line.show((last = progress)),
        });
        line.done();
        io.err(endText(result, flags, (performance.now() - started) / 1000) + timeText(last));
      } finally {
        release();
      }
    });
};

/** The flags under the names of the API; those that were not given are left out. */
const trainOptions = (file: string, flags: Flags): TrainOptions => {
  const { dim: _dim, format: _format, color: _color, attentionBackward: _all, backward: _some, lr, ...same } = flags;
  return { ...modelOptions(file, flags), ...same, ...(lr === undefined ? {} : { learningRate: lr }) };
};

const startText = ({ program, backend, plan, sites, step }: TrainStart): string => {
  const parameters = program.parameters.reduce((total, { shape }) => total + shape.reduce((a, b) => a * b, 1), 0);
  const { objective, tokens } = plan.shape;
  return [
    `${program.model}: ${parameters.toLocaleString("en")} parameters on ${backend}; ${tokens} tokens a step, objective: ${objective} token`,
    `text: ${sizeOf(plan.trainingBytes)} to train on, ${sizeOf(plan.heldOutBytes)} held out; unigram entropy ${plan.unigramEntropy.toFixed(4)} nats a byte`,
    ...(sites.rewritten + sites.exact > 0 ? [sitesText(sites)] : []),
    ...(step > 0 ? [`resuming after step ${step}`] : []),
    "",
  ].join("\n");
};

const sitesText = ({ rewritten, exact }: TrainStart["sites"]): string =>
  `gradient of attention: rewritten at ${rewritten} of ${rewritten + exact} sites with a policy${exact === 0 ? "" : "; `compile --why-not` says why not at the others"}`;

/** Where the time went; nothing where the backend cannot tell. */
const timeText = (progress: Progress | null): string => {
  if (progress?.parts === undefined) return "";
  const { attention, attention_vjp: gradient, rest } = progress.parts;
  const speed = `${short(progress.tokensPerSecond)} tokens/s`;
  return `${speed}; time of kernels: attention ${percent(attention)}, its gradient ${percent(gradient)}, the rest ${percent(rest)}\n`;
};

const endText = ({ state, heldOutLoss, plan, stopped }: TrainResult, flags: Flags, seconds: number): string => {
  const entropy = plan.unigramEntropy.toFixed(4);
  const loss = heldOutLoss === null ? "" : `held-out loss ${heldOutLoss.toFixed(4)} (unigram entropy ${entropy}); `;
  const saved = flags.save === undefined ? "" : `; checkpoint in ${flags.save}`;
  const again = stopped && flags.save !== undefined ? "; --resume goes on" : "";
  return `${stopped ? "stopped" : "done"} after step ${state.step}: ${loss}${duration(seconds)}${saved}${again}\n`;
};
