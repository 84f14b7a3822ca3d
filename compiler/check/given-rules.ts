/** @file Rules for the gradient of attention that come from outside the program (`--backward PATH=policy`), as if they
 *  stood last in its `backward { … }`. They have no place in a source, so what is wrong with them is said without one. */

import type { Diagnostic } from "../../ir/diagnostic.ts";
import type { BackwardRule } from "../syntax/ast.ts";
import { parse } from "../syntax/parse.ts";
import type { Reporter } from "./report.ts";

export interface GivenRule {
  /** Which sites: `Block.*.SelfAttention`, `**`. */
  readonly pattern: string;
  /** A policy and its settings: `exact`, `sus:c=25`. */
  readonly policy: string;
}

/** Spans of given rules point into files of this name, which do not exist. */
const NOWHERE = "backward rule ";

const SHAPE = /^(?<name>[A-Za-z_]\w*)(?::(?<settings>[^:]+))?$/;

const textOf = ({ pattern, policy }: GivenRule): string | null => {
  const groups = SHAPE.exec(policy)?.groups;
  if (groups === undefined || !/^[\w.*#]+$/.test(pattern)) return null;
  const settings = groups["settings"]?.replaceAll("=", ": ");
  return `backward { ${pattern}: ${groups["name"] ?? ""}${settings === undefined ? "" : `(${settings})`} }`;
};

/** The rules as syntax. One that is not PATH=policy is reported and left out. */
export const givenRules = (given: readonly GivenRule[], reporter: Reporter): readonly BackwardRule[] =>
  given.flatMap((rule) => {
    const name = `${rule.pattern}=${rule.policy}`;
    const text = textOf(rule);
    const parsed = text === null ? null : parse(text, NOWHERE + name);
    const [decl] = parsed?.ast.declarations ?? [];
    if (parsed !== null && parsed.diagnostics.length === 0 && decl?.kind === "backward") return decl.rules;
    reporter.error("SQ0007", `\`${name}\` is not a rule for the gradient of attention`, null, {
      hint: "write a path and a policy with its settings: `Block.*.SelfAttention=exact`, `**=sus:c=25`",
    });
    return [];
  });

/** A diagnostic about a given rule names the rule in place of a source. */
export const withoutPlace = (diagnostic: Diagnostic): Diagnostic => {
  const file = diagnostic.labels[0]?.span.file;
  if (file === undefined || !file.startsWith(NOWHERE)) return diagnostic;
  const rule = file.slice(NOWHERE.length);
  return { ...diagnostic, labels: [], notes: [`in the rule \`${rule}\`, which was given from outside`, ...diagnostic.notes] };
};
