/** @file The public entry of the IR (`subquad/ir`): the data model, its text, its verifier and its operations. */

export type * from "./core.ts";
export { defineOp, isViolation, violates } from "./core.ts";
export type { AttrCodec, AttrNode } from "./attrs.ts";
export { Builder, NOWHERE } from "./builder.ts";
export type { Origin } from "./builder.ts";
export { CODES, diagnostic, explain, isCode } from "./codes.ts";
export type { Code, CodeEntry } from "./codes.ts";
export { DiagnosticError, InternalError } from "./diagnostic.ts";
export type { Diagnostic, Label, Severity } from "./diagnostic.ts";
export { difference, equalModules } from "./equal.ts";
export type { EqualOptions } from "./equal.ts";
export { OPS, opByName } from "./ops/index.ts";
export * as ops from "./ops/index.ts";
export { parseModule } from "./parse.ts";
export type { ParsedModule } from "./parse.ts";
export * as poly from "./poly.ts";
export type { Poly } from "./poly.ts";
export { printFunc, printModule, printOperation } from "./print.ts";
export type { PrintOptions } from "./print.ts";
export { fileLoc, fused, UNKNOWN } from "./span.ts";
export type { Loc, Span } from "./span.ts";
export { STAGES, STAGE_NAMES } from "./stages.ts";
export type { StageName } from "./stages.ts";
export * as types from "./types.ts";
export { describeError, printErrors, verify, verifyDiagnostics } from "./verify.ts";
export type { VerifyError } from "./verify.ts";
