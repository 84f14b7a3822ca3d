/** @file Source files from disk, and the mistakes one can make in naming them. */

import { readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { diagnostic } from "../../ir/codes.ts";
import { DiagnosticError } from "../../ir/diagnostic.ts";

export interface Source {
  readonly file: string;
  readonly text: string;
}

/** Reads a UTF-8 text file. Throws `DiagnosticError` (SQ00xx) where it is missing, not a file, or not text. */
export const readSource = (path: string): Source => {
  const bytes = readBytes(path);
  try {
    return { file: displayName(path), text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    throw new DiagnosticError([diagnostic("SQ0002", `\`${path}\` is not a text file (its bytes are not UTF-8)`)]);
  }
};

const readBytes = (path: string): Uint8Array => {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new DiagnosticError([diagnostic("SQ0001", `cannot read \`${path}\`: ${plainReason(error)}`)]);
  }
};

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a directory",
  EACCES: "permission denied",
  ENOTDIR: "a part of the path is not a directory",
  ENAMETOOLONG: "the name is too long",
};

/** The reason behind a failed file operation, in words. */
export const plainReason = (error: unknown): string => {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return REASONS[code] ?? (error instanceof Error ? error.message : String(error));
};

/** A source for code frames: null where the file cannot be read (it was standard input, or is gone). */
export const readSourceIfAny = (path: string): Source | null => {
  try {
    return readSource(path);
  } catch {
    return null;
  }
};

/** Imports are relative to the importing file; null where there is no such file (the checker reports it). */
export const readImport = (from: string, importer: string): Source | null => {
  const path = resolve(dirname(importer), from);
  try {
    return { file: displayName(path), text: readFileSync(path, "utf8") };
  } catch {
    return null;
  }
};

/** Relative to the working directory where it lies below it, as compilers print names. */
const displayName = (path: string): string => {
  const near = relative(process.cwd(), path);
  return near === "" || near.startsWith("..") ? path : near;
};
