/** @file What `npm start` runs: compile a GPT, train it on text that is already on disk, let it write, and measure what
 *  approximate gradients would have been like. Each step is a command of `subquad`, printed before it runs, so that it can
 *  be repeated by hand. */

import { main } from "../compiler/cli/main.ts";
import { processIo } from "../compiler/cli/io.ts";

/** TypeScript's own declaration files came with `npm ci`. */
const TEXT = "node_modules/typescript/lib/*.d.ts";

const STEPS: readonly (readonly string[])[] = [
  ["compile", "examples/gpt.sq", "-o", "build/gpt"],
  ["train", "examples/gpt.sq", "--data", TEXT, "--steps", "1500", "--save", "build/gpt.safetensors", "--log", "build/gpt.jsonl"],
  ["sample", "examples/gpt.sq", "--checkpoint", "build/gpt.safetensors", "--prompt", "interface ", "--bytes", "300"],
  ["audit", "examples/gpt.sq", "--checkpoint", "build/gpt.safetensors", "--data", TEXT, "--c", "4,8,16", "--sequences", "8", "--html", "build/audit.html"],
];

const quoted = (word: string): string => (/^[\w./:=-]+$/.test(word) ? word : `'${word}'`);

for (const step of STEPS) {
  processIo.err(`\n$ npx subquad ${step.map(quoted).join(" ")}\n`);
  const code = await main(step, processIo);
  if (code !== 0) process.exit(code);
}
process.exit(0);
