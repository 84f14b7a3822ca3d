/** @file How wrong the approximate gradients of a model are, measured: on held-out text, with the parameters of a checkpoint. */

import type { Param } from "../../ir/core.ts";
import * as poly from "../../ir/poly.ts";
import type { HostTensor, ProgramHead, Tensors } from "../../runtime/abi.ts";
import { RuntimeError } from "../../runtime/errors.ts";
import { decodeParameters, initialParameters } from "../../runtime/index.ts";
import { readBytes, readText } from "../../runtime/node/index.ts";
import { keptMap } from "../audit/kept-map.ts";
import type { KeptMap } from "../audit/kept-map.ts";
import type { Approximation } from "../audit/approximations.ts";
import { leading } from "../audit/leading.ts";
import type { AuditReport } from "../audit/schema.ts";
import { auditCosts } from "./audit-cost.ts";
import { auditAt } from "./audit-length.ts";
import type { AuditSettings, LengthOutcome } from "./audit-length.ts";
import type { Dims } from "./audit-model.ts";
import { compile } from "./compile.ts";
import type { ModelOptions } from "./compile.ts";
import { AUTO, programOf } from "./execute.ts";
import type { BackendOptions } from "./execute.ts";

export interface AuditOptions extends ModelOptions, BackendOptions {
  /** Parameters (safetensors), as `train --save` writes them; without one, the model as it starts. */
  readonly checkpoint?: string;
  /** Text files, folders or patterns; their last tenth is used. Without any, tokens are drawn. */
  readonly data?: readonly string[];
  /** Values of c; 8, 16, 27, 64 unless given. */
  readonly cs?: readonly number[];
  /** Degrees of polynomials; 0, 1, 2, 4 unless given. */
  readonly degrees?: readonly number[];
  /** Values of the dimension T to repeat everything at; the model's own unless given. */
  readonly lengths?: readonly number[];
  /** Held-out sequences; 24 unless given. */
  readonly sequences?: number;
  /** Sequences that the statistics of heads are taken over; 8 unless given. */
  readonly headSequences?: number;
  /** Sampled gradients a sequence and c; 2 unless given, 0 for statistics of heads only. */
  readonly draws?: number;
  readonly seed?: number;
  /** Is told what has been done. */
  readonly onProgress?: (message: string) => void;
}

/** The dimension that `lengths` replaces, and the one that counts sequences. */
const [LENGTH, BATCH] = ["T", "B"];

/** Cells of a kept map along an axis. */
const MAP_CELLS = 64;

/** @throws DiagnosticError for the model's mistakes; RuntimeError SQ0605 a checkpoint that does not fit, SQ0607 too little text,
 *  SQ0612 inputs that are not text, SQ0613 nothing to audit, SQ0007 settings out of range, SQ07xx backends. */
export const audit = async (options: AuditOptions): Promise<AuditReport> => {
  const settings = settingsOf(options);
  const model = modelOf(options);
  const program = programOf(await compile(model));
  const parameters = options.checkpoint === undefined ? initialParameters(program, settings.seed) : decodeParameters(program, readBytes(options.checkpoint));
  const text = options.data === undefined ? null : readText(options.data);
  const one: Dims = program.dims[BATCH] === undefined || options.dims?.[BATCH] !== undefined ? {} : { [BATCH]: 1 };
  const outcomes: LengthOutcome[] = [];
  const notes: string[] = options.data === undefined ? ["no text was given: the tokens are random, and so are the weights"] : [];
  for (const dims of lengthsOf(program, options)) {
    const parametersFor = (params: readonly Param[]): Tensors | string => fitting(params, parameters);
    const outcome = await auditAt({ options: model, settings, dims: { ...one, ...dims }, parametersFor, text });
    if (typeof outcome === "string") notes.push(`not at T = ${dims[LENGTH]}: ${outcome}`);
    else outcomes.push(outcome);
  }
  const last = outcomes.at(-1);
  if (last === undefined) throw new RuntimeError("SQ0007", `no length is left to audit: ${notes.join("; ")}`);
  return {
    version: 1,
    model: program.model,
    backend: last.backend,
    seed: settings.seed,
    dims: last.dims,
    checkpoint: options.checkpoint ?? null,
    parameters: Object.values(parameters).reduce((sum, { data }) => sum + data.length, 0),
    heldOutBytes: last.heldOutBytes,
    sequences: settings.sequences,
    headSequences: settings.headSequences,
    draws: settings.draws,
    cs: settings.cs,
    degrees: settings.degrees,
    sites: last.sites,
    lengths: outcomes.map(({ report }) => report),
    cost: program.dims[LENGTH] === undefined ? [] : await auditCosts(model, one, LENGTH, costed(last.tried)),
    keptMaps: mapsOf(last, settings),
    notes: [...new Set([...notes, ...outcomes.flatMap((outcome) => outcome.notes)])],
  };
};

