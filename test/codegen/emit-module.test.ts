/** @file The module that `compile` writes: its text for a tiny model (a golden), strict type checking, and that it carries
 *  exactly the program it was made from. */

import { readFileSync, writeFileSync } from "node:fs";
import { Project, ts } from "ts-morph";
import { expect, it } from "vitest";
import { emitModule } from "../../compiler/codegen/emit-module.ts";
import { manifest } from "../../compiler/codegen/manifest.ts";
import { packEntry } from "../../compiler/codegen/pack-program.ts";
import { generateProgram } from "../../compiler/codegen/program.ts";
import { generateWasmProgram } from "../../compiler/codegen/wasm/program.ts";
import { compile } from "../../compiler/driver.ts";
import { createExecutable, i32, initialParameters, unpackProgram } from "../../runtime/index.ts";
import { BLESSING } from "../filetest/bless.ts";
import { ROOT } from "../tools.ts";

const TINY = `dim T = 4
dim V = 8
dim D = 4

layer Mlp(x: [T, D]) -> [T, D] {
  param up: [D, 2 * D] ~ normal(std: 0.5)
  param down: [2 * D, D] ~ zeros
  return x + gelu(x @ up) @ down
}

model Tiny(tokens: int[T]) -> [T, V] {
  param embed: [V, D] ~ normal(std: 0.5)
  let x = embed[tokens]
  repeat 2 { x = Mlp(x) }
  return x @ embed.T
}

loss(tokens: int[T], targets: int[T]) = cross_entropy(Tiny(tokens), targets)

optimizer sgd(lr: 0.1, momentum: 0.9)
`;

const compiled = compile({ file: "tiny.sq", text: TINY });
const program = generateProgram(compiled.module);
const text = await emitModule(program, compiled.module, { source: "tiny.sq" });
const wasmProgram = generateWasmProgram(compiled.module);
const wasmText = await emitModule(wasmProgram, compiled.module, { source: "tiny.sq" });

/** Not a `.ts` file: it imports the package by name, which only a built package answers to. */
const GOLDEN = `${ROOT}/test/golden/codegen/tiny.kernels.ts.txt`;
const WASM_GOLDEN = `${ROOT}/test/golden/codegen/tiny.wasm.ts.txt`;

it.each([[GOLDEN, text], [WASM_GOLDEN, wasmText]])("reads like %s", (golden, written) => {
  if (BLESSING) writeFileSync(golden, written);
  expect(written).toBe(readFileSync(golden, "utf8"));
});

it("type-checks under strict flags, and so does a program that uses it", () => {
  const project = new Project({
    compilerOptions: {
      target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext,
      lib: ["lib.es2022.d.ts", "lib.dom.d.ts"], types: [], strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true,
      verbatimModuleSyntax: true, isolatedModules: true, noUnusedLocals: true, noUnusedParameters: true, noImplicitReturns: true,
      noEmit: true, skipLibCheck: true, allowImportingTsExtensions: true,
      paths: { "subquad/runtime": [`${ROOT}/runtime/index.ts`] },
    },
  });
  project.createSourceFile(`${ROOT}/test/codegen/virtual/tiny.ts`, text);
  project.createSourceFile(`${ROOT}/test/codegen/virtual/use.ts`, `import { create, forward, step } from "./tiny.ts";
import type { Parameters, State, StepArguments } from "./tiny.ts";
export const use = async (parameters: Parameters, state: State, inputs: StepArguments): Promise<readonly number[]> => {
  const on = await create("gpujs:cpu");
  const { loss, embed } = await step(on, parameters, state, inputs);
  const { result } = await forward(on, { ...parameters, embed }, { tokens: inputs.tokens });
  // @ts-expect-error there is no such parameter
  void parameters["Mlp.7.up"];
  return [...loss.shape, ...result.shape, ...parameters["Mlp.1.up"].shape];
};
`);
  project.createSourceFile(`${ROOT}/test/codegen/virtual/tiny-wasm.ts`, wasmText);
  project.createSourceFile(`${ROOT}/test/codegen/virtual/use-wasm.ts`, `import { create, forward } from "./tiny-wasm.ts";
import type { ForwardArguments, Parameters } from "./tiny-wasm.ts";
export const use = async (bytes: Uint8Array, parameters: Parameters, inputs: ForwardArguments): Promise<readonly number[]> =>
  (await forward(await create(bytes), parameters, inputs)).result.shape;
`);
  const messages = project.getSourceFiles().filter((file) => file.getFilePath().includes("virtual"))
    .flatMap((file) => file.getPreEmitDiagnostics())
    .map((d) => `${d.getLineNumber()}: ${ts.flattenDiagnosticMessageText(d.compilerObject.messageText, "\n")}`);
  expect(messages).toEqual([]);
});

it("imports nothing but subquad/runtime", () => {
  const imports = [...`${text}${wasmText}`.matchAll(/from "(.*)"/g)].map((match) => match[1]);
  expect(new Set(imports)).toEqual(new Set(["subquad/runtime"]));
});

it("carries the program: unpacking what is packed gives it back", () => {
  const entries = Object.values(program.entries).map((entry) => [entry.name, packEntry(entry, program)] as const);
  const { version, ...facts } = program;
  expect(unpackProgram({ ...facts, entries: Object.fromEntries(entries) })).toEqual({ ...facts, version });
  for (const { source } of program.kernels) expect(text).toContain(source);
});

it("of WebAssembly the facts of its functions, and the bytes beside it run", async () => {
  for (const { name, items, grain, work, scratchBytes } of wasmProgram.kernels) expect(wasmText).toContain(`{ name: "${name}", items: ${items}, grain: ${grain}, work: ${work}, scratchBytes: ${scratchBytes} },`);
  const entries = Object.values(wasmProgram.entries).map((entry) => [entry.name, packEntry(entry, wasmProgram)] as const);
  const executable = await createExecutable({ ...unpackProgram({ ...wasmProgram, entries: Object.fromEntries(entries) }), wasm: wasmProgram.wasm }, "wasm");
  const { result } = await executable.run("forward", { ...initialParameters(wasmProgram, 1), tokens: i32([4], [1, 2, 3, 0]) });
  expect(result?.shape).toEqual([4, 8]);
  expect(manifest(wasmProgram).kernels).toEqual(wasmProgram.kernels);
});

it("a manifest says what there is, in JSON", () => {
  const facts = manifest(program);
  expect(JSON.parse(JSON.stringify(facts))).toEqual(facts);
  expect(facts.parameterCount).toBe(8 * 4 + 2 * (4 * 8 + 8 * 4));
  expect(facts.kernels).toHaveLength(program.kernels.length);
  expect(facts.entries["loss"]?.inputs.map((port) => `${port.name} ${port.dims.join()}`)).toContain("tokens T");
});
