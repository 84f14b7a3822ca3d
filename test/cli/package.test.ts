/** @file The package as a stranger has it: packed, unpacked into a project, used from the shell, from TypeScript, and by a
 *  compiled module that has nothing but gpu.js and the runtime beside it. */

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { filesBelow, ROOT } from "../tools.ts";
import { scratch, SMALL } from "./support.ts";

const file = scratch();
const project = file("project");
const installed = join(project, "node_modules/subquad");

const run = (folder: string, program: string, ...argv: readonly string[]): string => {
  try {
    return execFileSync(program, argv, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${program} ${argv.join(" ")}\n${stdout}\n${stderr}`);
  }
};

const tsc = (folder: string, ...argv: readonly string[]): string => run(folder, process.execPath, join(ROOT, "node_modules/typescript/bin/tsc"), ...argv);

const put = (path: string, text: string): void => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
};

const link = (folder: string, name: string): void => {
  const to = join(folder, "node_modules", name);
  mkdirSync(dirname(to), { recursive: true });
  symlinkSync(join(ROOT, "node_modules", name), to);
};

interface Package {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
}

const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Package;

const tsconfig = (include: readonly string[]): string =>
  JSON.stringify({
    compilerOptions: { target: "es2023", lib: ["es2023", "dom"], module: "nodenext", strict: true, exactOptionalPropertyTypes: true, noUnusedLocals: true, noUncheckedIndexedAccess: true, skipLibCheck: true, types: [], outDir: "out" },
    include,
  });

/** What `npm install subquad.tgz` does, without a registry: dependencies are this repository's. */
beforeAll(() => {
  const staged = file("staged");
  mkdirSync(staged);
  // The steps of `npm run build`, with the result in another folder.
  tsc(ROOT, "-p", "tsconfig.build.json", "--outDir", join(staged, "dist"));
  symlinkSync(join(ROOT, "node_modules"), join(staged, "node_modules"));
  run(staged, process.execPath, join(ROOT, "node_modules/rolldown/bin/cli.mjs"), "-c", join(ROOT, "rolldown.config.mjs"));
  for (const name of ["package.json", "LICENSE", "README.md"]) cpSync(join(ROOT, name), join(staged, name));
  const [{ filename = "" } = {}] = JSON.parse(run(staged, "npm", "pack", "--json", "--ignore-scripts", "--offline")) as { filename?: string }[];
  mkdirSync(installed, { recursive: true });
  run(staged, "tar", "-xzf", filename, "-C", installed, "--strip-components=1");
  for (const name of Object.keys(manifest.dependencies)) link(project, name);
  put(join(project, "package.json"), JSON.stringify({ name: "stranger", type: "module" }));
  put(join(project, "model.sq"), SMALL);
}, 120_000);

it("holds what package.json promises, and no sources or tests", () => {
  const promised = [...Object.values(manifest.bin), ...Object.values(manifest.exports).flatMap((entry) => (typeof entry === "string" ? [entry] : Object.values(entry)))];
  for (const path of promised) expect(readFileSync(join(installed, path)).length, path).toBeGreaterThan(0);
  expect(readdirSync(installed).sort()).toEqual(["LICENSE", "README.md", "dist", "package.json"]);
  expect(readdirSync(join(installed, "dist")).sort()).toEqual(["bin.js", "compiler", "ir", "passes", "runtime"]);
  const shipped = readdirSync(join(installed, "dist"), { recursive: true, encoding: "utf8" });
  expect(shipped.filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts"))).toEqual([]);
  expect(shipped.filter((path) => path.endsWith(".js")).length).toBe(["ir", "runtime", "passes", "compiler"].flatMap((name) => filesBelow(name, ".ts")).length + 1);
});

it("`subquad` checks, compiles and runs", () => {
  const bin = join(installed, manifest.bin["subquad"] ?? "");
  expect(readFileSync(bin, "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
  expect(run(project, process.execPath, bin, "check", "model.sq")).toBe("");
  expect(run(project, process.execPath, bin, "compile", "model.sq", "-o", "built")).toContain("built/model.ts\n");
  expect(run(project, process.execPath, bin, "run", "model.sq", "loss", "--backend", "gpujs:cpu")).toMatch(/^loss /m);
}, 60_000);

it("`import { compile } from \"subquad\"` is typed, and every flag is a field", () => {
  const source = `import { check, compile, inspect, run, sample, train, DiagnosticError } from "subquad";
import type { CompileOptions, CompileResult, RunOptions, SampleOptions, TrainOptions } from "subquad";
import { readSafetensors } from "subquad/runtime";
import { printModule } from "subquad/ir";
const model = { file: "model.sq", dims: { T: 4 }, backward: [{ pattern: "**", policy: "exact" }] };
const options: CompileOptions = { ...model, out: "built", dumpIr: "dumps", passes: "canonicalize", stopAfter: "canonicalize", locs: true, observe: ({ pass }) => void pass };
const running: RunOptions = { ...model, entry: "grad", inputs: "in", outputs: "out", backend: "gpujs:cpu", seed: 1, against: "interpreter" };
const training: TrainOptions = { ...model, data: ["text"], steps: 1, backend: "gpujs:cpu", seed: 1, save: "s", saveEvery: 1, resume: true, log: "l", learningRate: 1, warmup: 0, floor: 0, evaluateEvery: 1, evaluationBatches: 1, objective: "next" };
const sampling: SampleOptions = { ...model, checkpoint: "s", prompt: "p", bytes: 1, seed: 1, temperature: 1, topK: 1, backend: "gpujs:cpu" };
export const unused = [options, running, training, sampling, run, train, sample, readSafetensors, DiagnosticError];
const result: CompileResult = await compile(model);
const { ok } = check(model);
const { data } = await inspect({ ...model, view: "cost", each: true, entries: ["loss"] });
const kernels: number = result.program?.kernels.length ?? 0;
console.log(JSON.stringify({ ok, kernels, dims: "dims" in data ? data.dims : null, text: printModule(result.model).length > 0 }));
`;
  put(join(project, "use.ts"), source);
  put(join(project, "tsconfig.json"), tsconfig(["use.ts"]));
  tsc(project, "-p", ".");
  const said = JSON.parse(run(project, process.execPath, "out/use.js")) as { ok: boolean; kernels: number; dims: unknown; text: boolean };
  expect(said).toMatchObject({ ok: true, dims: { T: 4 }, text: true });
  expect(said.kernels).toBeGreaterThan(5);
}, 60_000);

it("a compiled module needs only gpu.js and subquad/runtime", () => {
  const bare = file("bare");
  const runtime = join(bare, "node_modules/subquad");
  cpSync(join(installed, "package.json"), join(runtime, "package.json"));
  cpSync(join(installed, "dist/runtime"), join(runtime, "dist/runtime"), { recursive: true });
  link(bare, "gpu.js");
  put(join(bare, "package.json"), JSON.stringify({ name: "bare", type: "module" }));
  put(join(bare, "model.ts"), readFileSync(join(project, "built/model.ts"), "utf8"));
  put(
    join(bare, "use.ts"),
    `import { i32, initialParameters } from "subquad/runtime";
import { create, loss, program } from "./model.js";
import type { Parameters } from "./model.js";
const on = await create("gpujs:cpu");
const tokens = i32([2, 8], new Int32Array(16).fill(65));
const results = await loss(on, initialParameters(program, 0) as Parameters, { tokens, targets: tokens });
console.log(Number(results.loss.data[0]));
on.destroy();
`,
  );
  put(join(bare, "tsconfig.json"), tsconfig(["*.ts"]));
  tsc(bare, "-p", ".");
  expect(Number(run(bare, process.execPath, "out/use.js"))).toBeGreaterThan(0);
}, 60_000);
