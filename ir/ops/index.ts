/** @file The registry: every op there is, once. A family file exports ops and nothing else; listing it here (both places)
 *  is all it takes to register them. Family files import each other directly, never this file, which would be a cycle. */

import type { AnyOp } from "../core.ts";
import * as elementwise from "./elementwise.ts";
import * as logic from "./logic.ts";
import * as constant from "./constant.ts";
import * as reduce from "./reduce.ts";
import * as shape from "./shape.ts";
import * as barrier from "./barrier.ts";
import * as dynamicSlice from "./dynamic-slice.ts";
import * as cumsum from "./cumsum.ts";
import * as bucket from "./bucket.ts";
import * as gather from "./gather.ts";
import * as take from "./take.ts";
import * as sortedRuns from "./sorted-runs.ts";
import * as transposeKept from "./transpose-kept.ts";
import * as segment from "./segment.ts";
import * as contract from "./contract.ts";
import * as random from "./random.ts";
import * as sample from "./sample.ts";
import * as monomials from "./monomials.ts";
import * as features from "./features.ts";
import * as softmax from "./softmax.ts";
import * as crossEntropy from "./cross-entropy.ts";
import * as attention from "./attention.ts";
import * as attentionSampled from "./attention-sampled.ts";
import * as attentionLowrank from "./attention-lowrank.ts";
import * as optimizer from "./optimizer.ts";

export * from "./elementwise.ts";
export * from "./logic.ts";
export * from "./constant.ts";
export * from "./reduce.ts";
export * from "./shape.ts";
export * from "./barrier.ts";
export * from "./dynamic-slice.ts";
export * from "./cumsum.ts";
export * from "./bucket.ts";
export * from "./gather.ts";
export * from "./take.ts";
export * from "./sorted-runs.ts";
export * from "./transpose-kept.ts";
export * from "./segment.ts";
export * from "./contract.ts";
export * from "./random.ts";
export * from "./sample.ts";
export * from "./monomials.ts";
export * from "./features.ts";
export * from "./softmax.ts";
export * from "./cross-entropy.ts";
export * from "./attention.ts";
export * from "./attention-sampled.ts";
export * from "./attention-lowrank.ts";
export * from "./optimizer.ts";

const FAMILIES: readonly Readonly<Record<string, AnyOp>>[] = [
  elementwise, logic, constant, reduce, shape, barrier, dynamicSlice, cumsum, bucket, gather, take, sortedRuns, transposeKept, segment,
  contract, random, sample,
  monomials, features, softmax, crossEntropy, attention, attentionSampled, attentionLowrank, optimizer,
];

export const OPS: readonly AnyOp[] = FAMILIES.flatMap((family) => Object.values(family));

const BY_NAME: ReadonlyMap<string, AnyOp> = new Map(OPS.map((op) => [op.mnemonic, op]));

/** The op called `sq.<mnemonic>` in the textual form. */
export const opByName = (mnemonic: string): AnyOp | undefined => BY_NAME.get(mnemonic);
