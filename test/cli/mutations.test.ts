/** @file Thousands of damaged examples: whatever a file holds, the compiler answers with diagnostics or a program, soon.
 *  Seeded; a failure prints the seed and leaves the text in the message. */

import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, it } from "vitest";
import { exitCodeOf } from "../../compiler/cli/exit.ts";
import { check, compile } from "../../compiler/driver.ts";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { renderDiagnostics } from "../../ir/render.ts";
import { randomStream } from "../../runtime/random.ts";
import type { RandomStream } from "../../runtime/random.ts";
import { filesBelow, ROOT } from "../tools.ts";

const COUNT = 2000;
const SECONDS_EACH = 2;

const EXAMPLES = filesBelow("examples", ".sq").map((path) => ({ name: basename(path), text: readFileSync(join(ROOT, path), "utf8") }));

const pick = <T>(random: RandomStream, items: readonly T[]): T => items[random.below(items.length)] as T;

/** A stretch of `text`: where it starts and ends. */
const stretch = (random: RandomStream, text: string, most: number): readonly [number, number] => {
  const start = random.below(text.length);
  return [start, Math.min(text.length, start + 1 + random.below(most))];
};

const tokensOf = (text: string): readonly string[] => text.match(/\w+|"[^"\n]*"|\s+|[^\w\s]/g) ?? [];

const onTokens = (change: (tokens: string[], a: number, b: number) => void) => (text: string, random: RandomStream): string => {
  const tokens = [...tokensOf(text)];
  const words = tokens.flatMap((token, at) => (token.trim() === "" ? [] : [at]));
  change(tokens, pick(random, words), pick(random, words));
  return tokens.join("");
};

type Mutation = (text: string, random: RandomStream) => string;

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  byte: (text, random) => {
    const at = random.below(text.length);
    return text.slice(0, at) + String.fromCharCode(random.below(256)) + text.slice(at + 1);
  },
  deletion: (text, random) => {
    const [start, end] = stretch(random, text, 30);
    return text.slice(0, start) + text.slice(end);
  },
  duplication: (text, random) => {
    const [start, end] = stretch(random, text, 80);
    return text.slice(0, end) + text.slice(start);
  },
  truncation: (text, random) => text.slice(0, random.below(text.length)),
  splice: (text, random) => {
    const other = pick(random, EXAMPLES).text;
    const [start, end] = stretch(random, other, 200);
    const at = random.below(text.length);
    return text.slice(0, at) + other.slice(start, end) + text.slice(at);
  },
  "swapped tokens": onTokens((tokens, a, b) => void ([tokens[a], tokens[b]] = [tokens[b] ?? "", tokens[a] ?? ""])),
  "repeated token": onTokens((tokens, a, b) => void tokens.splice(a, 0, tokens[b] ?? "")),
  "missing token": onTokens((tokens, a) => void tokens.splice(a, 1)),
  "replaced token": onTokens((tokens, a, b) => void (tokens[a] = tokens[b] ?? "")),
  number: (text, random) => {
    const numbers = [...text.matchAll(/\d+/g)];
    const { index, 0: digits } = pick(random, numbers);
    return text.slice(0, index) + pick(random, ["0", "1", "3", "7", "-1", "96", "0.5", "4294967296"]) + text.slice(index + digits.length);
  },
};

/** A changed number may ask for a thousand layers, rightly; such models are lowered, and that is it. */
const MOST_OPERATIONS = 1500;

type Outcome = "refused" | "compiled" | "lowered";

const outcomeOf = (name: string, text: string): { readonly kind: Outcome; readonly operations: number } => {
  const { ok, diagnostics } = check({ file: name, text });
  const rendered = renderDiagnostics(diagnostics, { sourceOf: () => ({ text }) });
  expect(rendered).not.toMatch(/undefined|NaN|\[object|\n\s+at .*:\d+:\d+\)/);
  if (!ok) {
    expect(diagnostics.length).toBeGreaterThan(0);
    return { kind: "refused", operations: 0 };
  }
  try {
    const { model } = compile({ file: name, text, passes: "" });
    const operations = model.funcs.reduce((sum, func) => sum + func.ops.length, 0);
    if (operations > MOST_OPERATIONS) return { kind: "lowered", operations };
    compile({ file: name, text });
    return { kind: "compiled", operations };
  } catch (error) {
    // Some things are only found on the way: a gradient that does not exist.
    expect(error, String(error instanceof Error ? error.stack : error)).toBeInstanceOf(DiagnosticError);
    expect(exitCodeOf(error)).toBe(1);
    return { kind: "refused", operations: 0 };
  }
};

it(`${COUNT} mutations of the examples: no crash, no internal error, none slower than ${SECONDS_EACH} s (and 0.2 s a thousand operations)`, () => {
  const outcomes: Record<Outcome, number> = { refused: 0, compiled: 0, lowered: 0 };
  let slowest = 0;
  for (let seed = 0; seed < COUNT; seed++) {
    const random = randomStream(seed, "mutation");
    const { name, text } = pick(random, EXAMPLES);
    const kinds = Array.from({ length: 1 + random.below(2) }, () => pick(random, Object.keys(MUTATIONS)));
    const mutated = kinds.reduce((sofar, kind) => MUTATIONS[kind]?.(sofar || " ", random) ?? sofar, text);
    const started = process.cpuUsage(); // not the clock: other tests run beside this one
    let operations = 0;
    try {
      const outcome = outcomeOf(name, mutated);
      outcomes[outcome.kind] += 1;
      operations = outcome.operations;
    } catch (error) {
      throw new Error(`seed ${seed}, ${name}, ${kinds.join(" + ")}:\n${String(error instanceof Error ? error.stack : error)}\n${mutated}`);
    }
    const { user, system } = process.cpuUsage(started);
    const seconds = (user + system) / 1e6;
    slowest = Math.max(slowest, seconds);
    expect(seconds, `seed ${seed}, ${name}, ${kinds.join(" + ")}:\n${mutated}`).toBeLessThan(SECONDS_EACH + operations / 5000);
  }
  console.log(`${outcomes.refused} refused, ${outcomes.compiled} compiled, ${outcomes.lowered} too deep for that; the slowest took ${slowest.toFixed(2)} s`);
  expect(outcomes.refused).toBeGreaterThan(COUNT / 4);
  expect(outcomes.compiled).toBeGreaterThan(COUNT / 20);
}, 300_000);
