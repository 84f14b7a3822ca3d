/** @file Elaborates the entries of a program: the model for `forward`, the loss for `loss`, and, where dropout is used, the
 *  loss again with dropout on for `train_loss`. */

import type { AttrNode } from "../../ir/attrs.ts";
import { policyAt, rulesAttribute } from "../../ir/site-pattern.ts";
import type { BackwardDecl, BackwardRule, Declaration, LayerDecl, LossDecl, ModelDecl, OptimizerDecl, ParamDecl } from "../syntax/ast.ts";
import { frameFor } from "./calls.ts";
import { Context } from "./context.ts";
import type { Shared } from "./context.ts";
import type { DimTable } from "./dims.ts";
import { printType } from "./dims.ts";
import type { Written } from "./operators.ts";
import { ERROR } from "./program.ts";
import type { Entry, Node, TypedProgram, Value } from "./program.ts";
import type { Reporter } from "./report.ts";
import { describeValue } from "./shapes.ts";
import { sitesOf } from "./sites.ts";
import type { Program, Unit } from "./sources.ts";
import { runBody } from "./statements.ts";
import { backwardRules, optimizerLine } from "./training.ts";
import { checkResult, typeOf } from "./types.ts";
import * as poly from "../../ir/poly.ts";

type EntryDecl = ModelDecl | LossDecl;

const find = <K extends Declaration["kind"]>(unit: Unit, kind: K): Extract<Declaration, { kind: K }> | undefined =>
  unit.ast.declarations.find((d): d is Extract<Declaration, { kind: K }> => d.kind === kind);

/** The model of the main file, or the one it imports. */
const modelOf = (program: Program): { readonly decl: ModelDecl; readonly unit: Unit } | undefined => {
  const own = find(program.main, "model");
  if (own !== undefined) return { decl: own, unit: program.main };
  for (const { decl, unit } of program.main.definitions.values()) if (decl.kind === "model") return { decl, unit };
  return undefined;
};

export const elaborateProgram = (program: Program, dims: DimTable, reporter: Reporter, given: readonly BackwardRule[] = []): TypedProgram => {
  const shared: Shared = { program, dims, reporter, parameters: new Map(), visited: new Set() };
  const model = modelOf(program);
  const loss = find(program.main, "loss");
  const entries: (Entry | null)[] = [];
  if (model !== undefined) entries.push(entryOf(shared, "forward", model.decl, model.unit, false).entry);
  if (loss !== undefined) {
    const plain = entryOf(shared, "loss", loss, program.main, false);
    entries.push(plain.entry);
    if (plain.ctx.usesDropout) entries.push(entryOf(shared, "train_loss", loss, program.main, true).entry);
  }
  for (const decl of [model?.decl, loss]) if (decl !== undefined) checkInputNames(shared, decl);
  checkUnused(shared);
  const made = entries.filter((entry) => entry !== null);
  const nodes = (made.find((entry) => entry.name === "loss") ?? made[0])?.nodes ?? [];
  const name = model?.decl.name.text ?? "Program";
  const facts = trainingFacts(shared, nodes, name, given);
  return {
    name,
    dims: dims.values,
    parameters: [...shared.parameters.values()],
    entries: made,
    policyOf: facts.policyOf,
    attrs: facts.attrs,
    sources: new Map(program.units.map((unit) => [unit.file, unit.text])),
  };
};

/** What the training loop supplies by name. */
const SUPPLIED: ReadonlySet<string> = new Set(["key", "lr", "step"]);

/** Arguments, parameters and what the training loop supplies are passed by name, so the names must differ. */
const checkInputNames = (shared: Shared, decl: EntryDecl): void => {
  for (const { name } of decl.params) {
    const parameter = shared.parameters.get(name.text);
    if (parameter !== undefined && decl.kind === "loss")
      shared.reporter.error("SQ0202", `\`${name.text}\` is also a parameter of the model`, name.span, {
        labels: [{ span: parameter.span, text: "the parameter" }],
        hint: "both are passed by name: rename one",
      });
    if (SUPPLIED.has(name.text))
      shared.reporter.error("SQ0202", `\`${name.text}\` is supplied by the training loop`, name.span, { hint: "choose another name" });
  }
};

const emptyLoss = (unit: Unit): LossDecl => ({
  kind: "loss",
  params: [],
  body: { kind: "error", span: unit.ast.span },
  span: unit.ast.span,
});

/** A context at the top of the main file, for settings. */
const topLevel = (shared: Shared): Context => {
  const { main } = shared.program;
  return new Context(shared, false, frameFor(emptyLoss(main), main, "", null));
};

