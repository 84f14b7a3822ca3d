/** @file Tensors in safetensors files on disk. */

import { readFileSync, writeFileSync } from "node:fs";
import { diagnostic } from "../../ir/codes.ts";
import type { Code } from "../../ir/codes.ts";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import type { Tensors } from "../../runtime/abi.ts";
import { readSafetensors, writeSafetensors } from "../../runtime/index.ts";
import { reasonOf } from "../../runtime/errors.ts";

const attempt = <T>(code: Code, doing: string, path: string, action: () => T): T => {
  try {
    return action();
  } catch (error) {
    throw new DiagnosticError([diagnostic(code, `cannot ${doing} \`${path}\`: ${reasonOf(error)}`)]);
  }
};

/** Every tensor of a file. Throws SQ0001 where it cannot be read, and what `readSafetensors` throws where it is malformed. */
export const readTensors = (path: string): Tensors =>
  readSafetensors(attempt("SQ0001", "read", path, () => readFileSync(path))).tensors;

/** Throws SQ0011 where the file cannot be written. */
export const writeTensors = (path: string, tensors: Tensors): void =>
  attempt("SQ0011", "write", path, () => writeFileSync(path, writeSafetensors(tensors)));
