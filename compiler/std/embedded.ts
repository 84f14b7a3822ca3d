/** @file Generated from the `.sq` files of this folder by `npm run bless`. Do not edit.
 *  The compiler runs where there is no file system, so it carries its standard library with it. */

export const STANDARD_LIBRARY: readonly { readonly file: string; readonly text: string }[] = [
  {
    file: "std/activations.sq",
    text: `// Activation functions, element by element.

// x times the probability that a standard normal number is below x.
fn gelu(x) = 0.5 * x * (1 + erf(x * sqrt(0.5)))

// The approximation of gelu by tanh, as in GPT-2.
fn gelu_tanh(x) = 0.5 * x * (1 + tanh(sqrt(0.6366197723675814) * (x + 0.044715 * x ** 3)))

// x * sigmoid(x), also called swish.
fn silu(x) = x * sigmoid(x)

// The gated form: silu(gate) * x.
fn swiglu(gate, x) = silu(gate) * x

fn geglu(gate, x) = gelu(gate) * x

// The square of relu.
fn relu2(x) = relu(x) ** 2

fn leaky_relu(x, slope = 0.01) = max(x, slope * x)

// log(1 + exp(x)), without overflow.
fn softplus(x) = max(x, 0) + log(1 + exp(-abs(x)))

// Bends scores smoothly below \`cap\`: cap * tanh(x / cap).
fn softcap(x, cap) = cap * tanh(x / cap)
`,
  },
  {
    file: "std/losses.sq",
    text: `// Losses.

// The mean of the squared differences.
fn mse(x, y) {
  let off = x - y
  return mean(off * off)
}

// The mean of -log of the probability sigmoid(logit) gives to targets of 0 and 1 (or between).
fn binary_cross_entropy(logits, targets) {
  let above = max(logits, 0) + log(1 + exp(-abs(logits)))
  return mean(above - logits * targets)
}
`,
  },
  {
    file: "std/norms.sq",
    text: `// Normalisations and the linear layer.

// (x - mean) / sqrt(variance + eps) over the last axis, scaled and shifted.
layer LayerNorm[N](x: [..., N], eps: float = 1e-5) -> [..., N] {
  param gain: [N] ~ ones
  param bias: [N] ~ zeros
  let centred = x - mean(x, axis: -1, keep: true)
  let variance = mean(centred * centred, axis: -1, keep: true)
  return centred * rsqrt(variance + eps) * gain + bias
}

// x / sqrt(mean(x^2) + eps) over the last axis, scaled.
layer RmsNorm[N](x: [..., N], eps: float = 1e-6) -> [..., N] {
  param gain: [N] ~ ones
  let square = mean(x * x, axis: -1, keep: true)
  return x * rsqrt(square + eps) * gain
}

// x @ weight + bias.
layer Linear[N, M](x: [..., N]) -> [..., M] {
  param weight: [N, M] ~ normal(std: 1 / sqrt(N))
  param bias: [M] ~ zeros
  return x @ weight + bias
}
`,
  },
  {
    file: "std/positions.sq",
    text: `// Positions: rotary, ALiBi, sinusoidal.

// Rotary positions for queries or keys [..., T, K], K even. Component i is paired with i + K/2 (the convention of GPT-NeoX
// and of Llama in the transformers library); pair i of token t turns by the angle t * base^(-2i/K).
fn rope[T, K](x: [..., T, K], base = 10000) {
  let left, right = split(x, 2, axis: -1)
  let turns = exp(float(arange(K / 2)) * (-2 * log(base) / K))
  let angle = rearrange(float(arange(T)), "t -> t 1") * turns
  return concat(left * cos(angle) - right * sin(angle), right * cos(angle) + left * sin(angle), axis: -1)
}

// The slopes of ALiBi for H heads: 2^(-8/H), 2^(-16/H), …, 2^-8.
fn alibi_slopes(heads) = exp(float(arange(heads) + 1) * (-8 * log(2) / heads))

// ALiBi's score bias [H, N, M]: minus the slope times the distance from query to key, both ending at the same token.
fn alibi(heads, queries, keys) {
  let i = rearrange(arange(queries), "n -> n 1") + (keys - queries)
  let distance = float(abs(i - arange(keys)))
  return -distance * rearrange(alibi_slopes(heads), "h -> h 1 1")
}

// Sinusoidal positions [T, D], D even: sines in the first half, cosines in the second.
fn sinusoidal(tokens, width) {
  let turns = exp(float(arange(width / 2)) * (-2 * log(10000) / width))
  let angle = rearrange(float(arange(tokens)), "t -> t 1") * turns
  return concat(sin(angle), cos(angle), axis: -1)
}
`,
  },
];
