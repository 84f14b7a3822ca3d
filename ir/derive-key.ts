/** @file Keys of the random generator made of other keys. */

import type { Builder } from "./builder.ts";
import type { Value } from "./core.ts";
import { constant, convert, mul, randomUniform } from "./ops/index.ts";
import { withDType } from "./types.ts";
import { KEY_WORD_LIMIT } from "./random.ts";

/** key' = floor(2^16 u(key)), four words below 2^16; `site` keeps these draws apart from others that use the key. Sites are
 *  constants of kernels, so a chain of keys with one site is one kernel, however long. */
export const deriveKey = (b: Builder, key: Value, site: number): Value => {
  const type = withDType(key.type, "f32");
  const u = b.one(randomUniform, [key], { site, type });
  const words = b.one(mul, [u, b.one(constant, [], { value: KEY_WORD_LIMIT, type })], {});
  return b.one(convert, [words], { to: "i32" }, "key");
};
