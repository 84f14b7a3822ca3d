/** @file Builds operations: infers their types, names their results, remembers where they come from. */

import { InternalError } from "./diagnostic.ts";
import type { AnyOp, Op, Operation, TensorType, Value } from "./core.ts";
import { isViolation } from "./core.ts";
import { describe } from "./types.ts";
import { UNKNOWN } from "./span.ts";
import type { Loc } from "./span.ts";

/** Where the operations that are being built belong. */
export interface Origin {
  readonly path: string;
  readonly loc: Loc;
}

export const NOWHERE: Origin = { path: "", loc: UNKNOWN };

export class Builder {
  readonly ops: Operation[] = [];
  #origin: Origin = NOWHERE;

  get origin(): Origin {
    return this.#origin;
  }

  /** Runs `body` with every operation it builds placed at `origin`. */
  at<T>(origin: Origin, body: () => T): T {
    const outer = this.#origin;
    this.#origin = origin;
    try {
      return body();
    } finally {
      this.#origin = outer;
    }
  }

  /** Appends one operation and returns its results. Throws `InternalError` where the op's constraints do not hold:
   *  whoever builds an operation from a user's program has checked that program first. */
  all<O extends readonly Value[], A extends object>(
    op: Op<O, A>,
    operands: NoInfer<O>,
    attrs: NoInfer<A>,
    names: readonly string[] = [],
  ): readonly Value[] {
    const types = inferOrThrow(op, operands, attrs);
    const results = types.map((type, i): Value => ({ type, name: names[i] ?? "" }));
    const { path, loc } = this.#origin;
    this.ops.push({ op, operands, attrs, results, path, loc, inline: false });
    return results;
  }

  /** The same for an op with one result. */
  one<O extends readonly Value[], A extends object>(op: Op<O, A>, operands: NoInfer<O>, attrs: NoInfer<A>, name = ""): Value {
    const results = this.all(op, operands, attrs, [name]);
    const result = results[0];
    if (result === undefined || results.length > 1) throw new InternalError(`sq.${op.mnemonic} does not have one result`);
    return result;
  }

  /** Appends an operation that exists already (a pass that keeps it, perhaps with other operands). */
  keep(operation: Operation): void {
    this.ops.push(operation);
  }
}

const inferOrThrow = (op: AnyOp, operands: readonly Value[], attrs: object): readonly TensorType[] => {
  const operandTypes = operands.map((value) => value.type);
  const types = op.infer(operandTypes, attrs);
  if (!isViolation(types)) return types;
  const given = operandTypes.map(describe).join(", ");
  throw new InternalError(`sq.${op.mnemonic}(${given}): ${types.constraint}: ${types.message}`);
};
