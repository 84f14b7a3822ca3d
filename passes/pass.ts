/** @file The pass contract: a pass is data (name, summary, stages, options) plus one function from module to module.
 *  `run.ts` is the only caller of `Pass.run`: it verifies, times and dumps around every pass. */

import type { Module } from "../ir/core.ts";
import type { StageName } from "../ir/stages.ts";
import type { Loc } from "../ir/span.ts";

export type OptionValue = number | string | boolean;

/** An option as the textual pipeline writes it: `differentiate{of=loss,to=grad}`. */
export interface Option<T extends OptionValue> {
  readonly kind: "number" | "string" | "flag";
  readonly fallback: T;
  readonly help: string;
}

export const option = {
  number: (fallback: number, help: string): Option<number> => ({ kind: "number", fallback, help }),
  string: (fallback: string, help: string): Option<string> => ({ kind: "string", fallback, help }),
  flag: (help: string): Option<boolean> => ({ kind: "flag", fallback: false, help }),
} as const;

/** What a pass says about a place in the model, whether it acted or not. */
export interface Remark {
  readonly pass: string;
  readonly kind: "applied" | "missed" | "analysis";
  readonly path: string;
  readonly loc: Loc;
  readonly message: string;
}

export interface PassContext {
  /** A message that costs something to make may be a function: it is called when somebody reads it. Modules are
   *  immutable, so it says the same then. */
  readonly remark: (remark: Omit<Remark, "pass" | "message"> & { readonly message: string | (() => string) }) => void;
  /** Counts for `--stats`: rules fired, operations removed. */
  readonly count: (what: string, by?: number) => void;
}

export interface Pass<O extends Readonly<Record<string, OptionValue>> = Readonly<Record<string, OptionValue>>> {
  readonly name: string;
  readonly summary: string;
  /** The stage the module must satisfy before, and satisfies after; "same": whichever it satisfied before. */
  readonly before: StageName;
  readonly after: StageName | "same";
  readonly options: { readonly [K in keyof O]: Option<O[K]> };
  readonly run: (module: Module, options: O, ctx: PassContext) => Module;
}

/** A pass whose options are its own business; only `run.ts` calls it, with the options it declared. */
export interface AnyPass extends Omit<Pass, "options" | "run"> {
  readonly options: Readonly<Record<string, Option<OptionValue>>>;
  readonly run: (module: Module, options: never, ctx: PassContext) => Module;
}

export const definePass = <O extends Readonly<Record<string, OptionValue>>>(pass: Pass<O>): Pass<O> => pass;
