/** @file Stages: which ops may appear when. `model` is what the language says; `gradient` adds derivative and optimizer
 *  ops; `kernel` is what the lowering to kernels accepts. The verifier checks membership after every pass. */

export type StageName = "model" | "gradient" | "kernel";
