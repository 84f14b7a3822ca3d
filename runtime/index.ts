/** @file The runtime's public entry, safe in a browser: run programs, start parameters, read and write tensors. */

export * from "./abi.ts";
export { BACKENDS, createExecutable, probeBackends, type Backend, type BackendReport } from "./backends.ts";
export { RuntimeError } from "./errors.ts";
export { bool, elementCount, f32, i32, scalar, scalarValue, zeros } from "./tensors.ts";
export { unpackProgram, type PackedEntry, type PackedProgram } from "./packed.ts";
export { initialParameters, initialState } from "./parameters.ts";
export { keyFor, philox, randomStream, type RandomStream, type Words } from "./random.ts";
export { readSafetensors, writeSafetensors, type SafetensorsFile } from "./safetensors.ts";
export { choose, sample, type SampleOptions } from "./sample.ts";
export type { BatchShape, Objective } from "./train/batch.ts";
export { prepareTraining, type StepEvent, type TrainOptions, type Training, type TrainPlan } from "./train/loop.ts";
export { createProgressMeter, type Progress, type ProgressMeter } from "./train/progress.ts";
export { learningRate, type Schedule } from "./train/schedule.ts";
export { checkSettings, decodeCheckpoint, decodeParameters, encodeCheckpoint, startState, type Checkpoint, type RunSettings, type TrainState } from "./train/state.ts";
export { splitText, textHash, unigramEntropy, type TextSplit } from "./train/text.ts";
