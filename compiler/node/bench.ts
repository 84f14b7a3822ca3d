/** @file How fast a model is, measured: its entry points and its attention, over sizes and forms of attention's gradient,
 *  beside what the machine can do at most. */

import { arch, availableParallelism, cpus, platform } from "node:os";
import { RuntimeError } from "../../runtime/errors.ts";
import type { Executable } from "../../runtime/abi.ts";
import { ATTENTION } from "../bench/attention-model.ts";
import { DECLARED, parseForm } from "../bench/forms.ts";
import type { Form } from "../bench/forms.ts";
import { measure } from "../bench/measure.ts";
import type { Measured, MeasureOptions, Subject } from "../bench/measure.ts";
import { createPeak } from "../bench/peak.ts";
import type { Peak } from "../bench/peak.ts";
import type { BenchReport, BenchResult, Machine, Spread } from "../bench/schema.ts";
import { progressLine } from "../bench/print.ts";
import { slopesOf } from "../bench/slopes.ts";
import { spreadOf } from "../bench/statistics.ts";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { VERSION } from "../version.ts";
import { preparePoint, TIMED } from "./bench-point.ts";
import type { Point, PointTask, Timed } from "./bench-point.ts";
import type { ModelOptions } from "./compile.ts";
import { isOwn } from "../../runtime/backends.ts";
import { makeWide, missingWide } from "../../runtime/node/wide.ts";
import { AUTO, resolveBackend } from "./execute.ts";

/** `file` may be `attention`: causal attention by itself, with the dims B, H, G, T, K, E. */
export interface BenchOptions extends ModelOptions {
  /** All but `loss` unless given; of `attention` only itself. */
  readonly entries?: readonly Timed[];
  /** One dimension and the sizes to repeat everything at. */
  readonly sweep?: { readonly dim: string; readonly sizes: readonly number[] };
  /** Policies for all of the model's attention, `sus(c: 25)` or `sus:c=25`, one after the other; the model's own rules (`declared`) unless
   *  given. `unsafe` is understood: times do not depend on it. */
  readonly forms?: readonly string[];
  /** Default: `auto`, the fastest of this machine. */
  readonly backend?: string;
  /** Default: as many as the backend takes. */
  readonly threads?: number;
  /** Rounds; 9 unless given. */
  readonly repeat?: number;
  /** Calls before anything counts, at least; 2 unless given. */
  readonly warmup?: number;
  /** Of parameters and arguments. */
  readonly seed?: number;
  /** Seconds on a steady clock, in place of the machine's. */
  readonly now?: () => number;
  /** Is told what has been measured. */
  readonly onProgress?: (message: string) => void;
}

interface Settings extends Omit<MeasureOptions, "wall"> {
  readonly model: ModelOptions;
  readonly entries: readonly Timed[] | null;
  readonly sweep: string | null;
  readonly sizes: readonly (number | null)[];
  readonly forms: readonly Form[];
  readonly backend: string;
  readonly threads: number | null;
  readonly seed: number;
  readonly now: (() => number) | null;
  readonly say: (message: string) => void;
}

/** @throws DiagnosticError the model's mistakes; RuntimeError SQ0007 settings out of range, SQ0614 nothing to time, SQ0706 an
 *  entry that the model has not, SQ07xx backends. A size or form that the compiler refuses is left out with a note, as long as
 *  another one is left. */
export const bench = async (options: BenchOptions): Promise<BenchReport> => {
  const settings = settingsOf(options);
  const peak = await peakFor(resolveBackend(settings.backend));
  const peaks: number[] = [];
  const results: BenchResult[] = [];
  const notes: string[] = [];
  let last: Omit<Point, "subjects"> | null = null;
  let refusal: unknown = null;
  for (const size of settings.sizes) {
    for (const form of settings.forms) {
      try {
        const { point, measured } = await measureAt(settings, size, form, peak);
        peaks.push(...measured.peaks);
        results.push(...measured.results);
        notes.push(...point.notes);
        last = point;
      } catch (error) {
        const reason = refusalOf(error);
        if (reason === null) throw error;
        refusal ??= error;
        notes.push(`not ${[...(size === null ? [] : [`at ${settings.sweep} = ${size}`]), `with ${form.name}`].join(" ")}: ${reason}`);
      }
    }
  }
  if (last === null) throw refusal;
  return {
    version: 1,
    kind: "bench",
    model: last.model,
    file: options.file,
    machine: machine(),
    backend: last.backend,
    threads: threadsOf(last.backend),
    seed: settings.seed,
    warmup: settings.warmup,
    repeat: settings.repeat,
    dims: last.dims,
    sweep: settings.sweep,
    peak: peaks.length === 0 ? null : spreadOf(peaks),
    results,
    slopes: slopesOf(results),
    notes: [...new Set(notes)],
  };
};

