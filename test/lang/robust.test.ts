/** @file Whatever the text, checking answers with diagnostics: it does not throw, hang, or point outside of the text. */

import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { checkSource } from "../../compiler/check/index.ts";
import { lowerProgram } from "../../compiler/lower/index.ts";
import { noise } from "./support.ts";

const folder = new URL("../../examples/", import.meta.url);
const texts = readdirSync(folder).filter((name) => name.endsWith(".sq")).sort().map((name) => readFileSync(new URL(name, folder), "utf8"));

const pieces = (text: string): readonly string[] => text.match(/\w+|\s+|[^\w\s]/g) ?? [];

/** One to three words deleted, doubled, swapped, or replaced by another word of the text. */
const mutate = (text: string, seed: number): string => {
  const words = [...pieces(text)];
  const draws = noise(10, seed).map((v) => (v + 1) / 2);
  const pick = (i: number): number => Math.floor((draws[i] ?? 0) * words.length);
  for (let i = 0; i < 1 + Math.floor((draws[9] ?? 0) * 3); i++) {
    const [at, other] = [pick(3 * i), pick(3 * i + 1)];
    const kind = Math.floor((draws[3 * i + 2] ?? 0) * 4);
    if (kind === 0) words.splice(at, 1);
    else if (kind === 1) words.splice(at, 0, words[at] ?? "");
    else if (kind === 2) [words[at], words[other]] = [words[other] ?? "", words[at] ?? ""];
    else words[at] = words[other] ?? "";
  }
  return words.join("");
};

test("500 mutations of the examples", () => {
  for (let seed = 0; seed < 500; seed++) {
    const text = mutate(texts[seed % texts.length] ?? "", seed);
    const { diagnostics, program, sources } = checkSource(text, "mutant.sq");
    if (program !== null) lowerProgram(program);
    else expect(diagnostics.some((d) => d.severity === "error"), text).toBe(true);
    for (const { labels, code } of diagnostics)
      for (const { span } of labels) {
        const length = sources.get(span.file)?.length ?? -1;
        expect(span.start >= 0 && span.start <= span.end && span.end <= length, `${code} in\n${text}`).toBe(true);
      }
  }
});

test("awkward texts", () => {
  for (const text of ["", "\0", "model", "layer {", "loss() = ", "dim", "import", "fn f(x = f) = x", "model M() { }", "backward { : }", "optimizer", "model M(x: [0]) { return x }"])
    expect(checkSource(text, "awkward.sq").program, text).toBeNull();
});
