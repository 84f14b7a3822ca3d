/** @file Stages: which ops may appear when. The verifier checks membership after every pass.
 *
 *  model      what the language says: no derivative of a whole op, no optimizer
 *  gradient   adds the `_vjp` ops and the optimizer's updates
 *  kernel     what the lowering to kernels accepts: the ops that nothing simpler expresses
 *
 *  Membership follows from the op records, so that a new op is in the right stages by being what it is. */

import type { AnyOp } from "./core.ts";
import { OPS } from "./ops/index.ts";
import * as optimizer from "./ops/optimizer.ts";

export type StageName = "model" | "gradient" | "kernel";

const UPDATES: ReadonlySet<AnyOp> = new Set<AnyOp>(Object.values(optimizer));

export const STAGES: Readonly<Record<StageName, ReadonlySet<AnyOp>>> = {
  model: new Set(OPS.filter((op) => !op.mnemonic.endsWith("_vjp") && !UPDATES.has(op))),
  gradient: new Set(OPS),
  kernel: new Set(OPS.filter((op) => op.expand === null)),
};

export const STAGE_NAMES: readonly StageName[] = ["model", "gradient", "kernel"];
