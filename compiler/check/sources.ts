/** @file The files of a program: the one that was asked for, those it imports, and the standard library.
 *
 *  A file sees its own layers and functions, those it imports, and the standard library's, in this order. Dims belong to
 *  the whole program: a name means one size everywhere, and the importing file's value wins. */

import { parse } from "../syntax/parse.ts";
import type { DimDecl, FnDecl, ImportDecl, LayerDecl, ModelDecl, SourceFile } from "../syntax/ast.ts";
import { STANDARD_LIBRARY } from "../std/embedded.ts";
import type { Reporter } from "./report.ts";
import { didYouMean } from "./suggest.ts";

export type ReadImport = (from: string, importer: string) => { readonly file: string; readonly text: string } | null;

export interface Definition {
  readonly decl: LayerDecl | FnDecl | ModelDecl;
  readonly unit: Unit;
}

export interface Unit {
  readonly file: string;
  readonly text: string;
  readonly ast: SourceFile;
  /** What names mean in this file, the standard library left out. */
  readonly definitions: Map<string, Definition>;
  /** Part of the standard library. */
  readonly standard: boolean;
}

export interface Program {
  readonly main: Unit;
  readonly units: readonly Unit[];
  readonly library: ReadonlyMap<string, Definition>;
}

export const isDefinition = (decl: { readonly kind: string }): decl is LayerDecl | FnDecl | ModelDecl =>
  decl.kind === "layer" || decl.kind === "fn" || decl.kind === "model";

const own = (unit: Unit): readonly Definition[] => unit.ast.declarations.filter(isDefinition).map((decl) => ({ decl, unit }));

const unitOf = (text: string, file: string, reporter: Reporter, standard = false): Unit => {
  const { ast, diagnostics } = parse(text, file);
  reporter.diagnostics.push(...diagnostics);
  return { file, text, ast, definitions: new Map(), standard };
};

let library: { readonly units: readonly Unit[]; readonly definitions: ReadonlyMap<string, Definition> } | null = null;

/** The standard library, parsed once. Its files see each other. */
const standardLibrary = (reporter: Reporter): NonNullable<typeof library> => {
  if (library !== null) return library;
  const units = STANDARD_LIBRARY.map(({ file, text }) => unitOf(text, file, reporter, true));
  library = { units, definitions: new Map(units.flatMap(own).map((d) => [d.decl.name.text, d])) };
  return library;
};

export const lookupDefinition = (program: Program, unit: Unit, name: string): Definition | undefined =>
  unit.definitions.get(name) ?? program.library.get(name);

export const loadProgram = (text: string, file: string, readImport: ReadImport | undefined, reporter: Reporter): Program => {
  const std = standardLibrary(reporter);
  const main = unitOf(text, file, reporter);
  const units = new Map([[file, main]]);
  const pending = [main];
  const links: Link[] = [];
  for (let unit = pending.pop(); unit !== undefined; unit = pending.pop()) {
    const imports = unit.ast.declarations.filter((d) => d.kind === "import");
    for (const decl of imports) {
      const target = readUnit(decl, unit, units, pending, readImport, reporter);
      if (target === null) continue;
      links.push({ decl, from: unit, to: target });
      bindImport(decl, unit, target, reporter);
    }
    for (const definition of own(unit)) unit.definitions.set(definition.decl.name.text, definition);
  }
  reportCircle(links, main, [], reporter);
  return { main, units: [...units.values(), ...std.units], library: std.definitions };
};

interface Link {
  readonly decl: ImportDecl;
  readonly from: Unit;
  readonly to: Unit;
}

/** Follows imports from `unit`; `trail` led there. Says whether a circle was found. */
const reportCircle = (links: readonly Link[], unit: Unit, trail: readonly Unit[], reporter: Reporter): boolean =>
  links.some(({ decl, from, to }) => {
    if (from !== unit) return false;
    const path = [...trail, unit];
    if (!path.includes(to)) return reportCircle(links, to, path, reporter);
    const files = [...path.slice(path.indexOf(to)), to].map((u) => u.file).join(" → ");
    reporter.error("SQ0006", "files import each other in a circle", decl.from.span, { notes: [files], hint: "move what both need to a third file" });
    return true;
  });

const readUnit = (
  decl: ImportDecl,
  importer: Unit,
  units: Map<string, Unit>,
  pending: Unit[],
  readImport: ReadImport | undefined,
  reporter: Reporter,
): Unit | null => {
  const found = readImport?.(decl.from.text, importer.file) ?? null;
  if (found === null) {
    reporter.error("SQ0005", `cannot read \`${decl.from.text}\``, decl.from.span, {
      here: "imported here",
      notes: ["the path of an import is relative to the file it stands in"],
    });
    return null;
  }
  const known = units.get(found.file);
  if (known !== undefined) return known;
  const unit = unitOf(found.text, found.file, reporter);
  units.set(found.file, unit);
  pending.push(unit);
  return unit;
};

const bindImport = (decl: ImportDecl, unit: Unit, target: Unit, reporter: Reporter): void => {
  const offered = new Map(own(target).map((d) => [d.decl.name.text, d]));
  if (decl.names === null) {
    for (const [name, definition] of offered) unit.definitions.set(name, definition);
    return;
  }
  for (const name of decl.names) {
    const definition = offered.get(name.text);
    if (definition !== undefined) unit.definitions.set(name.text, definition);
    else if (!target.ast.declarations.some((d) => d.kind === "dim" && d.name.text === name.text))
      reporter.error("SQ0212", `\`${decl.from.text}\` has no \`${name.text}\``, name.span, didYouMean(name.text, offered.keys()));
  }
};

/** Every dim declaration; the first of a name counts. */
export const dimDeclarations = (program: Program): readonly DimDecl[] =>
  program.units.flatMap((unit) => unit.ast.declarations.filter((d) => d.kind === "dim"));
