/** @file Forms of attention's gradient as a user writes them, in the spelling of models or in that of flags. */

import { parsePolicy, printPolicy } from "../../ir/backward-policy.ts";
import type { Policy } from "../../ir/backward-policy.ts";

/** A gradient of the whole model with one policy everywhere. */
export interface Form {
  /** `sus(c: 25)`; `declared` for the model's own rules. */
  readonly name: string;
  /** As `--backward '**=…'` takes it; null for `declared`. */
  readonly rule: string | null;
}

export const DECLARED: Form = { name: "declared", rule: null };

/** `exact,sus(c:25),lowrank:degree=2,form=surrogate` as three texts: a comma ends one, but not within parentheses, nor before
 *  another `name=value`. */
export const splitForms = (text: string): readonly string[] => {
  const forms: string[] = [];
  for (const piece of text.split(/,(?![^(]*\))/)) {
    const goesOn = /^\s*\w+\s*=/.test(piece) && forms.length > 0;
    if (goesOn) forms.push(`${forms.pop() ?? ""},${piece}`);
    else forms.push(piece);
  }
  return forms.map((form) => form.trim()).filter((form) => form !== "");
};

/** `sus(c: 25)`, `sus:c=25` or `declared`; a string says what is wrong with it. */
export const parseForm = (text: string): Form | string => {
  if (text.trim() === DECLARED.name) return DECLARED;
  const [, kind, settings] = /^\s*(\w+)\s*:([^:()]*)$/.exec(text) ?? [];
  const policy = parsePolicy(kind === undefined || settings === undefined ? text : `${kind}(${settings.replaceAll("=", ": ")})`);
  return typeof policy === "string" ? policy : { name: printPolicy(policy), rule: ruleOf(anyway(policy)) };
};

/** What takes time does not depend on whether it is a good approximation. */
const anyway = (policy: Policy): Policy => (policy.kind === "lowrank" ? { ...policy, unsafe: true } : policy);

const ruleOf = (policy: Policy): string => printPolicy(policy).replace("(", ":").replace(")", "").replaceAll(": ", "=").replaceAll(", ", ",");
