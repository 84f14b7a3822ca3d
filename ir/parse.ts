/** @file Reads the textual form: everything `print.ts` writes and everything mlir-opt makes of it (renamed values, types
 *  spelled out, `%0:2`, location aliases). Mistakes are collected, one a line; the text after a broken line is still read. */

import type { AttrNode } from "./attrs.ts";
import type { Func, Module, Operation, Param, ParamRole, Result, Value } from "./core.ts";
import type { Diagnostic } from "./diagnostic.ts";
import type { Span } from "./span.ts";
import { UNIT, readDictionary, readNode } from "./text/attr.ts";
import { LocReader } from "./text/loc.ts";
import { readOperation } from "./text/operation.ts";
import type { Context } from "./text/operation.ts";
import { Reader, TextError } from "./text/reader.ts";
import { Poisoned, Scope, checkType, keptName } from "./text/scope.ts";
import { TypeReader } from "./text/type.ts";

export interface ParsedModule {
  /** What could be read: complete where `diagnostics` is empty. */
  readonly module: Module;
  readonly diagnostics: readonly Diagnostic[];
  /** Where each operation and function stands in the text. */
  readonly spans: ReadonlyMap<Operation | Func, Span>;
}

export const parseModule = (text: string, file = "<ir>"): ParsedModule => new ModuleParser(text, file).parse();

/** A value of the module's dictionary: `sq.dims` is one itself. */
type ModuleAttr = AttrNode | { readonly kind: "dictionary"; readonly entries: ReadonlyMap<string, AttrNode> };

interface Signature {
  readonly name: string;
  readonly span: Span;
  readonly scope: Scope;
  readonly params: readonly Param[];
  readonly resultNames: readonly string[];
}

const ROLES: readonly ParamRole[] = ["parameter", "state", "input", "scalar", "key"];

class ModuleParser {
  readonly #reader: Reader;
  readonly #context: Context;
  readonly #diagnostics: Diagnostic[] = [];
  readonly #spans = new Map<Operation | Func, Span>();
  readonly #funcs: Func[] = [];
  #name = "";
  #attrs: ReadonlyMap<string, ModuleAttr> = new Map();

  constructor(text: string, file: string) {
    this.#reader = new Reader(text, file);
    this.#context = { reader: this.#reader, types: new TypeReader(), locs: new LocReader(text, file) };
  }

  parse(): ParsedModule {
    while (this.#reader.kind !== "end") this.#recovering(() => this.#topLevel());
    const { dims, attrs } = this.#split();
    const module: Module = { name: this.#name, dims, funcs: this.#funcs, attrs };
    return { module, diagnostics: this.#diagnostics, spans: this.#spans };
  }

  /** What `read` reads; null after a mistake, and the text goes on at the next line. */
  #recovering<T>(read: () => T): T | null {
    const reader = this.#reader;
    const before = reader.start;
    try {
      return read();
    } catch (error) {
      if (error instanceof TextError) this.#diagnostics.push(error.diagnostic);
      else if (!(error instanceof Poisoned)) throw error;
    }
    if (reader.start === before) reader.next();
    while (reader.kind !== "end" && !reader.startsLine()) reader.next();
    return null;
  }

  #topLevel(): void {
    const reader = this.#reader;
    if (reader.kind === "alias") return this.#context.types.define(reader);
    if (reader.kind === "hash") return this.#context.locs.skipDefinition(reader);
    if (reader.isWord("func.func")) return this.#func();
    if (!reader.acceptWord("module")) reader.expectedHere("`module`, `func.func` or an alias definition");
    if (reader.kind === "symbol") this.#name = reader.takeText("symbol", "a name");
    if (reader.acceptWord("attributes")) this.#attrs = readDictionary(reader, () => this.#moduleAttr(), UNIT);
    reader.expectPunct("{");
    while (!reader.isPunct("}")) {
      if (reader.kind === "end") reader.expected("`}`");
      this.#recovering(() => (reader.isWord("func.func") ? this.#func() : reader.expectedHere("`func.func` or `}`")));
    }
    reader.next();
    this.#context.locs.readOptional(reader);
  }

  #moduleAttr(): ModuleAttr {
    const { reader, types } = this.#context;
    if (!reader.isPunct("{")) return readNode(reader, types);
    return { kind: "dictionary", entries: readDictionary(reader, () => readNode(reader, types), UNIT) };
  }

