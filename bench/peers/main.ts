/** @file `npm run bench:peers`: Subquad beside jax-js and onnxruntime-web on the same inputs, checked and then timed in turns. The
 *  options are those of bench/peers.md. */

import { writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { RUNS, type OwnName } from "../../runtime/backends.ts";
import { attentionTask, trainingTask } from "./compile.ts";
import type { Task } from "./contract.ts";
import type { Place } from "./hosts.ts";
import { measure, type Outcome } from "./measure.ts";
import { printCase, ratiosOf, type Ratio } from "./report.ts";
import type { AdapterName, Clock } from "./serve.ts";
import { PEER_NAMES, sidesFor } from "./sides.ts";

const { values } = parseArgs({
  options: {
    /** w1: attention and its gradient; w2: a training step of bench/gpt-small.sq. */
    workload: { type: "string", default: "w1" },
    n: { type: "string", default: "" },
    threads: { type: "string", default: "1,2" },
    peers: { type: "string", default: PEER_NAMES.join() },
    forms: { type: "string", default: "exact sus:c=25" },
    clock: { type: "string", default: "wall" },
    place: { type: "string", default: "auto" },
    backend: { type: "string", default: "wasm:relaxed" },
    "v8-flags": { type: "string", default: "" },
    rounds: { type: "string", default: "7" },
    milliseconds: { type: "string", default: "300" },
    "check-steps": { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
    json: { type: "string", default: "" },
  },
});

const fail = (message: string): never => {
  process.stderr.write(`bench:peers: ${message}\n`);
  process.exit(2);
};

const oneOf = <T extends string>(option: string, text: string, known: readonly T[]): T =>
  known.find((name) => name === text) ?? fail(`--${option} ${text}: there are ${known.join(", ")}`);

const wholeNumbers = (option: string, text: string): readonly number[] =>
  text.split(",").map((part) => (/^[1-9]\d*$/.test(part.trim()) ? Number(part) : fail(`--${option} ${text}: whole numbers, 1 or more`)));

const one = (option: "rounds" | "milliseconds" | "check-steps" | "seed"): number => wholeNumbers(option, values[option])[0] ?? 1;

const LENGTHS = { w1: "512,1024,2048,4096,8192", w2: "512,1024,2048" } as const;

const workload = oneOf("workload", values.workload, ["w1", "w2"]);
const selection = {
  peers: values.peers.split(",").map((name): AdapterName => oneOf("peers", name.trim(), PEER_NAMES)),
  forms: values.forms.split(/\s+/),
  place: oneOf<Place | "auto">("place", values.place, ["auto", "node", "chromium"]),
  backend: oneOf("backend", values.backend, Object.keys(RUNS) as OwnName[]),
  v8Flags: values["v8-flags"].split(/\s+/).filter((flag) => flag !== ""),
};
const clock = oneOf<Clock>("clock", values.clock, ["wall", "processor"]);
const threadCounts = wholeNumbers("threads", values.threads);
if (clock === "processor" && (selection.place === "chromium" || threadCounts.some((threads) => threads > 1))) fail("--clock processor adds up threads, and pages have none: only with --threads 1 in Node");
const options = { clock, rounds: one("rounds"), milliseconds: one("milliseconds"), checkSteps: one("check-steps"), say: (line: string): void => void process.stderr.write(`  ${line}\n`) };

interface Case {
  readonly workload: string;
  readonly n: number;
  readonly threads: number;
  readonly outcomes: readonly Outcome[];
  readonly ratios: readonly Ratio[];
}

const cases: Case[] = [];
for (const n of wholeNumbers("n", values.n || LENGTHS[workload]))
  for (const threads of threadCounts) {
    const task: Task = workload === "w1" ? attentionTask(n, one("seed")) : trainingTask(n, one("seed"));
    const outcomes = await measure(task, sidesFor(selection, task.kind, threads), options);
    cases.push({ workload, n, threads, outcomes, ratios: ratiosOf(task, outcomes) });
    process.stdout.write(`${printCase(task, threads, outcomes)}\nload ${loadavg().map((load) => load.toFixed(1)).join(" ")}\n\n`);
    if (values.json !== "") writeFileSync(values.json, `${JSON.stringify({ version: 1, processor: cpus()[0]?.model, processors: availableParallelism(), clock, rounds: options.rounds, cases }, null, 1)}\n`);
  }
const outcomes = cases.flatMap((one) => one.outcomes);
const ran = outcomes.some(({ rounds }) => Object.keys(rounds).length > 0);
process.exit(outcomes.some(({ wrong }) => wrong) || !ran ? 1 : 0);
