/** @file Source files from disk, and the mistakes one can make in naming them. */

import { readFileSync, writeFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { diagnostic } from "../../ir/codes.ts";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { reasonOf } from "../../runtime/errors.ts";

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
    throw new DiagnosticError([diagnostic("SQ0001", `cannot read \`${path}\`: ${reasonOf(error)}`)]);
  }
};

/** Writes a text file. Throws SQ0011 where it cannot be written. */
export const writeText = (path: string, text: string): void => {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new DiagnosticError([diagnostic("SQ0011", `cannot write \`${path}\`: ${reasonOf(error)}`)]);
  }
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