const settingsOf = (options: BenchOptions): Settings => {
  const { entries, sweep, forms = [DECLARED.name], backend = AUTO, threads, repeat = 9, warmup = 2, seed = 0, now, onProgress = () => {}, ...model } = options;
  const parsed = forms.map((text) => ({ text, form: parseForm(text) }));
  const wrongForm = parsed.find(({ form }) => typeof form === "string");
  const wrong = [
    [!Number.isSafeInteger(repeat) || repeat < 1, `${repeat} rounds are none: at least 1`],
    [!Number.isSafeInteger(warmup) || warmup < 0, `${warmup} calls of warm-up: a whole number, 0 or more`],
    [threads !== undefined && (!Number.isSafeInteger(threads) || threads < 1), `${threads} threads: at least 1`],
    [sweep !== undefined && (sweep.sizes.length === 0 || sweep.sizes.some((size) => !Number.isSafeInteger(size) || size < 1)), `the sizes of ${sweep?.dim ?? ""} are whole numbers above 0`],
    [sweep !== undefined && model.dims?.[sweep.dim] !== undefined, `${sweep?.dim ?? ""} is swept and given a size at once`],
    [forms.length === 0, "no form to measure"],
    [wrongForm !== undefined, `\`${wrongForm?.text ?? ""}\` is no form: ${String(wrongForm?.form)}`],
    [entries?.length === 0 || (entries ?? []).some((name) => !TIMED.includes(name)), `the entries to time are ${TIMED.join(", ")}`],
    [model.file === ATTENTION && model.statistics !== undefined, "statistics are of a model's heads, and `attention` is no model of yours"],
  ].find(([is]) => is === true);
  if (wrong !== undefined) throw new RuntimeError("SQ0007", String(wrong[1]));
  return {
    model,
    entries: entries ?? null,
    sweep: sweep?.dim ?? null,
    sizes: sweep === undefined ? [null] : [...new Set(sweep.sizes)].sort((a, b) => a - b),
    forms: unique(parsed.map(({ form }) => form as Form)),
    backend,
    threads: threads ?? null,
    repeat,
    warmup,
    seed,
    now: now ?? null,
    say: onProgress,
  };
};

const unique = (forms: readonly Form[]): readonly Form[] => forms.filter(({ name }, i) => forms.findIndex((form) => form.name === name) === i);

interface PointResults {
  readonly point: Omit<Point, "subjects">;
  readonly measured: { readonly results: readonly BenchResult[]; readonly peaks: readonly number[] };
}

const measureAt = async (settings: Settings, size: number | null, form: Form, peak: Peak | null): Promise<PointResults> => {
  const { model, entries, backend, threads, seed, sweep, say } = settings;
  const dims = size === null || sweep === null ? {} : { [sweep]: size };
  const task: PointTask = { options: model, dims, form, entries, backend, threads, seed, clockFor: (executable) => clockOf(executable, settings) };
  const point = await preparePoint(task);
  try {
    const { results, peaks } = await measurePoint(point, peakOf(point, peak), settings);
    const placed = results.map((result): BenchResult => ({ ...result, form: form.name, size }));
    for (const result of placed) say(progressLine(result, sweep));
    return { point, measured: { results: placed, peaks } };
  } finally {
    point.destroy();
  }
};

/** Too large, or refused by the compiler at this size or in this form: others may do. Null for any other failure. */
const refusalOf = (error: unknown): string | null => {
  if (error instanceof DiagnosticError) return error.diagnostics[0]?.message ?? "";
  return error instanceof RuntimeError && TOO_LARGE.includes(error.code) ? error.message : null;
};

const TOO_LARGE: readonly string[] = ["SQ0705", "SQ0707"];

const wall = (): number => performance.now() / 1000;

/** Where a backend tells how long it computed, copies of tensors into its memory and out of it do not count. */
const clockOf = ({ spent }: Executable, { now }: Settings): (() => number) => {
  if (now !== null) return now;
  return spent === undefined ? wall : () => Object.values(spent()).reduce((sum, seconds) => sum + seconds, 0);
};

/** Of the engine as the backend has it. */
const peakFor = async (backend: string): Promise<Peak | null> => {
  if (backend === "wasm:wide" && missingWide() === null) await makeWide();
  return createPeak(isOwn(backend) ? backend : "wasm");
};

/** What a share of this peak means nothing for runs elsewhere than on the processor. */
const peakOf = ({ backend }: Point, peak: Peak | null): Peak | null => (/^gpujs:(webgpu|webgl2|headlessgl)/.test(backend) ? null : peak);

/** Of `wasm (2 threads)`; gpu.js uses all there are. */
const threadsOf = (backend: string): number => Number(/\((\d+) threads?\b/.exec(backend)?.[1] ?? (backend.includes("threaded") ? availableParallelism() : 1));

/** Seconds: what everything is a share of is worth a longer look. */
const PEAK_SAMPLE = 0.05;

type Unplaced = Omit<BenchResult, "form" | "size">;

const measurePoint = async (point: Point, peak: Peak | null, settings: Settings): Promise<{ readonly results: readonly Unplaced[]; readonly peaks: readonly number[] }> => {
  const beside: readonly Subject[] = peak === null ? [] : [{ run: peak.run, now: settings.now ?? wall, least: PEAK_SAMPLE, warmup: 2 }];
  const measured = await measure([...beside, ...point.subjects], { ...settings, wall: settings.now ?? wall });
  const peaks = peak === null ? [] : (measured[0]?.samples ?? []).map((seconds) => peak.flops / seconds);
  const all = threadsOf(point.backend);
  const residentBytes = 1024 * process.resourceUsage().maxRSS;
  const results = point.subjects.map(({ run: _run, now: _now, ...facts }, i): Unplaced => {
    const { samples, calls } = measured[beside.length + i] as Measured;
    const share = peak === null ? null : samples.map((seconds, round) => facts.flops / seconds / (all * (peaks[round] ?? Number.NaN)));
    return { ...facts, seconds: spreadOf(samples), calls, share: shareOf(share), residentBytes };
  });
  return { results, peaks };
};

const shareOf = (shares: readonly number[] | null): Spread | null => (shares === null ? null : spreadOf(shares));

const machine = (): Machine => ({
  subquad: VERSION,
  node: process.version,
  platform: `${platform()} ${arch()}`,
  processor: cpus()[0]?.model.trim() ?? "",
  cores: availableParallelism(),
});
