/** @file Attention by itself, as a model: what `subquad bench attention` times. Queries, keys and values are its parameters,
 *  since gradients are taken of parameters. */

export const ATTENTION = "attention";

export const ATTENTION_MODEL = `// Causal attention by itself.

dim B = 1     // sequences
dim H = 4     // heads of queries
dim G = H     // heads of keys and values
dim T = 1024  // queries, and keys
dim K = 64    // width of queries and keys
dim E = K     // width of values

model Attention() -> [B, H, T, E] {
  param q: [B, H, T, K] ~ normal(std: 1)
  param k: [B, G, T, K] ~ normal(std: 1)
  param v: [B, G, T, E] ~ normal(std: 1)
  return attention(q, k, v, mask: causal)
}

loss(d_o: [B, H, T, E]) = sum(Attention() * d_o)
`;
