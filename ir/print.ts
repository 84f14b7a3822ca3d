/** @file The IR as text: MLIR's generic form. Whatever is printed here, `parse.ts` reads back and
 *  `mlir-opt --allow-unregistered-dialect` accepts. One operation a line, however long. */

import type { AttrNode } from "./attrs.ts";
import type { Func, Module, Operation, Param, Result } from "./core.ts";
import { printDictionary, printEntry } from "./text/attr.ts";
import { symbolText } from "./text/literal.ts";
import { printLoc } from "./text/loc.ts";
import { Namer, nameValues } from "./text/names.ts";
import { TypePrinter } from "./text/type.ts";

export interface PrintOptions {
  /** Say where in the `.sq` file every operation comes from. */
  readonly locs?: boolean;
}

/** What the lines of one function share. */
export interface Printing {
  readonly names: Namer;
  readonly types: TypePrinter;
  readonly locs: boolean;
}

/** A printing of `func`'s lines (an operation printed alone is named as in its function). */
export const printingOf = (func: Func, options: PrintOptions = {}, types = new TypePrinter()): Printing => ({
  names: nameValues(func),
  types,
  locs: options.locs ?? false,
});

/** The module, preceded by the type aliases it uses. */
export const printModule = (module: Module, options: PrintOptions = {}): string => {
  const types = new TypePrinter();
  const funcs = module.funcs.map((func) => funcLines(func, printingOf(func, options, types), "  ").join("\n"));
  const name = module.name === "" ? "" : ` ${symbolText(module.name)}`;
  const header = `module${name}${printModuleAttrs(module, types)} {`;
  return [...types.definitions(), header, ...funcs, "}", ""].join("\n");
};

/** One function, preceded by the type aliases it uses: a text that parses by itself. */
export const printFunc = (func: Func, options: PrintOptions = {}): string => {
  const printing = printingOf(func, options);
  const lines = funcLines(func, printing, "");
  return [...printing.types.definitions(), ...lines, ""].join("\n");
};

const FRESH = (): Printing => ({ names: new Namer(), types: new TypePrinter(), locs: false });

/** One line, without indentation. Deep models have a hundred thousand of them, so strings are only ever appended to. */
export const printOperation = (operation: Operation, printing: Printing = FRESH()): string => {
  const { names, types } = printing;
  let [operands, from, results, to] = ["", "", "", ""];
  for (const value of operation.operands) {
    const comma = operands === "" ? "" : ", ";
    operands += `${comma}%${names.of(value)}`;
    from += comma + types.print(value.type);
  }
  for (const value of operation.results) {
    const comma = results === "" ? "" : ", ";
    results += `${comma}%${names.of(value)}`;
    to += comma + types.print(value.type);
  }
  const attrs = printDictionary(attributesOf(operation), types);
  const result = operation.results.length === 1 ? to : `(${to})`;
  const loc = printing.locs ? printLoc(operation.loc) : "";
  const target = results === "" ? "" : `${results} = `;
  return `${target}"sq.${operation.op.mnemonic}"(${operands})${attrs} : (${from}) -> ${result}${loc}`;
};

/** The attributes of an operation as nodes: the op's own, and the discardable `sq.path` and `sq.inline`. */
export const attributesOf = (operation: Operation): [key: string, node: AttrNode][] => {
  const entries: [string, AttrNode][] = [];
  const codecs: typeof operation.op.attrs = operation.op.attrs;
  const values = operation.attrs as Readonly<Record<string, unknown>>;
  for (const key in codecs) {
    const node: AttrNode | null | undefined = codecs[key]?.encode(values[key]);
    if (node !== null && node !== undefined) entries.push([key, node]);
  }
  if (operation.path !== "") entries.push(["sq.path", { kind: "string", value: operation.path }]);
  if (operation.inline) entries.push(["sq.inline", { kind: "unit" }]);
  return entries;
};

/** The lines of a function; line `1 + i` (counting the signature as one entry) is operation `i`. */
export const funcLines = (func: Func, printing: Printing, indent: string): string[] => [
  `${indent}${signature(func, printing, indent)} {`,
  ...func.ops.map((operation) => `${indent}  ${printOperation(operation, printing)}`),
  `${indent}  ${returnLine(func, printing)}`,
  `${indent}}`,
];

const WIDTH = 120;

const signature = (func: Func, printing: Printing, indent: string): string => {
  const params = func.params.map((param) => printParam(param, printing));
  const results = func.results.map((result) => printResult(result, printing));
  const head = `func.func ${symbolText(func.name)}`;
  const arrow = results.length === 0 ? "" : " -> ";
  const line = `${head}(${params.join(", ")})${arrow}${results.length === 0 ? "" : `(${results.join(", ")})`}`;
  if (line.length <= WIDTH) return line;
  const block = (items: readonly string[]): string =>
    items.length === 0 ? "()" : `(\n${items.map((item) => `${indent}    ${item}`).join(",\n")}\n${indent}  )`;
  return `${head}${block(params)}${arrow}${results.length === 0 ? "" : block(results)}`;
};

const text = (value: string): AttrNode => ({ kind: "string", value });

const printParam = ({ value, name, role, init }: Param, { names, types }: Printing): string => {
  const facts: [string, AttrNode][] = [
    ["sq.name", text(name)],
    ["sq.role", text(role)],
  ];
  if (init !== "") facts.push(["sq.init", text(init)]);
  return `%${names.of(value)}: ${types.print(value.type)}${printDictionary(facts, types)}`;
};

const printResult = ({ value, name }: Result, { types }: Printing): string =>
  `${types.print(value.type)}${printDictionary([["sq.name", text(name)]], types)}`;

const returnLine = ({ results }: Func, { names, types }: Printing): string => {
  if (results.length === 0) return "return";
  const values = results.map(({ value }) => `%${names.of(value)}`).join(", ");
  return `return ${values} : ${results.map(({ value }) => types.print(value.type)).join(", ")}`;
};

const printModuleAttrs = (module: Module, types: TypePrinter): string => {
  const entries = Object.entries(module.attrs).map(([key, node]): [string, AttrNode] => [`sq.${key}`, node]);
  const texts = [...entries].sort(byKey).map((entry): [string, string] => [entry[0], printEntry(entry, types)]);
  if (module.dims.size > 0) {
    const sizes = [...module.dims].map(([name, value]): [string, AttrNode] => [name, { kind: "int", value }]);
    texts.push(["sq.dims", `sq.dims =${printDictionary(sizes, types)}`]);
  }
  return texts.length === 0 ? "" : ` attributes {${texts.sort(byKey).map(([, entry]) => entry).join(", ")}}`;
};

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : a > b ? 1 : 0);
