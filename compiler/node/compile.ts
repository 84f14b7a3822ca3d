/** @file Compiling a file: reads it and its imports, and writes what comes out where the caller wants it. */

import { createRequire } from "node:module";
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { diagnostic } from "../../ir/codes.ts";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { parseStatistics } from "../../ir/head-statistics.ts";
import type { AttentionStatistics } from "../../ir/head-statistics.ts";
import { printModule } from "../../ir/print.ts";
import type { Snapshot } from "../../passes/run.ts";
import { check as checkSource, compile as compileSource } from "../driver.ts";
import type { Checked, Compiled, PipelineOptions } from "../driver.ts";
import type { CheckOptions as LanguageOptions } from "../check/index.ts";
import { emitModule } from "../codegen/emit-module.ts";
import { manifest } from "../codegen/manifest.ts";
import { printWat } from "../codegen/wasm/print-wat.ts";
import { generateWasm } from "../codegen/wasm/program.ts";
import { reasonOf } from "../../runtime/errors.ts";
import { readImport, readSource } from "./files.ts";

/** A model file and how to specialise it: `dims` over those of the file, `backward` rules after those of the file. */
export interface ModelOptions extends Omit<LanguageOptions, "readImport"> {
  /** Path of the model; imports are relative to the file they stand in. */
  readonly file: string;
  /** A file of statistics of the model's attention heads, for the policy `auto`. */
  readonly statistics?: string;
}

export interface CompileOptions extends ModelOptions, PipelineOptions {
  /** Folder for the kernels' module, the IR and the manifest; nothing is written without it. */
  readonly out?: string;
  /** Folder for one numbered IR file a pass, with an index. */
  readonly dumpIr?: string;
  /** Print places in the source (`loc(…)`) in everything written. */
  readonly locs?: boolean;
}

export interface CompileResult extends Compiled {
  /** The files that were written, in order. */
  readonly written: readonly string[];
}

/** Everything that is wrong with a model file. */
export const check = (options: ModelOptions): Checked & { readonly text: string } => {
  const source = readSource(options.file);
  return { ...checkSource({ ...options, ...source, readImport }), text: source.text };
};

/** Compiles a model file and writes what `out` and `dumpIr` ask for. Throws `DiagnosticError` for a model with mistakes. */
export const compile = async (options: CompileOptions): Promise<CompileResult> => {
  const source = readSource(options.file);
  const snapshots = options.snapshots === true || options.dumpIr !== undefined;
  const { statistics, ...others } = options;
  const measured = statistics === undefined ? {} : { statistics: readStatistics(statistics) };
  const compiled = compileSource({ ...others, ...source, ...measured, readImport, snapshots });
  const written = [
    ...(options.dumpIr === undefined ? [] : writeDumps(compiled.snapshots, options.dumpIr, options.locs === true)),
    ...(options.out === undefined ? [] : await writeOutput(compiled, options.out, options)),
  ];
  return { ...compiled, written };
};

/** Throws SQ0510 for a file that is none. */
const readStatistics = (path: string): AttentionStatistics => {
  const { file, text } = readSource(path);
  const measured = parseStatistics(text);
  if (typeof measured !== "string") return measured;
  throw new DiagnosticError([diagnostic("SQ0510", `\`${file}\` holds no statistics of heads: ${measured}`)]);
};

/** The kernels' module (`gpt.ts`, and `gpt.wasm` with its text for that target), the IR before and after decomposition, and the manifest; where the pipeline stopped
 *  before there were kernels, the IR it left (`gpt.ir`). */
const writeOutput = async (compiled: Compiled, folder: string, { locs = false }: CompileOptions): Promise<string[]> => {
  const stem = basename(compiled.file).replace(/\.sq$/, "");
  const files: [name: string, content: string | Uint8Array][] = [
    [`${stem}.model.ir`, printModule(compiled.model, { locs })],
    [`${stem}.gradient.ir`, printModule(compiled.gradient, { locs })],
  ];
  if (compiled.program === null) files.push([`${stem}.ir`, printModule(compiled.module, { locs })]);
  else {
    files.push([`${stem}.kernels.ir`, printModule(compiled.module, { locs })]);
    const source = basename(compiled.file);
    const { program } = compiled;
    if ("wasm" in program) files.push([`${stem}.wasm`, program.wasm], [`${stem}.wat`, printWat(generateWasm(compiled.module, program.backend).code)]);
    files.push([`${stem}.ts`, await emitModule(program, compiled.module, { source, load: loadTsMorph })]);
    files.push(["manifest.json", `${JSON.stringify(manifest(program), null, 2)}\n`]);
  }
  return writeAll(folder, files);
};

/** `require` takes half as long as `import`, which first scans the nine megabytes of CommonJS for the names they export. */
const loadTsMorph = async (): Promise<typeof import("ts-morph")> =>
  createRequire(import.meta.url)("ts-morph") as typeof import("ts-morph");

interface DumpEntry {
  readonly file: string;
  readonly pass: string;
  readonly changed: boolean;
  readonly operations: number;
}

const writeDumps = (snapshots: readonly Snapshot[], folder: string, locs: boolean): string[] => {
  const index: DumpEntry[] = snapshots.map(({ index: at, pass, changed, module }) => ({
    file: `${String(at).padStart(2, "0")}-${pass}.ir`,
    pass,
    changed,
    operations: module.funcs.reduce((count, func) => count + func.ops.length, 0),
  }));
  const files = snapshots.map(({ module }, i): [string, string] => [index[i]?.file ?? "", printModule(module, { locs })]);
  return writeAll(folder, [...files, ["index.json", `${JSON.stringify({ version: 1, passes: index }, null, 2)}\n`]]);
};

const writeAll = (folder: string, files: readonly (readonly [name: string, content: string | Uint8Array])[]): string[] => {
  try {
    mkdirSync(folder, { recursive: true });
    return files.map(([name, content]) => {
      const path = join(folder, name);
      writeFileSync(path, content);
      return path;
    });
  } catch (error) {
    throw new DiagnosticError([diagnostic("SQ0011", `cannot write to \`${folder}\`: ${reasonOf(error)}`)]);
  }
};
