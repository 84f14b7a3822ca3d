/** @file Programs that several syntax tests share: the model files of the repository, and one program with every construct. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The `.sq` files that are meant to be right: examples and the standard library. */
export const modelFiles = (): readonly { readonly file: string; readonly text: string }[] =>
  ["examples", "compiler/std"].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith(".sq"))
      .map((name) => ({ file: `${folder}/${name}`, text: readFileSync(join(root, folder, name), "utf8") })),
  );

export const EVERYTHING = `// every construct once
import "blocks.sq"
import { A, B } from "more.sq"
dim T
dim D = 2 ** 4 * 3   // arithmetic
dim from = 1
fn silu(x) = x * sigmoid(x)
fn attend(q, k, v: [B, H, T, K], scale: float = 1 / sqrt(K)) -> [B, H, T, K] {
  let s = q @ k.T * scale
  return softmax(mask(s, causal), axis: -1) @ v
}
layer Linear[N, M](x: [..., N], flag: bool) -> [..., M] {
  // a comment of its own
  param wq: [N, M], wk, wv: [N, M] ~ normal(std: 0.02)
  param b: [M]
  param g: float ~ ones
  let a, c = pair(x)
  let y = not a < b and c >= -d ** 2 or x[0, 1:2, :, k:, :-1] != "s"
  y = (a + b) * (c, 0.9, 3e-4)[0].T
  repeat 2 { y = f(y) }
  repeat L {
    y = f(y)

    y = g(y, mode: true, other: false,)
  }
  return y
}
model M(x: int[B, T], y: [B]) -> [B, T, D] { return Linear[D, 4 * D](x) }
loss(x: int[B, T], y: [B]) = mse(M(x), y)
backward {
  Block.*.SelfAttention: sus(c: 25)
  Block.0.X: exact
  **: lowrank(degree: 2, mode: "fast")
}
optimizer adamw(lr: 3e-4, betas: (0.9, 0.95))
// the end
`;

/** A tree without its places, for comparison. */
export const withoutSpans = (tree: unknown): unknown =>
  JSON.parse(JSON.stringify(tree, (key, value: unknown) => (key === "span" || key === "operatorSpan" ? undefined : value)));
