/** @file SQ04xx: IR text, the verifier, and passes. */

import type { CodeEntry } from "./entry.ts";

const MODULE = (line: string): string => `module @m {\n  func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {\n    ${line}\n    return %y : tensor<4xf32>\n  }\n}`;

export const IR_CODES = {
  SQ0401: {
    title: "malformed IR text",
    explanation:
      "The text is not MLIR's generic form as Subquad writes it: results, `=`, the quoted operation name, operands in parentheses, " +
      "attributes in braces, `:` and the function type. Everything that `--dump-ir` writes can be read back.",
    bad: MODULE('%y = sq.exp %x : tensor<4xf32>'),
    good: MODULE('%y = "sq.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>'),
  },
  SQ0402: {
    title: "an unknown operation",
    explanation: "No operation of this name is in the table. `ir/OPS.md` lists them all, with their operands, attributes and constraints.",
    bad: MODULE('%y = "sq.expp"(%x) : (tensor<4xf32>) -> tensor<4xf32>'),
    good: MODULE('%y = "sq.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>'),
  },
  SQ0403: {
    title: "a value is used before, or without, its definition",
    explanation:
      "Functions are straight lines: a value is a parameter or the result of an operation above its use, it is defined once, and it " +
      "belongs to one function.",
    bad: MODULE('%y = "sq.exp"(%z) : (tensor<4xf32>) -> tensor<4xf32>'),
    good: MODULE('%y = "sq.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>'),
  },
  SQ0404: {
    title: "an operation violates its constraints",
    explanation:
      "Every operation has labelled constraints (C1, C2, …) on the types of its operands and its attributes, listed in `ir/OPS.md`; the " +
      "message names the one that fails. If no IR was written by hand, this is a fault of the compiler: please report it.",
    bad: MODULE('%y = "sq.not"(%x) : (tensor<4xf32>) -> tensor<4xf32>'),
    good: MODULE('%y = "sq.neg"(%x) : (tensor<4xf32>) -> tensor<4xf32>'),
  },
  SQ0405: {
    title: "the written type is not the inferred type",
    explanation:
      "The types of results follow from the operands and attributes. The text states another one, so either the type or the operation " +
      "is wrong.",
    bad: MODULE('%y = "sq.exp"(%x) : (tensor<4xf32>) -> tensor<5xf32>'),
    good: MODULE('%y = "sq.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>'),
  },
  SQ0406: {
    title: "an operation that this stage does not allow",
    explanation:
      "The stages `model`, `gradient` and `kernel` are sets of operations. A pass asks for a stage and promises one; an operation of " +
      "another stage means that passes are missing or in the wrong order, for example `decompose` before kernels are made.",
    bad: "subquad opt model.ir --passes plan-memory",
    good: "subquad opt model.ir --passes decompose,fuse,plan-memory",
  },
  SQ0407: {
    title: "an attribute is missing, unknown or of the wrong kind",
    explanation: "Attributes are part of the operation's record, listed in `ir/OPS.md` with what they accept. Unknown ones are refused, so that a misspelling is never ignored.",
    bad: MODULE('%y = "sq.softmax"(%x) {axes = 0 : i64} : (tensor<4xf32>) -> tensor<4xf32>'),
    good: MODULE('%y = "sq.softmax"(%x) {axis = 0 : i64} : (tensor<4xf32>) -> tensor<4xf32>'),
  },
  SQ0408: {
    title: "an unknown pass, or a malformed pipeline",
    explanation: "A pipeline is a list of pass names separated by commas, each with options in braces: `cse,fuse{limit=16}`. `subquad opt --help` lists the passes.",
    bad: "subquad opt model.ir --passes cse;dce",
    good: "subquad opt model.ir --passes cse,dce",
  },
  SQ0409: {
    title: "a pass does not have this option, or not this value",
    explanation: "The options of a pass, with their kinds and defaults, stand in `subquad opt --help`.",
    bad: "subquad opt model.ir --passes dce{fast=1}",
    good: "subquad opt model.ir --passes dce",
  },
  SQ0410: {
    title: "a function is malformed",
    explanation:
      "Two functions, parameters or results of one name, a result that is not defined, or a `return` that does not agree with the " +
      "declared result types.",
    bad: "func.func @f(%x: tensor<4xf32>, %x: tensor<4xf32>)",
    good: "func.func @f(%x: tensor<4xf32>, %y: tensor<4xf32>)",
  },
} as const satisfies Record<string, CodeEntry>;
