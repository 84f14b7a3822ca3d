/** @file An audit at one length: every sequence through the exact gradient and the probe, then through each approximation. */

import type { Module, Param } from "../../ir/core.ts";
import type { Entry, Tensors } from "../../runtime/abi.ts";
import { RuntimeError } from "../../runtime/errors.ts";
import { i32, keyFor, randomStream, scalarValue, splitText } from "../../runtime/index.ts";
import { batchShape, createBatcher } from "../../runtime/train/batch.ts";
import type { Batcher, BatchShape } from "../../runtime/train/batch.ts";
import { approximationsOf } from "../audit/approximations.ts";
import type { Approximation } from "../audit/approximations.ts";
import { meanOf } from "../audit/estimate.ts";
import { ExactGradients, GradientNoise } from "../audit/gradient-noise.ts";
import { addHead, startHead } from "../audit/head.ts";
import type { HeadSums } from "../audit/head.ts";
import { PROBE, resultName } from "../audit/probe.ts";
import type { Site } from "../audit/probe.ts";
import { groupsOf, keptReports, siteReport, slopeOf } from "../audit/summary.ts";
import type { Captured, Numbers } from "../audit/rows.ts";
import type { ApproximationReport, LengthReport, SiteReport } from "../audit/schema.ts";
import { everywhere, exactProbe, gradientModule, runnable } from "./audit-model.ts";
import type { Dims, Runnable } from "./audit-model.ts";
import type { ModelOptions } from "./compile.ts";

export interface AuditSettings {
  readonly cs: readonly number[];
  readonly degrees: readonly number[];
  readonly sequences: number;
  readonly headSequences: number;
  readonly draws: number;
  readonly seed: number;
  readonly backend: string;
  readonly threads: number | undefined;
  readonly say: (message: string) => void;
}

export interface LengthTask {
  readonly options: ModelOptions;
  readonly settings: AuditSettings;
  /** Over those of the options: the batch, the length. */
  readonly dims: Dims;
  /** Parameters for a model that has these; a string says why there are none. */
  readonly parametersFor: (params: readonly Param[]) => Tensors | string;
  /** null: random tokens. */
  readonly text: Uint8Array | null;
}

export interface LengthOutcome {
  readonly report: LengthReport;
  readonly sites: readonly SiteReport[];
  readonly backend: string;
  readonly dims: Dims;
  readonly heldOutBytes: number | null;
  readonly notes: readonly string[];
  /** What was compared, or would be with draws. */
  readonly tried: readonly Approximation[];
  /** The first sequence, for pictures. */
  readonly first: ReadonlyMap<string, { readonly site: Site; readonly captured: Captured }>;
}

/** Draws of the first sequence, whose elements are tested one by one: Student's t with 7 degrees of freedom. */
const TEST_DRAWS = 8;

/** A string where the parameters do not fit this length. */
export const auditAt = async (task: LengthTask): Promise<LengthOutcome | string> => {
  const { options, settings, dims } = task;
  const { module, sites } = await exactProbe(options, dims);
  if (sites.length === 0) throw new RuntimeError("SQ0613", `\`${module.name}\` has no attention that its loss depends on`, "an audit measures the gradient of attention");
  const parameters = task.parametersFor(paramsOf(module));
  if (typeof parameters === "string") return parameters;
  const run = await runnable(module, settings);
  const feeder = feederOf(run.program.entries[PROBE] as Entry, parameters, task);
  try {
    const exact = new ExactGradients(groupsOf(sites, Object.keys(parameters)));
    const measured = await measureExact(run, feeder, sites, exact, settings);
    const length = sites[0]?.sizes.N ?? 0;
    settings.say(`length ${length}: ${settings.sequences} exact gradients on ${run.executable.backend}`);
    const { tried, notes } = await approximations(task, sites);
    const reports: ApproximationReport[] = [];
    const missed: string[] = [];
    for (const each of settings.draws === 0 ? [] : tried) {
      const made = await approximate(task, each, feeder, exact, `length ${length}`);
      missed.push(...made.missed);
      if (made.report !== null) reports.push(made.report);
    }
    const reported = sites.map((site, at) => siteReport(site, measured.heads[at] ?? []));
    const report = { length, loss: measured.loss, kept: keptReports(reported, settings.cs), slope: slopeOf(reports), approximations: reports };
    const { heldOutBytes } = feeder;
    return { report, sites: reported, backend: run.executable.backend, dims: Object.fromEntries(module.dims), heldOutBytes, notes: [...feeder.notes, ...notes, ...missed], tried, first: measured.first };
  } finally {
    run.executable.destroy();
  }
};

const paramsOf = (module: Module): readonly Param[] => (module.funcs[0]?.params ?? []).filter(({ role }) => role === "parameter");

/** What every run of a sequence is given. */
interface Feeder {
  readonly inputs: (sequence: number) => Tensors;
  readonly heldOutBytes: number | null;
  readonly notes: readonly string[];
}

