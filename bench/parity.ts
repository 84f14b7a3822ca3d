/** @file `npm run bench:parity`: the same model trained with exact and with approximate gradients of attention, from the same
 *  parameters on the same batches, several seeds each; final held-out losses side by side.
 *
 *  Parity of a form: its mean differs from the mean of `exact` by no more than the spread of `exact` from seed to seed
 *  (the largest minus the smallest final loss). Differences with the same seed are paired: they share start and data. */

import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { train } from "../compiler/index.ts";
import { parseDims } from "../compiler/cli/options.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "examples/gpt.sq" },
    data: { type: "string", default: "node_modules/typescript/lib/*.d.ts" },
    dim: { type: "string", multiple: true, default: ["T=256", "B=2"] },
    forms: { type: "string", default: "exact sus:c=25 hybrid:c=25,degree=2" },
    seeds: { type: "string", default: "0 1 2" },
    steps: { type: "string", default: "300" },
    backend: { type: "string", default: "wasm" },
    json: { type: "string", default: "build/parity.json" },
  },
});

interface Outcome {
  readonly form: string;
  readonly seed: number;
  readonly heldOutLoss: number;
  readonly seconds: number;
}

const dims = parseDims(values.dim);

const runOne = async (form: string, seed: number): Promise<Outcome> => {
  const started = performance.now();
  const result = await train({
    file: values.model,
    dims,
    data: [values.data],
    steps: Number(values.steps),
    seed,
    backend: values.backend,
    evaluationBatches: 32,
    evaluateEvery: Number(values.steps),
    backward: [{ pattern: "**", policy: form }],
  });
  return { form, seed, heldOutLoss: result.heldOutLoss ?? Number.NaN, seconds: (performance.now() - started) / 1000 };
};

const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
const spread = (list: readonly number[]): number => Math.max(...list) - Math.min(...list);

const table = (outcomes: readonly Outcome[], forms: readonly string[], seeds: readonly number[]): string => {
  const losses = (form: string): readonly number[] => seeds.map((seed) => outcomes.find((o) => o.form === form && o.seed === seed)?.heldOutLoss ?? Number.NaN);
  const exact = losses("exact");
  const rows = forms.map((form) => {
    const own = losses(form);
    const difference = mean(own) - mean(exact);
    const verdict = form === "exact" ? `spread ${spread(exact).toFixed(4)}` : `${difference >= 0 ? "+" : ""}${difference.toFixed(4)} ${Math.abs(difference) <= spread(exact) ? "within" : "OUTSIDE"} the spread`;
    return [form.padEnd(24), ...own.map((loss) => loss.toFixed(4).padStart(9)), mean(own).toFixed(4).padStart(9), `  ${verdict}`].join("");
  });
  const head = ["held-out loss".padEnd(24), ...seeds.map((seed) => `seed ${seed}`.padStart(9)), "mean".padStart(9), "  against exact"].join("");
  return [head, ...rows].join("\n");
};

const forms = values.forms.split(/\s+/);
const seeds = values.seeds.split(/\s+/).map(Number);
const outcomes: Outcome[] = [];
for (const seed of seeds)
  for (const form of forms) {
    const outcome = await runOne(form, seed);
    outcomes.push(outcome);
    process.stderr.write(`${form} seed ${seed}: ${outcome.heldOutLoss.toFixed(4)} in ${outcome.seconds.toFixed(0)} s\n`);
  }
process.stdout.write(`${table(outcomes, forms, seeds)}\n`);
mkdirSync("build", { recursive: true });
writeFileSync(values.json, `${JSON.stringify({ model: values.model, dims, steps: Number(values.steps), backend: values.backend, node: process.version, processors: availableParallelism(), outcomes }, null, 1)}\n`);
process.exit(0);
