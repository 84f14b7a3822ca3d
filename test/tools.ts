/** @file Files of the repository, and programs this machine may have. */

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { delimiter, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

const SKIPPED = new Set(["node_modules", "dist", ".git"]);

/** Paths, relative to the root, of the files below `folder` that end in `suffix`, sorted. */
export const filesBelow = (folder: string, suffix: string): string[] => {
  const found: string[] = [];
  const visit = (path: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory() && !SKIPPED.has(entry.name)) visit(join(path, entry.name));
      else if (entry.isFile() && entry.name.endsWith(suffix)) found.push(relative(ROOT, join(path, entry.name)));
    }
  };
  const start = join(ROOT, folder);
  if (existsSync(start)) visit(start);
  return found.sort();
};

/** The first of the programs that is on PATH, null if none is. */
export const programOnPath = (...names: readonly string[]): string | null => {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  for (const name of names) {
    const folder = folders.find((candidate) => existsSync(join(candidate, name)));
    if (folder !== undefined) return join(folder, name);
  }
  return null;
};

/** LLVM's programs carry their version in Debian: `mlir-opt`, or the newest of `mlir-opt-22` … `mlir-opt-16`. */
export const llvmProgram = (name: string): string | null => {
  const versions = [22, 21, 20, 19, 18, 17, 16];
  return programOnPath(name, ...versions.map((version) => `${name}-${version}`));
};

export interface Ran {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program on `input`. */
export const runProgram = (program: string, args: readonly string[], input: string): Ran => {
  try {
    const stdout = execFileSync(program, args, { input, encoding: "utf8", maxBuffer: 1 << 28, stdio: ["pipe", "pipe", "pipe"] });
    return { ok: true, stdout, stderr: "" };
  } catch (error) {
    const { stdout = "", stderr = String(error) } = error as { stdout?: string; stderr?: string };
    return { ok: false, stdout, stderr };
  }
};
