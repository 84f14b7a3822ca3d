/** @file Operands and results that constraints say are there. */

import { InternalError } from "../../ir/diagnostic.ts";

export const must = <T>(value: T | undefined): T => {
  if (value === undefined) throw new InternalError("an operation has fewer operands or results than its constraints say");
  return value;
};
