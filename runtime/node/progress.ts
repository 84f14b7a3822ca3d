/** @file A run on the terminal: one line that is rewritten, or, where nobody watches, a line every few seconds. */

import type { Progress } from "../train/progress.ts";

/** What is needed of `process.stderr`. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface ProgressLine {
  show(progress: Progress): void;
  /** Leaves the last state standing and goes to the next line. */
  done(): void;
}

const REDRAW_SECONDS = 0.1;
const PLAIN_SECONDS = 5;
const CLEAR_LINE = "\r\u001b[2K";

/** @param now seconds on a steady clock. */
export function createProgressLine(stream: ProgressStream, now: () => number): ProgressLine {
  const tty = stream.isTTY === true;
  const interval = tty ? REDRAW_SECONDS : PLAIN_SECONDS;
  let shownAt = -Infinity;
  let shown: Progress | null = null;
  let latest: Progress | null = null;
  const draw = (progress: Progress): void => {
    shown = progress;
    shownAt = now();
    stream.write(tty ? CLEAR_LINE + barLine(progress, stream.columns ?? 80) : `${facts(progress).join("  ")}\n`);
  };
  return {
    show: (progress) => {
      latest = progress;
      if (now() - shownAt >= interval || progress.step === progress.steps) draw(progress);
    },
    done: () => {
      if (latest !== null && latest !== shown) draw(latest);
      if (tty && latest !== null) stream.write("\n");
    },
  };
}

/** `step  412/1000 ███████░░░░  loss 2.1034  held out 2.2001  18.3k tokens/s  1m 20s left`, cut to the terminal. */
export function barLine(progress: Progress, columns: number): string {
  const [steps, ...rest] = facts(progress) as [string, ...string[]];
  const text = rest.join("  ");
  const width = Math.min(30, columns - steps.length - text.length - 6);
  if (width < 5) return [steps, ...rest].join("  ").slice(0, Math.max(0, columns - 1));
  const filled = Math.round((width * progress.step) / progress.steps);
  return `${steps}  ${"█".repeat(filled)}${"░".repeat(width - filled)}  ${text}`;
}

function facts(progress: Progress): string[] {
  const { step, steps, smoothedLoss, heldOutLoss, guarded, tokensPerSecond, secondsLeft, parts } = progress;
  return [
    `step ${String(step).padStart(String(steps).length)}/${steps}`,
    `loss ${smoothedLoss.toFixed(4)}`,
    ...(heldOutLoss === null ? [] : [`held out ${heldOutLoss.toFixed(4)}`]),
    ...(guarded === undefined ? [] : [`${Math.round(100 * guarded)} % of heads exact`]),
    `${short(tokensPerSecond)} tokens/s`,
    `${duration(secondsLeft)} left`,
    ...(parts === undefined || parts.rest === 1 ? [] : [`attention ${percent(parts.attention)} + ${percent(parts.attention_vjp)} of the time`]),
  ];
}

export function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}

export function short(count: number): string {
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)}M`;
  return count >= 1e3 ? `${(count / 1e3).toFixed(1)}k` : count.toFixed(0);
}

/** `45s`, `3m 20s`, `2h 05m`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (hours > 0) return `${hours}h ${String(minutes).padStart(2, "0")}m`;
  return minutes > 0 ? `${minutes}m ${String(rest).padStart(2, "0")}s` : `${rest}s`;
}
