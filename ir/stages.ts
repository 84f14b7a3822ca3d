/** @file Stages: which ops may appear when. The verifier checks membership after every pass.
 *
 *  model      what the language says: no derivative of a whole op, no optimizer
 *  gradient   adds the `_vjp` ops and the optimizer's updates
 *  kernel     what the lowering to kernels accepts: the ops that nothing simpler expresses
 *  native     adds what a backend may compute whole
 *
 *  Membership follows from the op records, so that a new op is in the right stages by being what it is. */

import type { AnyOp } from "./core.ts";
import { OPS } from "./ops/index.ts";

export type StageName = "model" | "gradient" | "native" | "kernel";

export const STAGE_NAMES: readonly StageName[] = ["model", "gradient", "native", "kernel"];

const isVjp = (op: AnyOp): boolean => /_vjp(_|$)/.test(op.mnemonic);

/** The optimizer's updates are the ops that take a learning rate. */
const isUpdate = (op: AnyOp): boolean => op.operands.includes("lr");

export const STAGES: Readonly<Record<StageName, ReadonlySet<AnyOp>>> = {
  model: new Set(OPS.filter((op) => !isVjp(op) && !isUpdate(op))),
  gradient: new Set(OPS),
  native: new Set(OPS.filter((op) => op.expand === null || op.whole !== undefined)),
  kernel: new Set(OPS.filter((op) => op.expand === null)),
};

/** Does every op of `stage` belong to `wanted`? */
export const isWithin = (stage: StageName, wanted: StageName): boolean => [...STAGES[stage]].every((op) => STAGES[wanted].has(op));
