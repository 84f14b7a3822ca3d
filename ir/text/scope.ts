/** @file Which values a function's text has defined so far. A value whose defining line is broken is remembered as such:
 *  lines that use it are not wrong because of it, and are passed over in silence. */

import type { TensorType, Value } from "../core.ts";
import { describe, identicalType } from "../types.ts";
import type { Span } from "../span.ts";
import type { Reader } from "./reader.ts";

/** Thrown where a value is used whose own definition did not parse. */
export class Poisoned extends Error {}

interface Definition {
  /** The results; null after a broken line. */
  readonly values: readonly Value[] | null;
  readonly span: Span;
}

export interface Use {
  readonly value: Value;
  readonly name: string;
  readonly span: Span;
}

export class Scope {
  readonly #definitions = new Map<string, Definition>();

  define(reader: Reader, name: string, values: readonly Value[], span: Span): void {
    const earlier = this.#definitions.get(name);
    this.#definitions.set(name, { values: earlier === undefined ? values : null, span });
    if (earlier === undefined) return;
    reader.fail("SQ0403", `\`%${name}\` is defined twice`, span, "the second definition");
  }

  /** Nobody shall complain about `name`. */
  poison(name: string, span: Span): void {
    this.#definitions.set(name, { values: null, span });
  }

  /** `%x`, or one of several results: `%x#1`. */
  use(reader: Reader): Use {
    const start = reader.start;
    const name = reader.take("value", "a value");
    const index = reader.kind === "hash" && reader.start === reader.previousEnd ? Number(reader.take("hash", "a result")) : null;
    const span = reader.spanFrom(start);
    const definition = this.#definitions.get(name);
    if (definition === undefined) reader.fail("SQ0403", `\`%${name}\` is not defined before it is used`, span);
    if (definition.values === null) throw new Poisoned();
    const value = definition.values[index ?? 0];
    if (value === undefined || (index === null && definition.values.length > 1))
      reader.fail("SQ0403", `\`%${name}\` has ${definition.values.length} results: write \`%${name}#0\``, span);
    return { value, name: index === null ? name : `${name}#${index}`, span };
  }
}

/** The type written after the colon for a value must be the one it was defined with. */
export const checkType = (reader: Reader, use: Use, written: TensorType, span: Span): void => {
  if (written === use.value.type || identicalType(written, use.value.type)) return;
  reader.fail("SQ0405", `\`%${use.name}\` is ${describe(use.value.type)}, not ${describe(written)}`, span);
};

/** The name a value keeps: none where the text only numbers it. */
export const keptName = (name: string): string => (/^\d/.test(name) ? "" : name);