  #split(): { dims: Map<string, number>; attrs: Record<string, AttrNode> } {
    const dims = new Map<string, number>();
    const attrs: [string, AttrNode][] = [];
    for (const [key, node] of this.#attrs) {
      if (node.kind !== "dictionary") attrs.push([key.replace(/^sq\./, ""), node]);
      else for (const [name, size] of node.entries) if (size.kind === "int") dims.set(name, size.value);
    }
    return { dims, attrs: Object.fromEntries(attrs) };
  }

  #func(): void {
    const reader = this.#reader;
    const signature = this.#recovering(() => this.#signature());
    if (signature === null) return this.#skipFunc();
    const { name, scope, params, resultNames, span } = signature;
    const ops = this.#body(scope);
    const results = this.#recovering(() => this.#return(scope, resultNames)) ?? [];
    this.#skipFunc();
    this.#context.locs.readOptional(reader);
    const twice = this.#funcs.some((func) => func.name === name);
    const func: Func = { name, params, ops, results };
    this.#funcs.push(func);
    this.#spans.set(func, span);
    if (twice) reader.fail("SQ0410", `function \`@${name}\` is defined twice`, span, "the second definition");
  }

  /** Up to the opening brace. */
  #signature(): Signature {
    const reader = this.#reader;
    const start = reader.start;
    reader.expectWord("func.func");
    const name = reader.takeText("symbol", "a function's name");
    const span = reader.spanFrom(start);
    const scope = new Scope();
    const params = this.#params(scope);
    const resultNames = this.#resultNames();
    reader.expectPunct("{");
    return { name, span, scope, params, resultNames };
  }

  /** Past the brace that closes the function: the first that starts a line. */
  #skipFunc(): void {
    const reader = this.#reader;
    while (reader.kind !== "end" && !(reader.isPunct("}") && reader.startsLine()) && !reader.isWord("func.func")) reader.next();
    reader.acceptPunct("}");
  }

  #body(scope: Scope): Operation[] {
    const reader = this.#reader;
    const ops: Operation[] = [];
    while (!reader.isWord("return") && !reader.isPunct("}") && !reader.isWord("func.func") && reader.kind !== "end") {
      this.#recovering(() => {
        const start = reader.start;
        const operation = readOperation(this.#context, scope);
        ops.push(operation);
        this.#spans.set(operation, reader.spanFrom(start));
      });
    }
    return ops;
  }

  #params(scope: Scope): Param[] {
    const { reader, types, locs } = this.#context;
    reader.expectPunct("(");
    return reader.list(")", (): Param => {
      const at = reader.span;
      const text = reader.take("value", "a parameter");
      reader.expectPunct(":");
      const value: Value = { type: types.read(reader), name: keptName(text) };
      const facts = this.#facts("sq.name", "sq.role", "sq.init");
      const role = facts.get("sq.role") ?? "input";
      const known =
        ROLES.find((candidate) => candidate === role) ??
        reader.fail("SQ0407", `role \`${role}\` is not one of ${ROLES.join(", ")}`, at);
      scope.define(reader, text, [value], at);
      locs.readOptional(reader);
      return { value, name: facts.get("sq.name") ?? text, role: known, init: facts.get("sq.init") ?? "" };
    });
  }

  /** `-> type`, or `-> (type {sq.name = "loss"}, …)`: the results' names on the outside. */
  #resultNames(): string[] {
    const { reader, types } = this.#context;
    if (!reader.acceptPunct("->")) return [];
    const bare = !reader.acceptPunct("(");
    const item = (): string => {
      types.read(reader);
      return bare ? "" : (this.#facts("sq.name").get("sq.name") ?? "");
    };
    return bare ? [item()] : reader.list(")", item);
  }

  /** A dictionary of strings with these keys. */
  #facts(...keys: readonly string[]): ReadonlyMap<string, string> {
    const { reader } = this.#context;
    return readDictionary(
      reader,
      (key) => (keys.includes(key) ? reader.takeText("string", "a string") : reader.fail("SQ0407", `unknown attribute \`${key}\``)),
      "",
    );
  }

  #return(scope: Scope, names: readonly string[]): Result[] {
    const { reader, types, locs } = this.#context;
    const start = reader.start;
    reader.expectWord("return");
    if (reader.kind !== "value") {
      if (names.length > 0) reader.expected(`${names.length} values to return`);
      locs.readOptional(reader);
      return [];
    }
    const uses = [scope.use(reader)];
    while (reader.acceptPunct(",")) uses.push(scope.use(reader));
    reader.expectPunct(":");
    uses.forEach((use, i) => {
      if (i > 0) reader.expectPunct(",");
      const at = reader.start;
      checkType(reader, use, types.read(reader), reader.spanFrom(at));
    });
    const span = reader.spanFrom(start);
    locs.readOptional(reader);
    if (uses.length !== names.length)
      reader.fail("SQ0410", `${uses.length} values are returned, the signature has ${names.length}`, span);
    return uses.map(({ value }, i) => ({ value, name: names[i] ?? "" }));
  }
}
