/** @file Patterns over names of attention sites: `*` is one step of a path, `**` any number, and a step without `#n`
 *  matches every attention of its layer. */

const stepMatches = (pattern: string, step: string): boolean =>
  pattern === "*" || pattern === step || (!pattern.includes("#") && pattern === step.replace(/#\d+$/, ""));

const stepsMatch = (pattern: readonly string[], steps: readonly string[]): boolean => {
  const [first, ...more] = pattern;
  if (first === undefined) return steps.length === 0;
  if (first === "**") return stepsMatch(more, steps) || (steps.length > 0 && stepsMatch(pattern, steps.slice(1)));
  const [step, ...others] = steps;
  return step !== undefined && stepMatches(first, step) && stepsMatch(more, others);
};

export const matchesSite = (pattern: string, site: string): boolean => stepsMatch(pattern.split("."), site.split("."));
