/** @file `bench/gpt-small.sq` and a step of AdamW in jax-js, one compiled function. The table of embeddings is read by a
 *  product with one-hot rows: jax-js has no derivative of indexing. */

import type { Adamw } from "../../ir/optimizer-spec.ts";
import type { TrainingTask } from "./contract.ts";
import type { Jax, JaxArray, JaxTree } from "./jax-api.ts";

/** Takes a parameter by name, as another reference. */
type Parameter = (name: string) => JaxArray;

const block = ({ numpy: np, nn }: Jax, x: JaxArray, of: Parameter): JaxArray => {
  const norm = (y: JaxArray, i: number): JaxArray => nn.standardize(y, -1, { epsilon: 1e-5 }).mul(of(`LayerNorm.${i}.gain`)).add(of(`LayerNorm.${i}.bias`));
  const y = norm(x.ref, 0);
  const [q, k, v] = ["q", "k", "v"].map((name) => np.einsum("td,dhk->thk", y.ref, of(`SelfAttention.w${name}`))) as [JaxArray, JaxArray, JaxArray];
  const attended = nn.dotProductAttention(q, k, v, { isCausal: true });
  const h = x.add(np.einsum("thk,hkd->td", attended, of("SelfAttention.wo")));
  const inner = nn.gelu(np.matmul(norm(h.ref, 1), of("Mlp.up")), { approximate: false });
  return h.add(np.matmul(inner, of("Mlp.down")));
};

/** The mean of -log softmax(logits)[target]. */
const lossOf = (jax: Jax, { layers, vocabulary, length }: TrainingTask) => (parameters: JaxTree, tokens: JaxArray, targets: JaxArray): JaxArray => {
  const { numpy: np, nn } = jax;
  const of: Parameter = (name) => (parameters[name] as JaxArray).ref;
  let x = np.matmul(nn.oneHot(tokens, vocabulary), of("embed")).add(of("position"));
  for (let i = 0; i < layers; i += 1) x = block(jax, x, (name) => of(`Block.${i}.${name}`));
  const y = nn.standardize(x, -1, { epsilon: 1e-5 }).mul(of("LayerNorm.gain")).add(of("LayerNorm.bias"));
  const logits = np.einsum("td,vd->tv", y, of("embed"));
  return np.sum(nn.logSoftmax(logits, -1).mul(nn.oneHot(targets, vocabulary))).mul(-1 / length);
};

export interface JaxState {
  readonly [part: string]: JaxTree;
  readonly p: JaxTree;
  readonly m: JaxTree;
  readonly v: JaxTree;
}

/** min(1, clip / (|g| + 1e-6)) over all parameters together. */
const clipFactor = ({ numpy: np }: Jax, gradients: readonly JaxArray[], clip: number): JaxArray => {
  const squares = gradients.map((g) => np.sum(g.ref.mul(g.ref)));
  const norm = np.sqrt(squares.reduce((total, square) => total.add(square)));
  return np.minimum(np.array([clip], { dtype: np.float32, shape: [] }).div(norm.add(1e-6)), 1);
};

/** (state, tokens, targets, 1 - beta1^t, 1 - beta2^t) to the loss and the next state. */
export const trainingStep = (jax: Jax, task: TrainingTask) => {
  const { numpy: np } = jax;
  const { lr, betas: [beta1, beta2], eps, weight_decay, clip }: Adamw = task.optimizer;
  const ranks = new Map(task.parameters.map(({ name, shape }) => [name, shape.length]));
  const gradient = jax.valueAndGrad<[JaxTree, JaxArray, JaxArray], JaxTree>(lossOf(jax, task));
  return jax.jit(({ p, m, v }: JaxState, tokens: JaxArray, targets: JaxArray, correct1: JaxArray, correct2: JaxArray): [JaxArray, JaxState] => {
    const [loss, gradients] = gradient(jax.tree.ref(p), tokens, targets);
    const factor = clipFactor(jax, Object.values(gradients), clip);
    const next = Object.entries(gradients).map(([name, g]): readonly [string, Record<"p" | "m" | "v", JaxArray>] => {
      const clipped = g.mul(factor.ref);
      const mean = (m[name] as JaxArray).mul(beta1).add(clipped.ref.mul(1 - beta1));
      const square = (v[name] as JaxArray).mul(beta2).add(clipped.ref.mul(clipped).mul(1 - beta2));
      const old = p[name] as JaxArray;
      const direction = mean.ref.div(correct1.ref).div(np.sqrt(square.ref.div(correct2.ref)).add(eps));
      const decayed = (ranks.get(name) ?? 0) >= 2 ? direction.add(old.ref.mul(weight_decay)) : direction;
      return [name, { p: old.sub(decayed.mul(lr)), m: mean, v: square }];
    });
    const part = (of: "p" | "m" | "v"): JaxTree => Object.fromEntries(next.map(([name, updated]) => [name, updated[of]]));
    return [loss, { p: part("p"), m: part("m"), v: part("v") }];
  });
};
