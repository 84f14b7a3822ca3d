/** @file Textual pipelines: `canonicalize,differentiate{of=loss,to=grad},cse`. An option may be quoted (`{of="my loss"}`);
 *  a flag is written by its name alone. */

import { diagnostic } from "../ir/codes.ts";
import type { Code } from "../ir/codes.ts";
import { DiagnosticError } from "../ir/diagnostic.ts";
import type { AnyPass, OptionValue } from "./pass.ts";
import { PIPELINES } from "./pipelines.ts";
import { PASSES, passByName } from "./registry.ts";
import type { Pipeline, Step } from "./run.ts";

/** The pipeline a text spells; the name of a ready-made pipeline stands for its passes.
 *  @throws DiagnosticError with the place of the mistake */
export const parsePipeline = (text: string): Pipeline => {
  const reader = new Reader(text);
  const steps: Step[] = [];
  do steps.push(...readStep(reader));
  while (reader.take(","));
  if (!reader.atEnd()) reader.refuse("SQ0408", "expected `,` between passes");
  return steps;
};

/** The text that `parsePipeline` reads back. */
export const printPipeline = (pipeline: Pipeline): string =>
  pipeline
    .map(({ pass, options }) => {
      const written = Object.entries(options)
        .filter(([key, value]) => value !== pass.options[key]?.fallback)
        .map(([key, value]) => (value === true ? key : `${key}=${optionText(value)}`));
      return written.length === 0 ? pass.name : `${pass.name}{${written.join(",")}}`;
    })
    .join(",");

const optionText = (value: OptionValue): string =>
  typeof value === "string" && !/^[^\s,={}"]+$/.test(value) ? JSON.stringify(value) : `${value}`;

const readStep = (reader: Reader): Pipeline => {
  const name = reader.word();
  if (name === "") return reader.refuse("SQ0408", "expected the name of a pass");
  const ready = Object.entries(PIPELINES).find(([key]) => key === name)?.[1];
  if (ready !== undefined) return ready;
  const pass = passByName(name);
  if (pass === undefined) return reader.refuse("SQ0408", `there is no pass \`${name}\``, suggestion(name));
  return [{ pass, options: readOptions(reader, pass) }];
};

const readOptions = (reader: Reader, pass: AnyPass): Readonly<Record<string, OptionValue>> => {
  const options: Record<string, OptionValue> = {};
  if (!reader.take("{") || reader.take("}")) return options;
  do {
    const key = reader.word();
    const option = pass.options[key];
    if (option === undefined) {
      const known = Object.keys(pass.options);
      const facts = known.length === 0 ? `${pass.name} has no options` : `its options: ${known.join(", ")}`;
      return reader.refuse("SQ0409", `pass \`${pass.name}\` has no option \`${key}\``, facts);
    }
    if (key in options) return reader.refuse("SQ0409", `option \`${key}\` is given twice`);
    options[key] = option.kind === "flag" && !reader.take("=") ? true : readValue(reader, key, option.kind);
  } while (reader.take(","));
  if (!reader.take("}")) return reader.refuse("SQ0408", "expected `,` or `}` after an option");
  return options;
};

const readValue = (reader: Reader, key: string, kind: "number" | "string" | "flag"): OptionValue => {
  if (kind !== "flag" && !reader.take("=")) return reader.refuse("SQ0409", `option \`${key}\` needs a value: \`${key}=…\``);
  const text = reader.value();
  if (kind === "string") return text;
  if (kind === "flag" && (text === "true" || text === "false")) return text === "true";
  const number = Number(text);
  if (kind === "number" && text !== "" && Number.isFinite(number)) return number;
  return reader.refuse("SQ0409", `option \`${key}\` takes ${kind === "flag" ? "true or false" : "a number"}, not \`${text}\``);
};

/** The nearest pass names, if any is near; else all of them. */
const suggestion = (name: string): string => {
  const names = [...PASSES.map((pass) => pass.name), ...Object.keys(PIPELINES)];
  const [nearest] = names.map((known) => ({ known, distance: editDistance(name, known) })).sort((a, b) => a.distance - b.distance);
  return nearest !== undefined && nearest.distance <= 3 ? `did you mean \`${nearest.known}\`?` : `passes: ${names.join(", ")}`;
};

const editDistance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
};

class Reader {
  readonly #text: string;
  #at = 0;
  #last = 0;

  constructor(text: string) {
    this.#text = text;
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return "";
    this.#last = this.#at + match[0].length - match[0].trimStart().length;
    this.#at += match[0].length;
    return match[0].trim();
  }

  take(symbol: "," | "{" | "}" | "="): boolean {
    return this.#match(new RegExp(`\\s*\\${symbol}\\s*`, "y")) !== "";
  }

  word(): string {
    return this.#match(/\s*[\w-]+\s*/y);
  }

  /** Everything up to the next separator, or a quoted text. */
  value(): string {
    const quoted = this.#match(/\s*"[^"]*"\s*/y);
    return quoted === "" ? this.#match(/\s*[^\s,={}"]+\s*/y) : quoted.slice(1, -1);
  }

  atEnd(): boolean {
    return this.#at === this.#text.length;
  }

  /** Throws; the notes show the text with a mark under the last thing read. */
  refuse(code: Code, message: string, ...facts: readonly string[]): never {
    const column = this.atEnd() ? this.#last : Math.max(this.#last, 0);
    const notes = [`  ${this.#text}`, `  ${" ".repeat(column)}^`, ...facts];
    throw new DiagnosticError([diagnostic(code, message, { notes })]);
  }
}
