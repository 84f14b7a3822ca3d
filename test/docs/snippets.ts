/** @file Code in the documents as whole programs: model files with the dims and inputs that a snippet takes for granted. */

import { checkSource } from "../../compiler/check/index.ts";
import { parse } from "../../compiler/syntax/parse.ts";
import { blocksOf, DOCUMENTS } from "./markdown.ts";
import type { Block } from "./markdown.ts";

/** What a block of `sq` says about itself: a whole program or its declarations; statements of a body (`body`); a wrong
 *  program with the code it gives (`SQ0303`); text that only has to parse (`fragment`); part of the library (`library`). */
export type Kind = "program" | "body" | "wrong" | "fragment" | "library";

export const sqBlocks: readonly Block[] = DOCUMENTS.flatMap((path) => blocksOf(path)).filter(({ language }) => language === "sq");

export const kindOf = ({ words: [word] }: Block): Kind => {
  if (word === undefined) return "program";
  if (/^SQ\d{4}$/.test(word)) return "wrong";
  if (word === "body" || word === "fragment" || word === "library") return word;
  throw new Error(`\`\`\`sq ${word}: a block is marked body, fragment, library or with a code`);
};

const DIMS: Readonly<Record<string, string>> = { B: "2", T: "6", M: "6", D: "8", H: "4", G: "2", K: "2", V: "11", L: "2", N: "5" };

const INPUTS = [
  "x: [B, T, D]", "y: [B, T, D]", "q, k, v: [B, H, T, K]", "keys, values: [B, G, T, K]", "scores: [B, H, T, T]",
  "ids: int[B, T]", "lengths: int[B]", "logits: [B, T, V]", "targets: int[B, T]", "table: [V, D]", "allowed: bool[T, T]",
];

const inputs = INPUTS.flatMap((entry) => {
  const [names = "", type = ""] = entry.split(": ");
  return names.split(", ").map((name) => `${name}: ${type}`);
}).join(", ");

/** Dims that the text uses and does not declare. */
const prelude = (text: string): string =>
  Object.entries(DIMS)
    .filter(([name]) => new RegExp(`\\b${name}\\b`).test(text) && !new RegExp(`\\b(dim|layer|fn) ${name}\\b|^(layer|fn) \\w+\\[[^\\]]*\\b${name}\\b`, "m").test(text))
    .map(([name, size]) => `dim ${name} = ${size}\n`)
    .join("");

const asProgram = (block: Block): string => {
  if (kindOf(block) !== "body") return prelude(block.text) + block.text;
  const text = `layer Snippet(${inputs}) {\n${block.text}\n  return x\n}\n`;
  return prelude(text) + text;
};

/** The codes of everything that is wrong with a block, each with its message. */
export const complaints = (block: Block): string[] => {
  const kind = kindOf(block);
  const { diagnostics } = kind === "fragment" || kind === "library" ? parse(block.text, "fragment.sq") : checkSource(asProgram(block), "block.sq");
  return diagnostics.filter(({ severity }) => severity === "error").map(({ code, message }) => `${code} ${message}`);
};
