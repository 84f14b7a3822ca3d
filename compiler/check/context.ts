/** @file What elaboration carries along: the frame of the layer or function it is in, and the nodes computed so far. */

import type { Code } from "../../ir/codes.ts";
import type { DType, TensorType } from "../../ir/core.ts";
import type { Label } from "../../ir/diagnostic.ts";
import * as poly from "../../ir/poly.ts";
import type { Poly } from "../../ir/poly.ts";
import type { Span } from "../../ir/span.ts";
import type { FnDecl, LayerDecl, LossDecl, ModelDecl } from "../syntax/ast.ts";
import { MAX_ELEMENTS, printAxis, printSizes, printType } from "./dims.ts";
import type { DimTable } from "./dims.ts";
import { ERROR } from "./program.ts";
import type { Form, Node, Parameter, Value } from "./program.ts";
import type { Details, Reporter } from "./report.ts";
import type { Program, Unit } from "./sources.ts";

export interface Binding {
  readonly value: Value;
  readonly span: Span;
  /** Where a reader sees its shape; null for the untyped argument of a function. */
  readonly shown: Span | null;
}

/** More statements and operations than any model has. */
const MAX_STEPS = 500_000;

/** One use of a layer or function. Functions belong to the instance of the layer they are used in. */
export interface Frame {
  readonly decl: LayerDecl | FnDecl | ModelDecl | LossDecl;
  readonly unit: Unit;
  readonly path: string;
  /** Block scopes, outermost first. */
  readonly scopes: Map<string, Binding>[];
  /** Dim parameters, and what they are here. */
  readonly dims: Map<string, { readonly axis: Poly; readonly span: Span }>;
  /** The axes `...` stands for. */
  lead: readonly Poly[] | null;
  /** How often each layer was used so far in this instance; absent for those used only once. */
  readonly counters: Map<string, number>;
  readonly caller: { readonly frame: Frame; readonly span: Span } | null;
}

/** What the entries of one program share. */
export interface Shared {
  readonly program: Program;
  readonly dims: DimTable;
  readonly reporter: Reporter;
  /** By path, in the order they were met. */
  readonly parameters: Map<string, Parameter>;
  /** Layers and functions that were elaborated at least once. */
  readonly visited: Set<object>;
}

export class Context {
  readonly shared: Shared;
  /** Dropout is on. */
  readonly training: boolean;
  readonly nodes: Node[] = [];
  readonly inputs: Node[] = [];
  readonly names = new Map<Node, string>();
  /** Names for nodes that `let` gives none: results of layers and functions. */
  readonly suggested = new Map<Node, string>();
  /** Where a node was first given a name, for messages. */
  readonly bound = new Map<Node, { readonly name: string; readonly span: Span }>();
  readonly parameterNodes = new Map<string, Node>();
  usesDropout = false;
  /** The unrolled program became too long; elaboration gives up. */
  exhausted = false;
  frame: Frame;
  #spent = 0;

  constructor(shared: Shared, training: boolean, frame: Frame) {
    this.shared = shared;
    this.training = training;
    this.frame = frame;
  }

  get dims(): DimTable {
    return this.shared.dims;
  }

  /** Appends a node; reports a tensor that is too large to count. */
  emit(form: Form, operands: readonly Node[], type: TensorType, span: Span): Node {
    const node: Node = { form, operands, type, span, path: this.frame.path };
    const elements = type.shape.reduce((product, size) => product * size, 1);
    if (elements >= MAX_ELEMENTS)
      this.error("SQ0311", `this tensor has ${elements.toLocaleString("en")} elements, 2^31 or more`, span, {
        here: printSizes(type),
        hint: "make one of its dims smaller",
      });
    this.nodes.push(node);
    this.spend(span);
    return node;
  }

