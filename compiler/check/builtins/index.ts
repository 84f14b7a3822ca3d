/** @file The builtins: everything callable that is not written in the language itself. */

import { ATTENTION } from "./attention.ts";
import type { Builtin } from "./call.ts";
import { EINSUM } from "./einsum.ts";
import { ELEMENTWISE } from "./elementwise.ts";
import { LOSSES } from "./losses.ts";
import { MASKS } from "./masks.ts";
import { REARRANGE } from "./rearrange.ts";
import { REDUCTIONS } from "./reduce.ts";
import { TENSORS } from "./tensors.ts";

export type { Builtin } from "./call.ts";

export const BUILTINS: readonly Builtin[] = [
  ...ELEMENTWISE,
  ...REDUCTIONS,
  EINSUM,
  REARRANGE,
  ...TENSORS,
  ATTENTION,
  ...MASKS,
  ...LOSSES,
];

const byName = new Map(BUILTINS.map((builtin) => [builtin.name, builtin]));

export const builtinByName = (name: string): Builtin | undefined => byName.get(name);
