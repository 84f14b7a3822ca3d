/** @file Names: every one that is used is declared, and stands for the kind of thing its place demands. Runs once over the
 *  source, before anything is elaborated; elaboration passes over what was reported here. */

import type { Declaration, Name, SourceFile } from "../syntax/ast.ts";
import { BodyNames } from "./body-names.ts";
import { builtinByName } from "./builtins/index.ts";
import type { Reporter } from "./report.ts";
import { dimDeclarations, isDefinition } from "./sources.ts";
import type { Program, Unit } from "./sources.ts";

const SINGLE: ReadonlySet<Declaration["kind"]> = new Set<Declaration["kind"]>(["model", "loss", "backward", "optimizer"]);

export const checkNames = (program: Program, reporter: Reporter): void => {
  const { main } = program;
  if (main.ast.declarations.length === 0 && !reporter.failed)
    reporter.error("SQ0004", `\`${main.file}\` declares nothing`, null, { hint: "a program has a `model` and a `loss`; see `subquad new`" });
  const dims = new Map(dimDeclarations(program).map((decl) => [decl.name.text, decl.name.span]));
  // Where the parser had to guess, what is not used may have been lost with what could not be read.
  const broken = new Set(reporter.diagnostics.map((d) => d.labels[0]?.span.file));
  for (const unit of program.units) {
    if (unit.standard) continue;
    checkDeclared(unit.ast, reporter);
    const used = new Set<string>();
    for (const decl of unit.ast.declarations) new BodyNames({ program, unit, reporter, dims, used, broken: broken.has(unit.file) }).check(decl);
    if (!broken.has(unit.file)) checkImports(unit, used, reporter);
  }
};

const nameOf = (decl: Declaration): Name | null => (decl.kind === "dim" || isDefinition(decl) ? decl.name : null);

const checkDeclared = (ast: SourceFile, reporter: Reporter): void => {
  const seen = new Map<string, Name>();
  const singles = new Map<string, Declaration>();
  for (const decl of ast.declarations) {
    const single = singles.get(decl.kind);
    if (single !== undefined && SINGLE.has(decl.kind))
      reporter.error("SQ0214", `a second \`${decl.kind}\``, nameOf(decl)?.span ?? keyword(decl), {
        labels: [{ span: nameOf(single)?.span ?? keyword(single), text: "the first" }],
      });
    singles.set(decl.kind, single ?? decl);
    const name = nameOf(decl);
    if (name === null) continue;
    const first = seen.get(name.text);
    if (first !== undefined)
      reporter.error("SQ0202", `\`${name.text}\` is declared twice`, name.span, { labels: [{ span: first.span, text: "first declared here" }] });
    else if (isDefinition(decl) && builtinByName(name.text) !== undefined)
      reporter.error("SQ0202", `\`${name.text}\` is the name of a builtin`, name.span, { hint: "choose another name" });
    seen.set(name.text, first ?? name);
  }
};

/** The first word of a declaration that has no name. */
const keyword = (decl: Declaration): Declaration["span"] => ({ ...decl.span, end: decl.span.start + decl.kind.length });

const checkImports = (unit: Unit, used: ReadonlySet<string>, reporter: Reporter): void => {
  for (const decl of unit.ast.declarations) {
    if (decl.kind !== "import") continue;
    for (const name of decl.names ?? [])
      if (unit.definitions.has(name.text) && !used.has(name.text) && unit.definitions.get(name.text)?.decl.kind !== "model")
        reporter.warning("SQ0226", `\`${name.text}\` is imported and never used`, name.span);
  }
};
