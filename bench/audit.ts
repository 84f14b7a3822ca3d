/** @file `npm run bench:audit`: trains a byte model with long sequences by exact gradients, then audits what approximate ones
 *  would have done to it. The tables go into bench/audit.md, everything else below build/. Options are those of bench/audit.md. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { audit, auditPage, printAudit, train } from "../compiler/index.ts";
import { parseDims } from "../compiler/cli/options.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "examples/gpt.sq" },
    data: { type: "string", default: "node_modules/typescript/lib/*.d.ts" },
    dim: { type: "string", multiple: true, default: ["T=1024", "B=1"] },
    steps: { type: "string", default: "1500" },
    c: { type: "string", default: "8,16,27,64" },
    lengths: { type: "string", default: "256,512,1024" },
    sequences: { type: "string", default: "24" },
    draws: { type: "string", default: "2" },
    backend: { type: "string", default: "wasm" },
    /** Audit the checkpoint of an earlier run instead of training again. */
    reuse: { type: "boolean", default: false },
    /** Write the tables there; empty: only print them. */
    document: { type: "string", default: "bench/audit.md" },
  },
});

const dims = parseDims(values.dim);
const numbers = (text: string): number[] => text.split(",").map(Number);
const say = (message: string): void => void process.stderr.write(`${message}\n`);

mkdirSync("build", { recursive: true });
const checkpoint = "build/bench-audit.safetensors";
const model = { file: values.model, dims, data: [values.data], backend: values.backend };

const started = performance.now();
if (!values.reuse || !existsSync(checkpoint)) {
  const result = await train({
    ...model,
    attentionBackward: "exact",
    steps: Number(values.steps),
    save: checkpoint,
    onProgress: ({ step, smoothedLoss }) => {
      if (step % 20 === 0) say(`step ${step}: loss ${smoothedLoss.toFixed(3)}, ${((performance.now() - started) / 1000).toFixed(0)} s`);
    },
  });
  say(`trained: held-out loss ${result.heldOutLoss?.toFixed(4) ?? "-"}`);
}
const trained = performance.now();

/** One sequence at a time, whatever the batch of the training. */
const { B: _, ...single } = dims;
const report = await audit({
  ...model,
  dims: single,
  checkpoint,
  cs: numbers(values.c),
  lengths: numbers(values.lengths),
  sequences: Number(values.sequences),
  draws: Number(values.draws),
  onProgress: say,
});
const ended = performance.now();
writeFileSync("build/bench-audit.json", `${JSON.stringify(report, null, 1)}\n`);
writeFileSync("build/bench-audit.html", auditPage(report));

const text = printAudit(report);
process.stdout.write(text);
const seconds = (from: number, to: number): string => `${((to - from) / 1000).toFixed(0)} s`;
const command = ["npm run bench:audit", ...(process.argv.length > 2 ? ["--", ...process.argv.slice(2)] : [])].join(" ");
const facts = `\`${command}\`, Node ${process.version}, ${availableParallelism()} processors: ${values.reuse ? "" : `training ${seconds(started, trained)}, `}audit ${seconds(trained, ended)}.`;

const [START, END] = ["<!-- measured -->", "<!-- end -->"];
if (values.document !== "") {
  const page = readFileSync(values.document, "utf8");
  const [from, to] = [page.indexOf(START) + START.length, page.indexOf(END)];
  writeFileSync(values.document, `${page.slice(0, from)}\n${facts}\n\n\`\`\`text\n${text}\`\`\`\n${page.slice(to)}`);
}
process.exit(0);
