/** @file One form at one size: the model compiled, its entry points and its attention ready to be called. */

import type { Func, Module } from "../../ir/core.ts";
import { costOfFunc } from "../../ir/cost.ts";
import * as poly from "../../ir/poly.ts";
import { makeStep } from "../../passes/make-step.ts";
import { rewriteAttentionBackward } from "../../passes/attention/rewrite-backward.ts";
import { runPipeline, step } from "../../passes/run.ts";
import type { AnyProgram, Entry, Executable, Tensors } from "../../runtime/abi.ts";
import { RuntimeError } from "../../runtime/errors.ts";
import { ATTENTION, ATTENTION_MODEL } from "../bench/attention-model.ts";
import { attentionParts } from "../bench/attention-parts.ts";
import type { AttentionParts } from "../bench/attention-parts.ts";
import type { Form } from "../bench/forms.ts";
import type { Subject } from "../bench/measure.ts";
import type { BenchResult } from "../bench/schema.ts";
import { compile as compileSource, lowerTo } from "../driver.ts";
import type { Compiled } from "../driver.ts";
import { compile } from "./compile.ts";
import type { ModelOptions } from "./compile.ts";
import { openBackend, resolveBackend, targetOf } from "./execute.ts";
import { completeInputs } from "./run.ts";

/** What `entries` names: entry points, and `attention` for its forward and backward by themselves. */
export const TIMED = ["forward", "loss", "grad", "step", ATTENTION] as const;
export type Timed = (typeof TIMED)[number];

export interface PointTask {
  readonly options: ModelOptions;
  readonly dims: Readonly<Record<string, number>>;
  readonly form: Form;
  /** null: all that there is. */
  readonly entries: readonly Timed[] | null;
  readonly backend: string;
  readonly threads: number | null;
  readonly seed: number;
  /** Seconds of what the executable has computed. */
  readonly clockFor: (executable: Executable) => () => number;
}

export interface PointSubject extends Subject, Pick<BenchResult, "entry" | "site" | "sites" | "flops" | "arenaBytes" | "tokens"> {}

export interface Point {
  readonly model: string;
  readonly dims: Readonly<Record<string, number>>;
  readonly backend: string;
  readonly subjects: readonly PointSubject[];
  readonly notes: readonly string[];
  readonly destroy: () => void;
}

/** @throws DiagnosticError the model's mistakes; RuntimeError SQ0706 an entry that it has not, SQ0614 nothing to time, SQ07xx backends. */
export const preparePoint = async (task: PointTask): Promise<Point> => {
  const { module, missed } = await gradientOf(task);
  const whole = wholeEntries(module, task);
  const cuts = cutAttention(module, task);
  const funcs = [...whole, ...(cuts === null ? [] : [cuts.prepare, ...cuts.parts.flatMap(({ forward, backward }) => [forward, ...(backward === null ? [] : [backward])])])];
  if (funcs.length === 0) throw new RuntimeError("SQ0614", `\`${module.name}\` has nothing that was asked for`);
  const { program, executable } = await load({ ...module, funcs }, task);
  try {
    const run = { module, program, executable, now: task.clockFor(executable) };
    const subjects = [...whole.map((func) => entrySubject(run, func, task.seed)), ...(cuts === null ? [] : await attentionSubjects(run, cuts, task.seed))];
    return { model: module.name, dims: Object.fromEntries(module.dims), backend: executable.backend, subjects, notes: missed, destroy: () => executable.destroy() };
  } catch (error) {
    executable.destroy();
    throw error;
  }
};

/** The model with its gradient and its training step, attention whole. */
const gradientOf = async ({ options, dims, form }: PointTask): Promise<{ readonly module: Module; readonly missed: readonly string[] }> => {
  const compiled = await compileAny({
    ...options,
    dims: { ...options.dims, ...dims },
    backward: [...(options.backward ?? []), ...(form.rule === null ? [] : [{ pattern: "**", policy: form.rule }])],
  });
  const missed = compiled.remarks.filter(({ pass, kind }) => pass === rewriteAttentionBackward.name && kind === "missed");
  const notes = missed.map(({ path, message }) => `${form.name} is not what ${path === "" ? "the model" : path} does: ${message}`);
  const { gradient } = compiled;
  const hasGradient = gradient.funcs.some(({ name }) => name === "grad");
  return { module: hasGradient ? runPipeline(gradient, [step(makeStep)]).module : gradient, missed: notes };
};