/** The options that are about the model, without those of the audit. */
const modelOf = (options: AuditOptions): ModelOptions => {
  const { checkpoint: _1, data: _2, cs: _3, degrees: _4, lengths: _5, sequences: _6, headSequences: _7, draws: _8, seed: _9, backend: _10, threads: _11, onProgress: _12, ...model } = options;
  return model;
};

/** One of each kind: the c in the middle, the smallest degree. */
const costed = (tried: readonly Approximation[]): readonly Approximation[] => {
  const sampled = tried.filter(({ kind }) => kind === "sus");
  return [...sampled.slice(Math.floor((sampled.length - 1) / 2)).slice(0, 1), ...tried.filter(({ kind }) => kind === "lowrank").slice(0, 1)];
};

const settingsOf = (options: AuditOptions): AuditSettings => {
  const { sequences = 24, draws = 2, headSequences = 8, seed = 0, backend = AUTO, threads, onProgress = () => {} } = options;
  const [cs, degrees] = [ascending(options.cs ?? [8, 16, 27, 64]), ascending(options.degrees ?? [0, 1, 2, 4])];
  const wrong = [
    [sequences < 2, `${sequences} sequences have no variance: at least 2`],
    [draws === 1, "one draw has no variance: at least 2, or 0 for statistics of heads only"],
    [cs.length === 0 || cs.some((c) => !(c > 0)), "every c must be positive"],
    [degrees.some((degree) => !Number.isInteger(degree) || degree < 0 || degree > 12), "degrees are whole numbers from 0 to 12"],
  ].find(([is]) => is === true);
  if (wrong !== undefined) throw new RuntimeError("SQ0007", String(wrong[1]));
  return { sequences, draws, cs, degrees, headSequences: Math.min(sequences, headSequences), seed, backend, threads, say: onProgress };
};

const ascending = (numbers: readonly number[]): readonly number[] => [...new Set(numbers)].sort((a, b) => a - b);

const lengthsOf = (program: ProgramHead, { lengths }: AuditOptions): readonly Dims[] => {
  if (lengths === undefined || lengths.length === 0) return [{}];
  if (program.dims[LENGTH] === undefined) throw new RuntimeError("SQ0007", `\`${program.model}\` has no dimension ${LENGTH} to set to ${lengths.join(", ")}`);
  return ascending(lengths).map((length) => ({ [LENGTH]: length }));
};

/** Parameters for a model at another length: those that do not depend on it as they are, tables of positions (an axis that
 *  is the length itself) by their first rows. A string says which parameter has no such reading. */
const fitting = (params: readonly Param[], all: Tensors): Tensors | string => {
  const fitted: [string, HostTensor][] = [];
  for (const { name, value } of params) {
    const tensor = all[name] as HostTensor;
    const { shape, dims } = value.type;
    const axes = shape.flatMap((size, axis) => (size === tensor.shape[axis] ? [] : [axis]));
    const odd = axes.find((axis) => poly.print(dims[axis] ?? poly.ZERO) !== LENGTH);
    if (odd !== undefined) return `\`${name}\` has an axis of ${poly.print(dims[odd] ?? poly.ZERO)}, which is no table of positions`;
    const short = axes.find((axis) => (shape[axis] ?? 0) > (tensor.shape[axis] ?? 0));
    if (short !== undefined) return `\`${name}\` knows ${tensor.shape[short]} positions only`;
    fitted.push([name, leading(tensor, shape)]);
  }
  return Object.fromEntries(fitted);
};

/** The most diffuse head, the one in the middle and the most peaked one, at a c in the middle. */
const mapsOf = ({ sites, first }: LengthOutcome, { cs }: AuditSettings): readonly KeptMap[] => {
  const heads = sites.flatMap(({ site, heads: all }) => all.map(({ head, entropy }) => ({ site, head, entropy })));
  heads.sort((a, b) => b.entropy - a.entropy);
  const chosen = [...new Set([0, Math.floor((heads.length - 1) / 2), heads.length - 1])];
  const c = cs[Math.floor((cs.length - 1) / 2)] ?? 0;
  return chosen.flatMap((at): KeptMap[] => {
    const { site = "", head = 0 } = heads[at] ?? {};
    const found = first.get(site);
    return found === undefined ? [] : [keptMap(found.site, found.captured, head, c, MAP_CELLS)];
  });
};
