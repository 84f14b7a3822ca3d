/** @file The part of the runtime that only Node has: files, the terminal, the optional WebGPU package. */

export { readBytes, writeAtomically } from "./checkpoint.ts";
export { createProgressLine, duration, percent, short, type ProgressLine, type ProgressStream } from "./progress.ts";
export { readText } from "./text.ts";
export { train, type TrainFiles, type TrainOutcome, type TrainWatcher } from "./train.ts";
export { installWebGpu } from "./webgpu.ts";
