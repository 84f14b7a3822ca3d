/** @file How a run is doing: smoothed loss, tokens a second, where the time goes, time to go. The clock is an argument. */

import type { PartSeconds } from "../abi.ts";
import type { StepEvent } from "./loop.ts";

export interface Progress {
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
  readonly smoothedLoss: number;
  readonly tokensPerSecond: number;
  readonly secondsLeft: number;
  readonly heldOutLoss: number | null;
  /** Mean over sites of the share of heads that a guard made run exactly; absent where no gradient has a guard. */
  readonly guarded?: number;
  /** Shares of the time of all steps so far, by part of the model, which sum to 1; absent where the backend cannot tell. */
  readonly parts?: PartSeconds;
}

/** Losses are averaged with this weight on the past, corrected for the start (as Adam does). */
const SMOOTHING = 0.95;

export interface ProgressMeter {
  update(event: Pick<StepEvent, "step" | "loss" | "heldOutLoss" | "guarded" | "seconds">): Progress;
}

/** Each part's share of the sum; null where there is no time to share. */
export function sharesOf(seconds: PartSeconds): PartSeconds | null {
  const all = Object.values(seconds).reduce((sum, part) => sum + part, 0);
  if (!(all > 0)) return null;
  return Object.fromEntries(Object.entries(seconds).map(([part, own]) => [part, own / all])) as PartSeconds;
}

/** @param tokens of one step. @param now seconds on a steady clock. @param from steps done before. */
export function createProgressMeter(steps: number, tokens: number, now: () => number, from = 0): ProgressMeter {
  const start = now();
  let average = 0;
  let weight = 0;
  let heldOutLoss: number | null = null;
  let spent: PartSeconds = { attention: 0, attention_vjp: 0, rest: 0 };
  return {
    update: (event) => {
      average = SMOOTHING * average + (1 - SMOOTHING) * event.loss;
      weight = SMOOTHING * weight + (1 - SMOOTHING);
      heldOutLoss = event.heldOutLoss ?? heldOutLoss;
      const stepsDone = event.step - from;
      const seconds = Math.max(1e-9, now() - start);
      const shares = Object.values(event.guarded ?? {});
      if (event.seconds !== undefined) spent = sumOf(spent, event.seconds);
      const parts = sharesOf(spent);
      return {
        step: event.step,
        steps,
        loss: event.loss,
        smoothedLoss: average / weight,
        tokensPerSecond: (stepsDone * tokens) / seconds,
        secondsLeft: (seconds / stepsDone) * (steps - event.step),
        heldOutLoss,
        ...(shares.length === 0 ? {} : { guarded: shares.reduce((sum, share) => sum + share, 0) / shares.length }),
        ...(parts === null ? {} : { parts }),
      };
    },
  };
}

function sumOf(a: PartSeconds, b: PartSeconds): PartSeconds {
  return { attention: a.attention + b.attention, attention_vjp: a.attention_vjp + b.attention_vjp, rest: a.rest + b.rest };
}
