/** @file How a pass says that the user asked for something that cannot be done. Faults of the compiler itself are
 *  `InternalError`s; this is for names in `--passes` that the module does not have, and the like. */

import { diagnostic } from "../ir/codes.ts";
import type { Code } from "../ir/codes.ts";
import { DiagnosticError } from "../ir/diagnostic.ts";

/** Throws the one error; `notes` are further facts, one line each. */
export const fail = (code: Code, message: string, notes: readonly string[] = []): never => {
  throw new DiagnosticError([diagnostic(code, message, { notes })]);
};
