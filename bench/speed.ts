/** @file `npm run bench:speed`: every number about Subquad's own speed on the backend `wasm`, by `bench`: shares of the peak, backward
 *  over forward, exponents, two threads, training steps. Tables go into bench/speed.md, everything else below build/. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { bench, benchPage, printBench } from "../compiler/index.ts";
import type { BenchOptions, BenchReport } from "../compiler/index.ts";
import { changeTable, compareBench } from "../compiler/bench/compare.ts";
import { AUTO } from "../compiler/node/execute.ts";
import { printTable } from "../compiler/bench/print.ts";

const { values } = parseArgs({
  options: {
    /** Runs whose names contain this. */
    only: { type: "string", default: "" },
    /** Rounds of each run; its own unless given. */
    repeat: { type: "string" },
    backend: { type: "string", default: AUTO },
    /** Leave out sizes above it. */
    most: { type: "string", default: "1000000" },
    /** Write the tables there; empty: only print them. */
    document: { type: "string", default: "bench/speed.md" },
  },
});

const ATTENTION = { file: "attention", dims: { H: 4, K: 64 } } as const;
const powers = (from: number, to: number): readonly number[] => Array.from({ length: Math.log2(to / from) + 1 }, (_, i) => from * 2 ** i);

interface Run {
  readonly name: string;
  readonly about: string;
  readonly options: BenchOptions;
  /** An earlier run to stand beside, if it was made. */
  readonly against?: string;
}

const NAMES: Readonly<Record<number, string>> = { 1: "one thread", 2: "two threads" };

const attentionRun = (threads: number): Run => ({
  name: `attention-${threads}`,
  about: `h = 4, d = 64, causal, ${NAMES[threads] ?? ""}: shares of the peak, sampled against exact`,
  options: { ...ATTENTION, threads, forms: ["exact", "sus(c: 25)"], sweep: { dim: "T", sizes: powers(1024, 8192) }, repeat: 7 },
  ...(threads === 1 ? {} : { against: "attention-1" }),
});

const productRun = (threads: number): Run => ({
  name: `product-${threads}`,
  about: `products of square matrices, ${NAMES[threads] ?? ""}`,
  options: { file: "bench/product.sq", threads, entries: ["forward"], sweep: { dim: "N", sizes: powers(512, 2048) }, repeat: 15 },
  ...(threads === 1 ? {} : { against: "product-1" }),
});

const RUNS: readonly Run[] = [
  {
    // First: the high-water mark of memory is that of the whole process.
    name: "long",
    about: "a training step of one layer of bench/gpt-small.sq with 65536 tokens: its memory",
    options: { file: "bench/gpt-small.sq", dims: { L: 1 }, entries: ["step"], forms: ["sus(c: 25)"], sweep: { dim: "T", sizes: [65536] }, repeat: 1, warmup: 0 },
  },
  productRun(1),
  productRun(2),
  attentionRun(1),
  attentionRun(2),
  {
    name: "sus",
    about: "h = 4, d = 64, causal: the sampled backward as sequences grow, one thread",
    options: { ...ATTENTION, threads: 1, forms: ["sus(c: 25)"], sweep: { dim: "T", sizes: powers(2048, 32768) }, repeat: 3, warmup: 1 },
  },
  {
    name: "lowrank",
    about: "h = 4, d = 16, causal: low rank forward and backward as sequences grow, one thread",
    options: { file: "attention", dims: { H: 4, K: 16 }, threads: 1, forms: ["lowrank(degree: 2, forward: true)"], sweep: { dim: "T", sizes: powers(2048, 32768) }, repeat: 5 },
  },
  ...[1, 2].map((threads): Run => ({
    name: `step-${threads}`,
    about: `a training step of bench/gpt-small.sq, one sequence, ${NAMES[threads] ?? ""}`,
    options: { file: "bench/gpt-small.sq", threads, entries: ["step"], forms: ["exact", "sus(c: 25)"], sweep: { dim: "T", sizes: powers(512, 2048) }, repeat: 7 },
    ...(threads === 1 ? {} : { against: "step-1" }),
  })),
];

const reports = new Map<string, BenchReport>();

const measure = async ({ name, about, options, against }: Run): Promise<string> => {
  const { sweep = { dim: "T", sizes: [] } } = options;
  const report = await bench({
    ...options,
    backend: values.backend,
    sweep: { dim: sweep.dim, sizes: sweep.sizes.filter((size) => size <= Number(values.most)) },
    ...(values.repeat === undefined ? {} : { repeat: Number(values.repeat) }),
    onProgress: (message) => process.stderr.write(`${message}\n`),
  });
  writeFileSync(`build/bench-speed-${name}.json`, `${JSON.stringify(report, null, 1)}\n`);
  writeFileSync(`build/bench-speed-${name}.html`, benchPage(report));
  reports.set(name, report);
  const before = reports.get(against ?? "");
  const beside = before === undefined ? "" : `\n${printTable({ ...changeTable(compareBench(report, before), report.sweep), title: `against ${against}` })}`;
  const text = `### ${name}\n\n${about}\n\n\`\`\`text\n${printBench(report)}${beside}\`\`\`\n`;
  process.stdout.write(`${text}\n`);
  return text;
};

mkdirSync("build", { recursive: true });
const started = performance.now();
const texts: string[] = [];
for (const run of RUNS.filter(({ name }) => name.includes(values.only))) texts.push(await measure(run));

const [START, END] = ["<!-- measured -->", "<!-- end -->"];
if (values.document !== "") {
  const command = ["npm run bench:speed", ...(process.argv.length > 2 ? ["--", ...process.argv.slice(2)] : [])].join(" ");
  const facts = `\`${command}\`, Node ${process.version}, ${availableParallelism()} processors, ${((performance.now() - started) / 1000).toFixed(0)} s.`;
  const page = readFileSync(values.document, "utf8");
  const [from, to] = [page.indexOf(START) + START.length, page.indexOf(END)];
  writeFileSync(values.document, `${page.slice(0, from)}\n${facts}\n\n${texts.join("\n")}${page.slice(to)}`);
}
process.exit(0);