const trainingFacts = (
  shared: Shared,
  nodes: readonly Node[],
  model: string,
  given: readonly BackwardRule[],
): { readonly policyOf: (site: string) => string; readonly attrs: Readonly<Record<string, AttrNode>> } => {
  const ctx = topLevel(shared);
  const backward: BackwardDecl | undefined = find(shared.program.main, "backward");
  const optimizer: OptimizerDecl | undefined = find(shared.program.main, "optimizer");
  const sites = shared.reporter.failed ? null : sitesOf(nodes, model).candidates;
  const rules = backwardRules(ctx, backward?.rules ?? [], given, sites);
  const line = optimizer === undefined ? null : optimizerLine(ctx, optimizer);
  const attrs = { ...rulesAttribute(rules), ...(line === null ? {} : { optimizer: { kind: "string", value: line } as const }) };
  return { policyOf: (site) => policyAt(rules, site), attrs };
};

const entryOf = (
  shared: Shared,
  name: Entry["name"],
  decl: EntryDecl,
  unit: Unit,
  training: boolean,
): { readonly ctx: Context; readonly entry: Entry | null } => {
  const ctx = new Context(shared, training, frameFor(decl, unit, "", null));
  shared.visited.add(decl);
  const good = decl.params.map((param) => declareInput(ctx, param)).every(Boolean);
  const returned = runBody(ctx, decl.body);
  const value = decl.kind === "model" ? checkResult(ctx, decl, returned) : checkLoss(ctx, returned);
  const result = good ? resultNode(ctx, value, returned) : null;
  if (result === null) return { ctx, entry: null };
  const names = new Map([...ctx.suggested, ...ctx.names]);
  return { ctx, entry: { name, nodes: ctx.nodes, inputs: ctx.inputs, result, names } };
};

const declareInput = (ctx: Context, param: ParamDecl): boolean => {
  const type = param.type === null ? null : typeOf(ctx, param.type);
  let value: Value = ERROR;
  if (type !== null) {
    const node = ctx.emit({ kind: "input", name: param.name.text }, [], type, param.span);
    ctx.inputs.push(node);
    value = { kind: "tensor", node };
  }
  ctx.frame.scopes[0]?.set(param.name.text, { value, span: param.name.span, shown: param.span });
  ctx.name(value, param.name.text, param.span);
  return type !== null;
};

const checkLoss = (ctx: Context, { value, span }: Written): Value => {
  if (value.kind !== "tensor") return value;
  const { type } = value.node;
  if (type.dtype !== "f32") return ctx.error("SQ0306", "the loss must be float", span, { here: `this is ${printType(type)}` });
  if (type.dims.length === 0) return value;
  return ctx.error("SQ0316", "the loss must be a single number", span, {
    here: `this is ${printType(type)}`,
    hint: "take the `mean(…)` or the `sum(…)`",
  });
};

/** The node an entry returns; a plain number becomes a constant. */
const resultNode = (ctx: Context, value: Value, { span }: Written): Node | null => {
  if (value.kind === "tensor") return value.node;
  if (value.kind === "number")
    return ctx.emit({ kind: "expand" }, [ctx.constant(value.value, "f32", span)], ctx.dims.type("f32", []), span);
  if (value.kind !== "error") ctx.error("SQ0321", `a single tensor is returned here, not ${describeValue(value)}`, span);
  return null;
};

/** Layers that nothing uses are checked on their own, with dim parameters that stand for themselves. Those with `...` are
 *  not: only a use says how many axes there are. */
const checkUnused = (shared: Shared): void => {
  for (const unit of shared.program.units) {
    if (unit.standard) continue;
    for (const decl of unit.ast.declarations) {
      if (decl.kind !== "layer" && decl.kind !== "fn") continue;
      if (shared.visited.has(decl) || decl.params.some((param) => param.type === null || param.type.ellipsis)) continue;
      elaborateAlone(shared, decl, unit);
    }
  }
};

const elaborateAlone = (shared: Shared, decl: LayerDecl | Extract<Declaration, { kind: "fn" }>, unit: Unit): void => {
  const alone: Shared = { ...shared, parameters: new Map() };
  const ctx = new Context(alone, false, frameFor(decl, unit, decl.kind === "layer" ? decl.name.text : "", null));
  shared.visited.add(decl);
  for (const name of decl.dimParams) ctx.frame.dims.set(name.text, { axis: poly.symbol(name.text), span: name.span });
  for (const param of decl.params) declareInput(ctx, param);
  checkResult(ctx, decl, runBody(ctx, decl.body));
};
