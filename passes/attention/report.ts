/** @file What is said about the sites of a module: one remark each, in the order they are met, however many functions have
 *  them; and one error for all sites that are refused for the same reason. */

import { printPolicy } from "../../ir/backward-policy.ts";
import type { Policy } from "../../ir/backward-policy.ts";
import { diagnostic } from "../../ir/codes.ts";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import type { Diagnostic } from "../../ir/diagnostic.ts";
import type { PassContext, Remark } from "../pass.ts";
import type { AttentionSite, Refusal } from "./site.ts";

type Message = Pick<Remark, "kind" | "loc"> & { readonly message: string | (() => string) };

/** What is counted for `--stats`. */
export const COUNTS = { applied: "sites rewritten", missed: "sites left exact" } as const;

/** Sites that a diagnostic lists before it counts the others. */
const LISTED = 3;

export class Report {
  readonly #ctx: PassContext;
  /** By site; null while no function was found that computes its gradient. */
  readonly #remarks = new Map<string, Message | null>();
  readonly #silent = new Map<string, Message>();
  readonly #refused = new Map<string, { readonly hint: string; readonly sites: Map<string, string> }>();

  constructor(ctx: PassContext) {
    this.#ctx = ctx;
  }

  /** A site with a policy, whether or not this function has its gradient. */
  seen({ name, attention: { loc } }: AttentionSite, policy: Policy): void {
    if (this.#remarks.has(name)) return;
    this.#remarks.set(name, null);
    this.#silent.set(name, { kind: "missed", loc, message: `${printPolicy(policy)} has nothing to do: no gradient is computed through this attention` });
  }

  remark(kind: "applied" | "missed", { name, attention: { loc } }: AttentionSite, message: () => string): void {
    if (this.#remarks.get(name) != null) return;
    this.#remarks.set(name, { kind, loc, message });
    this.#ctx.count(COUNTS[kind]);
  }

  refuse({ name }: AttentionSite, policy: Policy, { what, why, hint }: Refusal): void {
    const message = `${printPolicy(policy)} ${what}`;
    const entry = this.#refused.get(message) ?? { hint, sites: new Map<string, string>() };
    entry.sites.set(name, why);
    this.#refused.set(message, entry);
  }

  /** Throws SQ0509 for what was refused. */
  end(): void {
    for (const [path, remark] of this.#remarks) {
      const said = remark ?? this.#silent.get(path);
      if (said !== undefined) this.#ctx.remark({ path, ...said });
    }
    const errors = [...this.#refused].map(([message, { hint, sites }]): Diagnostic => {
      const listed = [...sites].map(([name, why]) => `at ${name}: ${why}`);
      const more = listed.length - LISTED;
      return diagnostic("SQ0509", message, { notes: [...listed.slice(0, LISTED), ...(more > 0 ? [`and at ${more} more`] : [])], hint });
    });
    if (errors.length > 0) throw new DiagnosticError(errors);
  }
}
