/** @file Every rewrite rule there is. The numeric check evaluates both sides of each. */

import type { Rule } from "../rewrite.ts";
import { ARITHMETIC, LOGIC } from "./arithmetic.ts";
import { CONSTANTS } from "./constants.ts";
import { CONTRACTION } from "./contraction.ts";
import { MOVEMENT } from "./movement.ts";

/** Constants first: what is known should not be moved about. */
export const EXACT_RULES: readonly Rule[] = [...CONSTANTS, ...ARITHMETIC, ...LOGIC, ...MOVEMENT, ...CONTRACTION];
