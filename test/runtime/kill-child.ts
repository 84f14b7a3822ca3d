/** @file A training process to be killed: a checkpoint after every step, a log line as well, as fast as it can. */

import { createExecutable } from "../../runtime/backends.ts";
import { train } from "../../runtime/node/train.ts";
import { bigram, plainText } from "./bigram.ts";

const [folder, resume] = process.argv.slice(2) as [string, string];
const program = bigram();
const executable = await createExecutable(program, "gpujs:cpu");
const options = { steps: 100_000, seed: 3, warmup: 10, evaluateEvery: 1000, evaluationBatches: 1 };
const files = { save: `${folder}/ck`, log: `${folder}/log.jsonl`, saveEvery: 1, resume: resume === "resume" };
await train(program, executable, plainText(1000), options, files, { onProgress: ({ step }) => process.stdout.write(`${step}\n`) });
