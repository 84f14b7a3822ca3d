/** @file Trains a small compiled model and prints, as JSON, the resident memory after every step. Run by memory.test.ts in a
 *  process of its own, so that nothing but training shows. Arguments: backend, steps, model file, text file. */

import { train } from "../../compiler/index.ts";

const [backend = "", steps = "", file = "", text = ""] = process.argv.slice(2);
const rss: number[] = [];
const collect = (globalThis as { readonly gc?: () => void }).gc;
if (collect === undefined) throw new Error("run with --expose-gc");
await train({
  file,
  data: [text],
  steps: Number(steps),
  backend,
  evaluateEvery: 100,
  onProgress: ({ step }) => {
    // What counts is what is still needed, not when V8 finds it worth its while to collect the rest.
    if (step % 50 === 0) collect();
    rss.push(process.memoryUsage().rss);
  },
});
process.stdout.write(`${JSON.stringify(rss)}\n`, () => process.exit(0));
