/** @file The log of a run: one JSON object a line, one line a step, in step order whatever was killed and resumed. */

import { closeSync, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import type { PartSeconds } from "../abi.ts";
import { reasonOf, RuntimeError } from "../errors.ts";
import type { StepEvent } from "../train/loop.ts";
import { sharesOf } from "../train/progress.ts";
import { writeAtomically } from "./checkpoint.ts";

export interface StepLog {
  write(event: StepEvent, seconds: number): void;
  close(): void;
}

/** Opens the log to go on after `step`: later lines (of a run that was killed past its checkpoint) and anything that is
 *  not a line of a log are cut off.
 *  @throws RuntimeError SQ0011. */
export function openLog(path: string, step: number): StepLog {
  const kept = step > 0 && existsSync(path) ? linesUpTo(readFileSync(path, "utf8"), step) : [];
  writeAtomically(path, new TextEncoder().encode(kept.map((line) => `${line}\n`).join("")));
  let file: number;
  try {
    file = openSync(path, "a");
  } catch (thrown) {
    throw new RuntimeError("SQ0011", `cannot write \`${path}\`: ${reasonOf(thrown)}`, undefined, thrown);
  }
  return {
    write: (event, seconds) => void writeSync(file, `${JSON.stringify(lineOf(event, seconds))}\n`),
    close: () => closeSync(file),
  };
}

function lineOf(event: StepEvent, seconds: number): Record<string, unknown> {
  return {
    step: event.step,
    loss: event.loss,
    learning_rate: event.learningRate,
    gradient_norm: event.gradientNorm,
    held_out_loss: event.heldOutLoss,
    guarded: event.guarded,
    parts: event.seconds === undefined ? undefined : roundedShares(event.seconds),
    seconds: Math.round(seconds * 1e4) / 1e4,
  };
}

function roundedShares(seconds: PartSeconds): Record<string, number> | undefined {
  const shares = sharesOf(seconds);
  return shares === null ? undefined : Object.fromEntries(Object.entries(shares).map(([part, share]) => [part, Math.round(share * 1e4) / 1e4]));
}

function linesUpTo(text: string, step: number): string[] {
  return text.split("\n").filter((line) => {
    try {
      const { step: at } = JSON.parse(line) as { readonly step?: unknown };
      return typeof at === "number" && at <= step;
    } catch {
      return false;
    }
  });
}
