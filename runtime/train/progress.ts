/** @file How a run is doing: smoothed loss, tokens a second, time to go. The clock is an argument. */

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
}

/** Losses are averaged with this weight on the past, corrected for the start (as Adam does). */
const SMOOTHING = 0.95;

export interface ProgressMeter {
  update(event: { readonly step: number; readonly loss: number; readonly heldOutLoss?: number; readonly guarded?: Readonly<Record<string, number>> }): Progress;
}

/** @param tokens of one step. @param now seconds on a steady clock. @param from steps done before. */
export function createProgressMeter(steps: number, tokens: number, now: () => number, from = 0): ProgressMeter {
  const start = now();
  let average = 0;
  let weight = 0;
  let heldOutLoss: number | null = null;
  return {
    update: (event) => {
      average = SMOOTHING * average + (1 - SMOOTHING) * event.loss;
      weight = SMOOTHING * weight + (1 - SMOOTHING);
      heldOutLoss = event.heldOutLoss ?? heldOutLoss;
      const stepsDone = event.step - from;
      const seconds = Math.max(1e-9, now() - start);
      const shares = Object.values(event.guarded ?? {});
      return {
        step: event.step,
        steps,
        loss: event.loss,
        smoothedLoss: average / weight,
        tokensPerSecond: (stepsDone * tokens) / seconds,
        secondsLeft: (seconds / stepsDone) * (steps - event.step),
        heldOutLoss,
        ...(shares.length === 0 ? {} : { guarded: shares.reduce((sum, share) => sum + share, 0) / shares.length }),
      };
    },
  };
}