  /** Counts the work done; gives up where a loop or a tower of functions has run away. */
  spend(span: Span): void {
    this.#spent += 1;
    if (this.#spent !== MAX_STEPS) return;
    this.exhausted = true;
    this.error("SQ0311", `the program takes more than ${MAX_STEPS.toLocaleString("en")} steps when its loops are unrolled`, span);
  }

  tensor(form: Form, operands: readonly Node[], type: TensorType, span: Span): Value {
    return { kind: "tensor", node: this.emit(form, operands, type, span) };
  }

  constant(value: number, dtype: DType, span: Span): Node {
    return this.emit({ kind: "number", value }, [], this.dims.type(dtype, []), span);
  }

  /** Names a node, unless it has a name. */
  name(value: Value, name: string, span: Span): void {
    if (value.kind !== "tensor") return;
    if (!this.names.has(value.node)) this.names.set(value.node, name);
    this.bind(value, name, span);
  }

  /** Remembers where a node was first bound to a name. */
  bind(value: Value, name: string, span: Span): void {
    if (value.kind === "tensor" && !this.bound.has(value.node)) this.bound.set(value.node, { name, span });
  }

  lookup(name: string): Binding | undefined {
    return this.frame.scopes.findLast((scope) => scope.has(name))?.get(name);
  }

  /** Reports an error in the current frame, with the calls that led here. */
  error(code: Code, message: string, span: Span, details: Details = {}): Value {
    this.shared.reporter.error(code, message, span, {
      ...details,
      labels: [...(details.labels ?? []), ...this.callLabels(span)],
      notes: [...(details.notes ?? []), ...this.frameNotes()],
    });
    return ERROR;
  }

  /** The calls a reader must know to understand an error at `span`: those into other files, functions and shape-polymorphic
   *  layers. */
  callLabels(span: Span): readonly Label[] {
    const labels: Label[] = [];
    for (let frame: Frame = this.frame; frame.caller !== null; frame = frame.caller.frame) {
      const { decl, caller } = frame;
      const generic = decl.kind === "fn" || (decl.kind === "layer" && (decl.dimParams.length > 0 || frame.lead !== null));
      const name = "name" in decl ? decl.name.text : decl.kind;
      if (generic || caller.span.file !== span.file) labels.push({ span: caller.span, text: `in this use of \`${name}\`` });
    }
    return labels;
  }

  frameNotes(): readonly string[] {
    const { path, dims, lead } = this.frame;
    const here = [...dims].map(([name, { axis }]) => `${name} = ${printAxis(axis)}`);
    if (lead !== null && lead.length > 0) here.push(`... = ${lead.map(printAxis).join(", ")}`);
    return [...(here.length > 0 ? [`here ${here.join(", ")}`] : []), ...(path === "" ? [] : [`in \`${path}\``])];
  }

  /** Labels that say what an operand is and where it got its shape. */
  operandLabels(operands: readonly { readonly node: Node; readonly span: Span }[]): readonly Label[] {
    return operands.flatMap(({ node, span }) => {
      const label = { span, text: printSizes(node.type) };
      const origin = this.#localBinding(node) ?? this.bound.get(node);
      if (origin === undefined || (origin.span.start === span.start && origin.span.file === span.file)) return [label];
      return [label, { span: origin.span, text: `\`${origin.name}\` is ${printType(node.type)}, bound here` }];
    });
  }

  /** The name this body has for a node, and where it shows its shape. */
  #localBinding(node: Node): { readonly name: string; readonly span: Span } | undefined {
    for (const scope of this.frame.scopes)
      for (const [name, { value, shown }] of scope) if (shown !== null && value.kind === "tensor" && value.node === node) return { name, span: shown };
    return undefined;
  }

  /** Labels at the declarations of the dims that `axes` mention. */
  dimLabels(axes: readonly Poly[]): readonly Label[] {
    const names = new Set(axes.flatMap((axis) => [...poly.symbolsOf(axis)]));
    return [...names].flatMap((name) => {
      const span = this.dims.spanOf(name);
      return span === null ? [] : [{ span, text: `${name} = ${this.dims.valueOf(poly.symbol(name))}` }];
    });
  }
}