const compileAny = (options: ModelOptions): Promise<Compiled> | Compiled => {
  const stopAfter = rewriteAttentionBackward.name;
  if (options.file !== ATTENTION) return compile({ ...options, stopAfter });
  const { statistics: _, ...others } = options;
  return compileSource({ ...others, text: ATTENTION_MODEL, readImport: () => null, stopAfter });
};

const wholeEntries = (module: Module, { options, entries }: PointTask): readonly Func[] => {
  const wanted = entries ?? (options.file === ATTENTION ? [] : TIMED.filter((name) => name !== "loss" && module.funcs.some((func) => func.name === name)));
  return wanted.filter((name) => name !== ATTENTION).map((name) => {
    const found = module.funcs.find((func) => func.name === name);
    if (found !== undefined) return found;
    throw new RuntimeError("SQ0706", `\`${module.name}\` has no entry point \`${name}\``, `it has: ${module.funcs.map((func) => func.name).join(", ")}`);
  });
};

/** null where attention is not asked for, or not there and not named. */
const cutAttention = (module: Module, { entries }: PointTask): AttentionParts | null => {
  if (entries !== null && !entries.includes(ATTENTION)) return null;
  const func = module.funcs.find(({ name }) => name === "grad") ?? module.funcs.find(({ name }) => name === "forward");
  const cuts = func === undefined ? null : attentionParts(func);
  if (cuts !== null && cuts.parts.length > 0) return cuts;
  if (entries === null) return null;
  throw new RuntimeError("SQ0614", `\`${module.name}\` has no attention to time by itself`, "leave `attention` out of the entries");
};

interface Run {
  readonly module: Module;
  /** Entries with their plans of memory; the interpreter has none. */
  readonly program: AnyProgram;
  readonly executable: Executable;
  readonly now: () => number;
}

const load = async (module: Module, { backend, threads }: PointTask): Promise<Pick<Run, "program" | "executable">> => {
  const name = resolveBackend(backend);
  const program = lowerTo(module, targetOf(name));
  return { program, executable: await openBackend(name, threads ?? undefined, () => program, () => module) };
};

const flopsOf = (func: Func, { dims }: Module): number => poly.evaluate(costOfFunc(func).flops, dims);

const entryOf = ({ program }: Run, name: string): Entry => program.entries[name] as Entry;

const entrySubject = (run: Run, func: Func, seed: number): PointSubject => {
  const entry = entryOf(run, func.name);
  const { all } = completeInputs(run.program, entry, undefined, seed);
  const tokens = entry.inputs.find(({ name, dtype }) => name === "tokens" && dtype === "i32");
  return {
    entry: func.name as Exclude<Timed, typeof ATTENTION>,
    site: null,
    sites: 1,
    flops: flopsOf(func, run.module),
    arenaBytes: entry.arenaBytes,
    tokens: tokens === undefined ? null : tokens.shape.reduce((product, size) => product * size, 1),
    run: async () => void (await run.executable.run(func.name, all)),
    now: run.now,
  };
};

/** Runs `prepare`, and every forward part once: what the backward parts take in. */
const attentionSubjects = async (run: Run, { prepare, parts }: AttentionParts, seed: number): Promise<readonly PointSubject[]> => {
  const { all } = completeInputs(run.program, entryOf(run, prepare.name), undefined, seed);
  const known: Record<string, Tensors[string]> = { ...all, ...(prepare.results.length === 0 ? {} : await run.executable.run(prepare.name, all)) };
  const subjects: PointSubject[] = [];
  for (const { sites, forward, backward } of parts) {
    const made = partSubject(run, forward, "attention forward", sites, known);
    subjects.push(made);
    if (backward === null) continue;
    Object.assign(known, await run.executable.run(forward.name, pick(forward, known)));
    subjects.push(partSubject(run, backward, "attention backward", sites, known));
  }
  return subjects;
};

const pick = ({ params }: Func, known: Tensors): Tensors => Object.fromEntries(params.map(({ name }) => [name, known[name] as Tensors[string]]));

const partSubject = (run: Run, func: Func, entry: PointSubject["entry"], sites: readonly string[], known: Tensors): PointSubject => {
  const inputs = pick(func, known);
  return {
    entry,
    site: sites[0] ?? "",
    sites: sites.length,
    flops: flopsOf(func, run.module),
    arenaBytes: entryOf(run, func.name).arenaBytes,
    tokens: null,
    run: async () => void (await run.executable.run(func.name, inputs)),
    now: run.now,
  };
};
