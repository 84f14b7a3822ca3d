/** @file The learning rate of every step: linear warm-up, then a cosine down to a share of the peak (Loshchilov and
 *  Hutter, "SGDR", 2017, one cycle). */

export interface Schedule {
  readonly peak: number;
  readonly warmup: number;
  readonly steps: number;
  /** The last step's rate, as a share of the peak. */
  readonly floor: number;
}

/** Rate of `step`, counted from 1. */
export function learningRate({ peak, warmup, steps, floor }: Schedule, step: number): number {
  if (step <= warmup) return (peak * step) / warmup;
  const progress = Math.min(1, (step - warmup) / Math.max(1, steps - warmup));
  return peak * (floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress)));
}
