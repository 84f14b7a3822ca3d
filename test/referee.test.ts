/** @file Somebody else's tools read what we write: `mlir-opt` accepts every IR text of the repository and every op, and
 *  we read what it makes of them; our FileCheck agrees with LLVM's. Skipped, saying so, where the tools are absent. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Func, Module, Operation } from "../ir/core.ts";
import { difference } from "../ir/equal.ts";
import { parseModule } from "../ir/parse.ts";
import { printModule } from "../ir/print.ts";
import { UNKNOWN } from "../ir/span.ts";
import { FILECHECK_CASES } from "./filetest/cases.ts";
import { EXAMPLES, dumpsOf } from "./ir/dumps.ts";
import { exampleModules, randomModule } from "./ir/modules.ts";
import { ROOT, filesBelow, llvmProgram, runProgram } from "./tools.ts";

const mlirOpt = llvmProgram("mlir-opt");
const realFileCheck = llvmProgram("FileCheck");

if (mlirOpt === null) console.warn("skipped: mlir-opt is not on PATH (Debian: mlir-19-tools), so nobody else reads our IR");
if (realFileCheck === null) console.warn("skipped: FileCheck is not on PATH (Debian: llvm-19-tools), so ours is not compared with it");

const SEPARATOR = "\n// -----\n";
const ACCEPT = ["--allow-unregistered-dialect", "--split-input-file"];

/** Several texts through one mlir-opt. */
const through = (texts: readonly string[], ...flags: readonly string[]): string[] => {
  const { ok, stdout, stderr } = runProgram(mlirOpt ?? "", [...ACCEPT, ...flags], texts.join(SEPARATOR));
  expect(stderr).toBe("");
  expect(ok).toBe(true);
  return stdout.split(SEPARATOR);
};

/** What mlir-opt prints of a module is the same module to us, but for the names of its values. */
const expectSurvives = (modules: readonly Module[], locs: boolean): void => {
  const texts = through(modules.map((module) => printModule(module, { locs })), ...(locs ? ["--mlir-print-debuginfo"] : []));
  expect(texts.length).toBe(modules.length);
  for (const [i, module] of modules.entries()) {
    const { module: read, diagnostics } = parseModule(texts[i] ?? "", "mlir-opt");
    expect(diagnostics).toEqual([]);
    expect(difference(module, locs ? withKnownPlaces(read, module) : read, { names: false, locs })).toBeNull();
  }
};

/** mlir-opt gives operations without a place one in its own input: those are not compared. */
const withKnownPlaces = (read: Module, original: Module): Module => {
  const known = original.funcs.flatMap((func) => func.ops.map((operation) => operation.loc.kind !== "unknown"));
  let at = 0;
  const ops = (func: Func): Operation[] => func.ops.map((operation) => (known[at++] === true ? operation : { ...operation, loc: UNKNOWN }));
  return { ...read, funcs: read.funcs.map((func) => ({ ...func, ops: ops(func) })) };
};

/** Tests of the parser's and verifier's complaints are wrong on purpose. */
const isValid = (text: string): boolean => !text.includes("expected-error");

describe.skipIf(mlirOpt === null)("mlir-opt", () => {
  it("reads every op, and we read what it prints", () => {
    expectSurvives(exampleModules().map(([, module]) => module), false);
    expectSurvives(exampleModules().map(([, module]) => module), true);
  });

  it("reads random modules", () => {
    const modules = fc.sample(randomModule, { numRuns: 60, seed: 19 });
    expectSurvives(modules, false);
    expectSurvives(modules, true);
  });

  it.each(EXAMPLES)("reads %s after every pass", (example) => {
    expectSurvives(dumpsOf(example), true);
  });

  it("reads every .ir file, and we read what it prints", () => {
    const files = filesBelow(".", ".ir").filter((file) => isValid(readFileSync(join(ROOT, file), "utf8")));
    expect(files.length).toBeGreaterThan(0);
    const modules = files.map((file) => {
      const { module, diagnostics } = parseModule(readFileSync(join(ROOT, file), "utf8"), file);
      expect(diagnostics).toEqual([]);
      return module;
    });
    through(files.map((file) => readFileSync(join(ROOT, file), "utf8")));
    expectSurvives(modules, false);
  });
});

describe.skipIf(realFileCheck === null)("FileCheck", () => {
  const folder = mkdtempSync(join(tmpdir(), "subquad-filecheck-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const { output, passing, failing } = FILECHECK_CASES;

  it.each([...passing.map(([label, checks]) => [label, checks, true] as const), ...failing.map(([label, checks]) => [label, checks, false] as const)])(
    "agrees on: %s",
    (_, checks, accepted) => {
      const file = join(folder, "checks");
      writeFileSync(file, `${checks}\n`);
      expect(runProgram(realFileCheck ?? "", [file], `${output}\n`).ok).toBe(accepted);
    },
  );
});
