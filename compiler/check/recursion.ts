/** @file Layers and functions must not use themselves, directly or through others: they are unrolled. */

import type { Label } from "../../ir/diagnostic.ts";
import type { Reporter } from "./report.ts";
import { isDefinition, lookupDefinition } from "./sources.ts";
import type { Definition, Program } from "./sources.ts";
import { callsIn } from "./walk.ts";

interface Step {
  readonly definition: Definition;
  /** The use that led here. */
  readonly label: Label | null;
}

export const reportRecursion = (program: Program, reporter: Reporter): void => {
  const done = new Set<object>();
  const visit = (step: Step, trail: readonly Step[]): void => {
    const { decl, unit } = step.definition;
    const start = trail.findIndex((other) => other.definition.decl === decl);
    if (start >= 0) return complain([...trail.slice(start), step], reporter);
    if (done.has(decl)) return;
    for (const use of callsIn(decl)) {
      const target = lookupDefinition(program, unit, use.name);
      const label = { span: use.span, text: `\`${decl.name.text}\` uses \`${use.name}\`` };
      if (target !== undefined) visit({ definition: target, label }, [...trail, step]);
    }
    done.add(decl);
  };
  for (const unit of program.units) {
    if (unit.standard) continue;
    for (const decl of unit.ast.declarations) if (isDefinition(decl)) visit({ definition: { decl, unit }, label: null }, []);
  }
};

const complain = (circle: readonly Step[], reporter: Reporter): void => {
  const [first] = circle;
  const labels = circle.slice(1).flatMap((step) => (step.label === null ? [] : [step.label]));
  const primary = labels.at(-1);
  if (first === undefined || primary === undefined) return;
  const { decl } = first.definition;
  reporter.error("SQ0203", `the ${decl.kind} \`${decl.name.text}\` uses itself`, primary.span, {
    here: primary.text,
    labels: labels.slice(0, -1),
    notes: [circle.map((step) => step.definition.decl.name.text).join(" → ")],
    hint: "layers and functions are unrolled when compiled; for a stack of layers use `repeat`",
  });
};
