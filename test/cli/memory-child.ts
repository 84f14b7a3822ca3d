/** @file Trains a small compiled model and prints, as JSON, the resident memory after every step. Run by memory.test.ts in a
 *  process of its own, so that nothing but training shows. Arguments: backend, steps, model file, text file. */

import { train } from "../../compiler/index.ts";

const [backend = "", steps = "", file = "", text = ""] = process.argv.slice(2);
const rss: number[] = [];
await train({
  file,
  data: [text],
  steps: Number(steps),
  backend,
  evaluateEvery: 100,
  onProgress: () => void rss.push(process.memoryUsage().rss),
});
process.stdout.write(`${JSON.stringify(rss)}\n`, () => process.exit(0));
