/** @file What the generated sections of the documents hold, made from the registries they describe. A section is written
 *  `<!-- generated: NAME ARGUMENT -->` … `<!-- end -->` in a document; BLESS=1 fills it. */

import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { BUILTINS } from "../../compiler/check/builtins/index.ts";
import { INITIALISERS } from "../../compiler/check/initialisers.ts";
import { STANDARD_LIBRARY } from "../../compiler/std/embedded.ts";
import { POLICIES } from "../../ir/backward-policy.ts";
import { CODES } from "../../ir/codes.ts";
import { OPTIMIZERS, printOptimizer } from "../../ir/optimizer-spec.ts";
import { printPipeline } from "../../passes/parse-pipeline.ts";
import { PIPELINES } from "../../passes/pipelines.ts";
import { PASSES } from "../../passes/registry.ts";
import { EXACT_RULES } from "../../passes/rules/index.ts";
import { ROOT, filesBelow } from "../tools.ts";
import { runSubquad } from "./console.ts";
import { rankRows } from "./ranks.ts";

type Section = (argument: string) => string | Promise<string>;

const cell = (text: string): string => text.replaceAll("|", "\\|");
const code = (text: string): string => `\`${cell(text)}\``;

const table = (titles: readonly string[], rows: readonly (readonly string[])[]): string =>
  [titles, titles.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

const fenced = (language: string, text: string): string => `\`\`\`${language}\n${text.trimEnd()}\n\`\`\``;

/** What `subquad COMMAND --help` prints; that of `subquad` itself without an argument. */
const help: Section = async (command) => {
  const argv = command === "" ? ["--help"] : [command, "--help"];
  const { exit, all } = await runSubquad(argv);
  if (exit !== 0) throw new Error(`\`subquad ${argv.join(" ")}\` exits with ${exit}`);
  return fenced("text", all);
};

const builtins: Section = () => table(["builtin", ""], BUILTINS.map(({ signature, summary }) => [code(signature), cell(summary)]));

/** A file of the standard library as it stands, its first comment left out. */
const library: Section = (name) => {
  const unit = STANDARD_LIBRARY.find(({ file }) => file.endsWith(`${name}.sq`));
  if (unit === undefined) throw new Error(`the standard library has no ${name}.sq`);
  return fenced("sq library", unit.text.slice(unit.text.indexOf("\n\n") + 2));
};

const initialisers: Section = () =>
  table(
    ["initialiser", "settings and their defaults"],
    Object.entries(INITIALISERS).map(([name, { settings }]) => {
      const shown = Object.entries(settings).map(([key, value]) => (Number.isNaN(value) ? `${key} (required)` : `${key}: ${value}`));
      return [code(name), shown.length === 0 ? "none" : shown.map(code).join(", ")];
    }),
  );

const optimizers: Section = () => fenced("text", Object.values(OPTIMIZERS).map(printOptimizer).join("\n"));

const policies: Section = () =>
  table(
    ["policy", "", "settings"],
    Object.entries(POLICIES).map(([name, { doc, settings }]) => {
      const rows = Object.entries(settings).map(([key, { fallback, takes, doc: what }]) => {
        const otherwise = fallback === undefined ? "required" : fallback === null || fallback === 0 ? "otherwise none" : `otherwise \`${String(fallback)}\``;
        return `${code(key)}, ${takes}: ${cell(what)} (${otherwise})`;
      });
      return [code(name), cell(doc), rows.length === 0 ? "none" : rows.join("<br>")];
    }),
  );

const codeTable: Section = () =>
  table(["code", ""], Object.entries(CODES).map(([name, { title }]) => [`[${name}](#${name.toLowerCase()})`, cell(title)]));

const codes: Section = () =>
  Object.entries(CODES)
    .map(([name, { title, explanation, bad, good }]) => {
      const examples = ["Wrong:", "", fenced("text", bad), "", "Right:", "", fenced("text", good)];
      return [`### ${name}`, "", `**${title}.** ${explanation}`, "", ...examples, ""].join("\n");
    })
    .join("\n");

/** Where a pass is defined, below `passes/`. */
const fileOf = (pass: string): string => {
  const found = filesBelow("passes", ".ts").filter((file) => readFileSync(join(ROOT, file), "utf8").includes(`definePass({\n  name: "${pass}"`));
  if (found.length !== 1) throw new Error(`${pass} is defined in ${found.length} files`);
  return relative("passes", found[0] ?? "");
};

const passes: Section = () =>
  table(
    ["pass", "", "options", "needs", "leaves"],
    PASSES.map(({ name, summary, options, before, after }) => {
      const shown = Object.entries(options).map(([key, { kind, fallback, help: text }]) => {
        const value = kind === "flag" ? key : `${key}=${fallback}`;
        return `${code(value)} ${cell(text)}`;
      });
      return [`[${code(name)}](${fileOf(name)})`, cell(summary), shown.join("; "), before, after];
    }),
  );

const pipelines: Section = () =>
  Object.entries(PIPELINES)
    .map(([name, pipeline]) => `- \`${name}\`: \`${printPipeline(pipeline).replaceAll(",", ", ")}\``)
    .join("\n");

const rules: Section = () => table(["rule", "law"], EXACT_RULES.map(({ name, law }) => [code(name), code(law)]));

const ranks: Section = () =>
  table(["width", "degree", "plugin: features", "pays from", "causal", "surrogate: features", "pays from", "causal"], rankRows());

export const SECTIONS: Readonly<Record<string, Section>> = {
  help, builtins, library, initialisers, optimizers, policies, codeTable, codes, passes, pipelines, rules, ranks,
};

/** The contents of the section that `spec` ("help train") names. */
export const makeSection = async (spec: string): Promise<string> => {
  const [name = "", ...words] = spec.split(" ");
  const section = Object.hasOwn(SECTIONS, name) ? SECTIONS[name] : undefined;
  if (section === undefined) throw new Error(`there is no generated section \`${name}\`; there are ${Object.keys(SECTIONS).join(", ")}`);
  return section(words.join(" "));
};
