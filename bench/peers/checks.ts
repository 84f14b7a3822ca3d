/** @file What must hold before anything is timed: attention and its gradient against loops in float64, training by the losses
 *  of the first steps from the same parameters on the same batches. */

import type { Action, AttentionTask } from "./contract.ts";
import { attentionInputs } from "./inputs.ts";
import { attentionByLoops, relativeError, type Reference } from "./reference.ts";
import type { Opened, Side } from "./sides.ts";

/** Relative, in the Euclidean norm: float32 sums of thousands of terms. */
export const RESULT_TOLERANCE = 1e-5;
/** Of losses, after `--check-steps` steps. */
export const LOSS_TOLERANCE = 1e-4;

export interface Check {
  /** `out`, `dq`, …; or `loss`. */
  readonly what: string;
  readonly error: number;
  /** Null where an approximation was asked for: the error is its own. */
  readonly limit: number | null;
}

export const passes = ({ error, limit }: Check): boolean => limit === null || error <= limit;

const isExact = ({ form }: Side): boolean => form === null || form === "exact";

const decode = (text: string): Float32Array => new Float32Array(Uint8Array.from(Buffer.from(text, "base64")).buffer);

/** All heads of short sequences; of long ones the last, since a head's loops take length² time. */
const headsOf = ({ heads, length }: AttentionTask): readonly number[] => (length <= 1024 ? Array.from({ length: heads }, (_, head) => head) : [heads - 1]);

export type References = ReadonlyMap<number, Reference>;

export const referencesFor = (task: AttentionTask): References => {
  const inputs = attentionInputs(task);
  return new Map(headsOf(task).map((head) => [head, attentionByLoops(task, inputs, head)]));
};

const RESULTS: Readonly<Record<Action, readonly (keyof Reference)[]>> = { forward: ["out"], gradient: ["dq", "dk", "dv"], step: [] };

/** The largest error over the heads of what an action gives. */
export const checkAttention = async ({ host, side }: Opened, action: Action, references: References): Promise<readonly Check[]> => {
  const worst = new Map<string, number>();
  for (const [head, reference] of references) {
    const results = await host.call<"results">({ call: "results", action, head });
    for (const what of RESULTS[action]) {
      const error = relativeError(decode(results[what] ?? ""), reference[what]);
      worst.set(what, Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst.get(what) ?? 0, error));
    }
  }
  return [...worst].map(([what, error]) => ({ what, error, limit: what === "out" || isExact(side) ? RESULT_TOLERANCE : null }));
};

/** The losses of a side's first steps. */
export const firstLosses = async ({ host }: Opened, steps: number): Promise<readonly number[]> =>
  (await host.call<"run">({ call: "run", action: "step", times: steps, milliseconds: 0, clock: "wall" })).values;

/** The largest distance between two lists of losses. */
export const checkLosses = (side: Side, losses: readonly number[], expected: readonly number[]): Check => ({
  what: "loss",
  error: losses.reduce((most, loss, i) => Math.max(most, Number.isNaN(loss) ? Number.POSITIVE_INFINITY : Math.abs(loss - (expected[i] ?? Number.NaN))), 0),
  limit: isExact(side) ? LOSS_TOLERANCE : null,
});
