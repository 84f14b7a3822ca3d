/** @file A starter project: a small GPT over bytes, a training script on the API, and the package around them. */

import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { diagnostic } from "../../ir/codes.ts";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { VERSION } from "../version.ts";
import { reasonOf } from "../../runtime/errors.ts";

const MODEL = `// A small GPT over bytes. \`npx subquad check model.sq\` checks it.
dim B = 8      // sequences in a batch
dim T = 64     // tokens in a sequence
dim V = 256    // vocabulary: bytes
dim D = 64     // width
dim H = 4      // heads
dim K = D / H  // width of a head
dim L = 2      // layers

layer SelfAttention(x: [B, T, D]) -> [B, T, D] {
  param wq, wk, wv: [D, H, K] ~ normal(std: 0.02)
  param wo: [H, K, D] ~ normal(std: 0.02 / sqrt(2 * L))
  let q = einsum(x, wq, "b t d, d h k -> b h t k")
  let k = einsum(x, wk, "b t d, d h k -> b h t k")
  let v = einsum(x, wv, "b t d, d h k -> b h t k")
  let y = attention(q, k, v, mask: causal)
  return einsum(y, wo, "b h t k, h k d -> b t d")
}

layer Mlp(x: [B, T, D]) -> [B, T, D] {
  param up: [D, 4 * D] ~ normal(std: 0.02)
  param down: [4 * D, D] ~ normal(std: 0.02 / sqrt(2 * L))
  return gelu(x @ up) @ down
}

layer Block(x: [B, T, D]) -> [B, T, D] {
  let h = x + SelfAttention(LayerNorm(x))
  return h + Mlp(LayerNorm(h))
}

model Gpt(tokens: int[B, T]) -> [B, T, V] {
  param embed: [V, D] ~ normal(std: 0.02)
  param position: [T, D] ~ normal(std: 0.02)
  let x = embed[tokens] + position
  repeat L { x = Block(x) }
  return LayerNorm(x) @ embed.T
}

loss(tokens: int[B, T], targets: int[B, T]) = cross_entropy(Gpt(tokens), targets)

optimizer adamw(lr: 3e-3, betas: (0.9, 0.95), weight_decay: 0.1, clip: 1)
`;

const SCRIPT = `// Trains model.sq on the text files named on the command line (this folder's own, without any), then writes some text.
import { sample, train } from "subquad";

const data = process.argv.length > 2 ? process.argv.slice(2) : ["model.sq", "train.mjs", "node_modules/subquad/README.md"];

const { heldOutLoss } = await train({
  file: "model.sq",
  data,
  steps: 200,
  save: "model.safetensors",
  onProgress: ({ step, smoothedLoss }) => {
    if (step % 20 === 0) console.log(\`step \${step}  loss \${smoothedLoss.toFixed(3)}\`);
  },
});
console.log(\`held-out loss \${heldOutLoss?.toFixed(3)}\`);

for await (const text of sample({ file: "model.sq", checkpoint: "model.safetensors", bytes: 200, seed: 1 })) process.stdout.write(text);
process.stdout.write("\\n");
process.exit(0);
`;

const packageJson = (name: string): string =>
  `${JSON.stringify(
    {
      name,
      private: true,
      type: "module",
      scripts: { start: "node train.mjs", check: "subquad check model.sq" },
      dependencies: { subquad: `^${VERSION}` },
      // gpu.js asks for two native packages that it does not need here; see \`subquad doctor\`.
      overrides: { gl: "npm:empty-npm-package@1.0.0", webgpu: "npm:empty-npm-package@1.0.0" },
    },
    null,
    2,
  )}\n`;

/** Writes the project and gives the paths of its files. Throws SQ0011 where the folder cannot be made or is not empty. */
export const createProject = (dir: string): string[] => {
  const fail = (reason: string, hint?: string): never => {
    throw new DiagnosticError([diagnostic("SQ0011", `cannot make a project in \`${dir}\`: ${reason}`, { hint })]);
  };
  try {
    mkdirSync(dir, { recursive: true });
    if (readdirSync(dir).length > 0) return fail("it is not empty", "name a new folder; nothing was written");
    const name = basename(resolve(dir)).toLowerCase().replace(/[^a-z0-9-]+/g, "-") || "model";
    const files = { "model.sq": MODEL, "train.mjs": SCRIPT, "package.json": packageJson(name) };
    return Object.entries(files).map(([file, text]) => {
      writeFileSync(join(dir, file), text);
      return join(dir, file);
    });
  } catch (error) {
    if (error instanceof DiagnosticError) throw error;
    return fail(reasonOf(error));
  }
};