const feederOf = (entry: Entry, parameters: Tensors, { text, settings }: LengthTask): Feeder => {
  const shape = batchShape({ ...entry, name: "loss" });
  const part = text === null ? randomText(shape, settings) : splitText(text, shape.window).heldOut;
  const batcher: Batcher = createBatcher(entry, shape, text ?? part);
  const inputs = (sequence: number): Tensors => ({ ...parameters, ...batcher(part, settings.seed, `audit.${sequence}`) });
  const overlapping = part.length < settings.sequences * shape.batch * shape.window;
  const notes = overlapping ? [`${part.length} bytes of held-out text are less than ${settings.sequences} sequences of ${shape.window}: they overlap, and errors are larger than said`] : [];
  return { inputs, heldOutBytes: text === null ? null : part.length, notes };
};

/** Bytes that mean nothing, enough for every sequence. */
const randomText = ({ window, batch, vocabulary, objective }: BatchShape, { sequences, seed }: AuditSettings): Uint8Array => {
  const stream = randomStream(seed, "audit text");
  const below = Math.min(256, objective === "masked" ? vocabulary - 1 : vocabulary);
  return Uint8Array.from({ length: window * batch * sequences }, () => stream.below(below));
};

/** Runs the one function of a module on a sequence; `draw` names the randomness, where there is any. */
const call = ({ func, executable }: Runnable, given: Tensors, seed: number, draw: number): Promise<Tensors> => {
  const inputs = func.params.map(({ name, role }): [string, Tensors[string]] => [name, role === "key" ? i32([4], keyFor(seed, draw)) : (given[name] as Tensors[string])]);
  return executable.run(func.name, Object.fromEntries(inputs));
};

interface Measured {
  readonly loss: number;
  /** By site, by head. */
  readonly heads: readonly (readonly HeadSums[])[];
  readonly first: LengthOutcome["first"];
}

const measureExact = async (run: Runnable, feeder: Feeder, sites: readonly Site[], exact: ExactGradients, settings: AuditSettings): Promise<Measured> => {
  const heads = sites.map((site) => Array.from({ length: site.sizes.H }, () => startHead(site, settings)));
  const losses: number[] = [];
  const first = new Map<string, { site: Site; captured: Captured }>();
  for (let sequence = 0; sequence < settings.sequences; sequence++) {
    const outputs = await call(run, feeder.inputs(sequence), settings.seed, 0);
    losses.push(scalarValue(outputs["loss"] as Tensors[string]));
    exact.add(Object.fromEntries(Object.entries(outputs).filter(([name]) => name.startsWith("grad."))));
    if (sequence >= settings.headSequences) continue;
    sites.forEach((site, at) => {
      const captured: Captured = (operand) => (outputs[resultName(site.name, operand)]?.data as Numbers | undefined) ?? null;
      if (sequence === 0) first.set(site.name, { site, captured });
      heads[at]?.forEach((sums, head) => {
        for (let b = 0; b < site.sizes.B; b++) addHead(sums, site, captured, b, head);
      });
    });
  }
  return { loss: meanOf(losses), heads, first };
};

/** The model's own rules are one more approximation, where they are not exact. */
const approximations = async ({ options, dims, settings }: LengthTask, sites: readonly Site[]) => {
  const { tried, notes } = approximationsOf(sites, settings.cs, settings.degrees);
  const own = await gradientModule(options, dims, []);
  const declared: Approximation = { kind: "declared", policy: `declared: ${own.policies.join(", ")}`, rule: null, parameter: null };
  return own.approximate ? { tried: [...tried, declared], notes } : { tried, notes: [...notes, ...own.missed] };
};

/** No report where the policy changes nothing. */
const approximate = async (task: LengthTask, { kind, policy, rule, parameter }: Approximation, feeder: Feeder, exact: ExactGradients, where: string): Promise<{ readonly report: ApproximationReport | null; readonly missed: readonly string[] }> => {
  const { options, settings, dims } = task;
  const started = performance.now();
  const gradient = await gradientModule(options, dims, rule === null ? [] : everywhere(rule));
  const missed = gradient.missed.map((message) => `${where}, ${message}`);
  if (!gradient.approximate) return { report: null, missed };
  const run = await runnable(gradient.module, settings);
  const random = run.func.params.some(({ role }) => role === "key");
  const noise = new GradientNoise(exact);
  try {
    for (let sequence = 0; sequence < settings.sequences; sequence++) {
      const count = !random ? 1 : sequence === 0 ? Math.max(TEST_DRAWS, settings.draws) : settings.draws;
      const draws: Tensors[] = [];
      for (let draw = 0; draw < count; draw++) draws.push(await call(run, feeder.inputs(sequence), settings.seed, 1 + sequence + draw * settings.sequences));
      noise.add(sequence, draws);
    }
  } finally {
    run.executable.destroy();
  }
  settings.say(`${where}: ${policy}, ${((performance.now() - started) / 1000).toFixed(1)} s`);
  return { report: { policy, kind, parameter, groups: noise.report() }, missed };
};
