/** @file Runs passes. `checkPass` is the only caller of a pass: it verifies the module before the first and after every
 *  one, times it, and keeps what it says. Modules are immutable, so a dump is the module itself, printed by whoever
 *  wants the text. */

import { diagnostic } from "../ir/codes.ts";
import type { Func, Module } from "../ir/core.ts";
import { DiagnosticError, InternalError } from "../ir/diagnostic.ts";
import { printModule } from "../ir/print.ts";
import { isWithin } from "../ir/stages.ts";
import type { StageName } from "../ir/stages.ts";
import { describeError, printErrors, verify } from "../ir/verify.ts";
import type { AnyPass, OptionValue, PassContext, Remark } from "./pass.ts";

/** A pass with the options it is to run with; the others have their fallbacks. */
export interface Step {
  readonly pass: AnyPass;
  readonly options: Readonly<Record<string, OptionValue>>;
}

export type Pipeline = readonly Step[];

export const step = (pass: AnyPass, options: Readonly<Record<string, OptionValue>> = {}): Step => ({ pass, options });

/** What a pass left behind. */
export interface Snapshot {
  /** Position in the pipeline, from 1; 0 is the module that went in. */
  readonly index: number;
  readonly pass: string;
  readonly module: Module;
  /** A stage that the module satisfies; null for an input that no pass has asked anything of. */
  readonly stage: StageName | null;
  readonly changed: boolean;
}

export interface Timing {
  readonly pass: string;
  readonly runMs: number;
  readonly verifyMs: number;
}

export interface RunOptions {
  /** Keep every pass's module in `snapshots`. */
  readonly snapshots?: boolean;
  /** Called after every pass (and with the input, as index 0): the hook of `--print-ir` and `--dump-ir`. */
  readonly observe?: (snapshot: Snapshot) => void;
  /** Stop after the first pass of this name. */
  readonly stopAfter?: string;
}

export interface RunResult {
  readonly module: Module;
  readonly snapshots: readonly Snapshot[];
  readonly timings: readonly Timing[];
  /** Counts by pass, summed over its runs: `{ canonicalize: { "rule mul-one": 12 } }`. */
  readonly stats: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly remarks: readonly Remark[];
}

interface Checked {
  readonly module: Module;
  readonly timing: Timing;
  readonly remarks: readonly Remark[];
  readonly counts: ReadonlyMap<string, number>;
}

/** An option the pass does not have, or of another type, is the fault of whoever built the pipeline in code. */
const withFallbacks = ({ pass, options }: Step): Readonly<Record<string, OptionValue>> => {
  for (const [key, value] of Object.entries(options)) {
    const known = pass.options[key];
    if (known === undefined) throw new InternalError(`pass ${pass.name} has no option ${key}`);
    if (typeof value !== typeof known.fallback)
      throw new InternalError(`option ${key} of pass ${pass.name} is a ${typeof known.fallback}`);
  }
  const fallbacks = Object.entries(pass.options).map(([key, option]): [string, OptionValue] => [key, option.fallback]);
  return { ...Object.fromEntries(fallbacks), ...options };
};

/** The stage must hold before a pass; if it does not, the input or the order of the passes is at fault, not a pass. */
const requireStage = (module: Module, stage: StageName, pass: AnyPass): void => {
  const errors = verify(module, stage);
  if (errors.length === 0) return;
  const message = `pass \`${pass.name}\` needs a module that is valid at stage \`${stage}\``;
  throw new DiagnosticError([diagnostic("SQ0406", message, { notes: errors.slice(0, 5).map(describeError) })]);
};

/** The stage must hold after a pass; if it does not, the pass is wrong. */
const ensureStage = (module: Module, stage: StageName, pass: AnyPass): void => {
  const errors = verify(module, stage);
  if (errors.length > 0) throw new InternalError(`pass ${pass.name} left an invalid module (stage ${stage}):\n${printErrors(errors)}`);
};

const stageAfter = ({ after }: AnyPass, stage: StageName): StageName => (after === "same" ? stage : after);

const checkPass = (current: Step, module: Module, stage: StageName): Checked => {
  const { pass } = current;
  const remarks: Remark[] = [];
  const counts = new Map<string, number>();
  const ctx: PassContext = {
    remark: ({ message, ...where }) =>
      remarks.push({
        pass: pass.name,
        ...where,
        get message() {
          return typeof message === "string" ? message : message();
        },
      }),
    count: (what, by = 1) => {
      if (by !== 0) counts.set(what, (counts.get(what) ?? 0) + by);
    },
  };
  const options = withFallbacks(current);
  const start = performance.now();
  const result = runOrExplain(pass, module, options, ctx);
  const ran = performance.now();
  const after = stageAfter(pass, stage);
  if (result !== module || !isWithin(stage, after)) ensureStage(result, after, pass);
  const timing = { pass: pass.name, runMs: ran - start, verifyMs: performance.now() - ran };
  return { module: result, timing, remarks, counts };
};

const runOrExplain = (pass: AnyPass, module: Module, options: object, ctx: PassContext): Module => {
  try {
    // AnyPass hides the option type that these values were checked against in `withFallbacks`.
    return pass.run(module, options as never, ctx);
  } catch (error) {
    if (!(error instanceof InternalError)) throw error;
    throw new InternalError(`in pass ${pass.name}: ${error.message}\n${printModule(module)}`);
  }
};

/** Runs the passes in order. Throws `InternalError`, with the IR, where a pass fails or leaves an invalid module. */
export const runPipeline = (input: Module, pipeline: Pipeline, options: RunOptions = {}): RunResult => {
  const snapshots: Snapshot[] = [];
  const see = (snapshot: Snapshot): void => {
    options.observe?.(snapshot);
    if (options.snapshots === true) snapshots.push(snapshot);
  };
  see({ index: 0, pass: "input", module: input, stage: null, changed: true });

  let module = input;
  let stage: StageName | null = null;
  const timings: Timing[] = [];
  const remarks: Remark[] = [];
  const stats: Record<string, Record<string, number>> = {};
  for (const [i, current] of pipeline.entries()) {
    const { pass } = current;
    if (stage === null || !isWithin(stage, pass.before)) {
      requireStage(module, pass.before, pass);
      stage = pass.before;
    }
    const checked = checkPass(current, module, stage);
    stage = stageAfter(pass, stage);
    see({ index: i + 1, pass: pass.name, module: checked.module, stage, changed: checked.module !== module });
    module = checked.module;
    timings.push(checked.timing);
    remarks.push(...checked.remarks);
    const counts = (stats[pass.name] ??= {});
    for (const [what, by] of checked.counts) counts[what] = (counts[what] ?? 0) + by;
    if (pass.name === options.stopAfter) break;
  }
  return { module, snapshots, timings, stats, remarks };
};

/** One function through one pass, for tests and tools that look at a single step. */
export const runOn = (func: Func, current: Step): Func => {
  const module: Module = { name: "one", dims: new Map(), funcs: [func], attrs: {} };
  return runPipeline(module, [current]).module.funcs[0] ?? func;
};
