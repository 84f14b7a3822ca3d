/** @file The compiler as JavaScript, transpiled once a test run: what child processes of tests run. It lies in the
 *  repository, so that packages are found from it; nothing is type-checked here, `npm run check` does that. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";
import { filesBelow, ROOT } from "../tools.ts";

const FOLDERS = ["ir", "runtime", "passes", "compiler"];

let built: string | null = null;

/** The folder that holds `compiler/bin.js` and the rest. */
export const builtCompiler = (): string => {
  if (built !== null) return built;
  const folder = join(ROOT, "node_modules/.cache", `subquad-test-${process.pid}`);
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true, rewriteRelativeImportExtensions: true };
  for (const path of [...FOLDERS.flatMap((name) => filesBelow(name, ".ts")), "test/cli/memory-child.ts"]) {
    const to = join(folder, path.replace(/\.ts$/, ".js"));
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, ts.transpileModule(readFileSync(join(ROOT, path), "utf8"), { compilerOptions: options }).outputText);
  }
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  built = folder;
  return folder;
};
