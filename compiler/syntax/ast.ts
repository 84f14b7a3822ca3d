/** @file The syntax tree of a `.sq` file: what was written, with the span of every piece. No meaning is resolved here:
 *  `x[y]` is an index whether it gathers, slices or passes dim arguments, and names are just names. */

import type { Span } from "../../ir/span.ts";

export interface Name {
  readonly text: string;
  readonly span: Span;
}

export interface SourceFile {
  readonly file: string;
  readonly declarations: readonly Declaration[];
  readonly span: Span;
}

export type Declaration =
  | ImportDecl
  | DimDecl
  | LayerDecl
  | FnDecl
  | ModelDecl
  | LossDecl
  | BackwardDecl
  | OptimizerDecl;

/** `import "blocks.sq"` (everything) or `import { Block, Mlp } from "blocks.sq"`; the path is relative to the importing file. */
export interface ImportDecl {
  readonly kind: "import";
  readonly names: readonly Name[] | null;
  readonly from: { readonly text: string; readonly span: Span };
  readonly span: Span;
}

/** `dim K = D / H`; without a value it must be given with `--dim`. */
export interface DimDecl {
  readonly kind: "dim";
  readonly name: Name;
  readonly value: Expr | null;
  readonly span: Span;
}

/** `layer Linear[N, M](x: [..., N]) -> [..., M] { … }`. Dim parameters left out at a use are found by matching `x`. */
export interface LayerDecl {
  readonly kind: "layer";
  readonly name: Name;
  readonly dimParams: readonly Name[];
  readonly params: readonly ParamDecl[];
  readonly result: TypeExpr | null;
  readonly body: Block;
  readonly span: Span;
}

/** `fn silu(x) = x * sigmoid(x)`, or with a block. */
export interface FnDecl {
  readonly kind: "fn";
  readonly name: Name;
  readonly dimParams: readonly Name[];
  readonly params: readonly ParamDecl[];
  readonly result: TypeExpr | null;
  readonly body: Block | Expr;
  readonly span: Span;
}

export interface ModelDecl {
  readonly kind: "model";
  readonly name: Name;
  readonly params: readonly ParamDecl[];
  readonly result: TypeExpr | null;
  readonly body: Block;
  readonly span: Span;
}

export interface LossDecl {
  readonly kind: "loss";
  readonly params: readonly ParamDecl[];
  readonly body: Block | Expr;
  readonly span: Span;
}

/** `backward { Block.*.SelfAttention: sus(c: 25) }`: per site pattern, a policy. */
export interface BackwardDecl {
  readonly kind: "backward";
  readonly rules: readonly BackwardRule[];
  readonly span: Span;
}

export interface BackwardRule {
  /** As written: `Block.*.SelfAttention`, `**`. */
  readonly pattern: Name;
  readonly policy: Name;
  readonly args: readonly Arg[];
  readonly span: Span;
}

export interface OptimizerDecl {
  readonly kind: "optimizer";
  readonly name: Name;
  readonly args: readonly Arg[];
  readonly span: Span;
}

/** A formal parameter of a layer, fn, model or loss; layers, models and losses need the type, fns need not. */
export interface ParamDecl {
  readonly name: Name;
  readonly type: TypeExpr | null;
  readonly fallback: Expr | null;
  readonly span: Span;
}

/** `[B, T, D]`, `int[B, T]`, `bool[..., T]`, or a scalar `float`, `int`, `bool`. `...` may stand first: any leading axes. */
export interface TypeExpr {
  readonly dtype: "float" | "int" | "bool";
  /** null: a scalar. */
  readonly axes: readonly Expr[] | null;
  readonly ellipsis: boolean;
  readonly span: Span;
}

export interface Block {
  readonly kind: "block";
  readonly statements: readonly Statement[];
  readonly span: Span;
}

export type Statement =
  | { readonly kind: "param"; readonly groups: readonly ParamGroup[]; readonly init: Expr | null; readonly span: Span }
  | { readonly kind: "let"; readonly names: readonly Name[]; readonly value: Expr; readonly span: Span }
  | { readonly kind: "assign"; readonly name: Name; readonly value: Expr; readonly span: Span }
  | { readonly kind: "repeat"; readonly count: Expr; readonly body: Block; readonly span: Span }
  | { readonly kind: "return"; readonly value: Expr; readonly span: Span };

/** `wk, wv: [D, G, K]` inside a `param` statement. */
export interface ParamGroup {
  readonly names: readonly Name[];
  readonly type: TypeExpr;
  readonly span: Span;
}

/** `mask: causal` (named) or `x` (positional). */
export interface Arg {
  readonly name: Name | null;
  readonly value: Expr;
  readonly span: Span;
}

export type BinaryOperator = "+" | "-" | "*" | "/" | "@" | "**" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "and" | "or";

export type Expr =
  | { readonly kind: "number"; readonly value: number; readonly text: string; readonly span: Span }
  | { readonly kind: "string"; readonly value: string; readonly span: Span }
  | { readonly kind: "bool"; readonly value: boolean; readonly span: Span }
  | { readonly kind: "name"; readonly text: string; readonly span: Span }
  | { readonly kind: "tuple"; readonly items: readonly Expr[]; readonly span: Span }
  | { readonly kind: "unary"; readonly operator: "-" | "not"; readonly operand: Expr; readonly span: Span }
  | {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly operatorSpan: Span;
      readonly left: Expr;
      readonly right: Expr;
      readonly span: Span;
    }
  | { readonly kind: "call"; readonly callee: Expr; readonly args: readonly Arg[]; readonly span: Span }
  | { readonly kind: "index"; readonly base: Expr; readonly items: readonly IndexItem[]; readonly span: Span }
  | { readonly kind: "member"; readonly base: Expr; readonly name: Name; readonly span: Span }
  /** Stands where the parser recovered from an error; a diagnostic has been reported. */
  | { readonly kind: "error"; readonly span: Span };

/** `x[i]`, `x[a:b]`, `x[:]`. */
export type IndexItem =
  | { readonly kind: "at"; readonly value: Expr; readonly span: Span }
  | { readonly kind: "slice"; readonly start: Expr | null; readonly limit: Expr | null; readonly span: Span };
