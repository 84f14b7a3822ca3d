/** @file The command line in memory: what it wrote and how it ended; and small models to try it on. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect } from "vitest";
import type { Io } from "../../compiler/cli/io.ts";
import { main } from "../../compiler/cli/main.ts";

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `subquad ARGV`. `io` replaces parts of the in-memory outside. */
export const subquad = async (argv: readonly string[], io: Partial<Io> = {}): Promise<Outcome> => {
  let [out, err] = ["", ""];
  const code = await main(argv, {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    terminal: false,
    columns: 100,
    input: () => "",
    onInterrupt: () => () => {},
    ...io,
  });
  return { code, out, err };
};

/** The same for a call that must go well. */
export const succeed = async (argv: readonly string[], io: Partial<Io> = {}): Promise<Outcome> => {
  const outcome = await subquad(argv, io);
  expect(outcome.err + outcome.out).not.toMatch(/^error/m);
  expect(outcome.code).toBe(0);
  return outcome;
};

/** A folder for the tests of one file, removed after them. */
export const scratch = (): ((name: string, content?: string | Uint8Array) => string) => {
  const folder = mkdtempSync(join(tmpdir(), "subquad-test-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return (name, content) => {
    const path = join(folder, name);
    if (content !== undefined) writeFileSync(path, content);
    return path;
  };
};

/** One attention, one table, bytes in and out: the smallest thing that trains and samples. */
export const SMALL = `dim B = 2
dim T = 8
dim V = 256
dim D = 8
dim H = 2
dim K = D / H

layer Attention(x: [B, T, D]) -> [B, T, D] {
  param wq, wk, wv: [D, H, K] ~ normal(std: 0.3)
  param wo: [H, K, D] ~ normal(std: 0.3)
  let q = einsum(x, wq, "b t d, d h k -> b h t k")
  let k = einsum(x, wk, "b t d, d h k -> b h t k")
  let v = einsum(x, wv, "b t d, d h k -> b h t k")
  return einsum(attention(q, k, v, mask: causal), wo, "b h t k, h k d -> b t d")
}

model Small(tokens: int[B, T]) -> [B, T, V] {
  param embed: [V, D] ~ normal(std: 0.3)
  let x = embed[tokens]
  return (x + Attention(x)) @ embed.T
}

loss(tokens: int[B, T], targets: int[B, T]) = cross_entropy(Small(tokens), targets)

optimizer adamw(lr: 1e-2)
`;

export const TEXT = "the quick brown fox jumps over the lazy dog. ".repeat(40);
