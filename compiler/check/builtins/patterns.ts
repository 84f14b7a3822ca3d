/** @file The small languages inside strings: `"b t d, d h k -> b h t k"` and `"b t (h k) -> b h t k"`. */

const LABEL = /^[A-Za-z_][A-Za-z0-9_]*$/;

export interface EinsumPattern {
  readonly inputs: readonly (readonly string[])[];
  readonly output: readonly string[];
}

const labelsOf = (text: string): readonly string[] => text.split(/\s+/).filter((label) => label !== "");

const repeated = (labels: readonly string[]): string | undefined => labels.find((label, i) => labels.indexOf(label) !== i);

/** The pattern; a string says what is wrong with it. */
export const parseEinsum = (text: string): EinsumPattern | string => {
  const [left, right, ...more] = text.split("->");
  if (left === undefined || right === undefined || more.length > 0) return "a pattern is `inputs -> output`, with one arrow";
  const inputs = left.split(",").map(labelsOf);
  const output = labelsOf(right);
  for (const label of [...inputs.flat(), ...output]) if (!LABEL.test(label)) return `\`${label}\` is not a label: labels are words separated by blanks`;
  for (const labels of [...inputs, output]) {
    const twice = repeated(labels);
    if (twice !== undefined) return `the label \`${twice}\` occurs twice in \`${labels.join(" ")}\``;
  }
  const stray = output.find((label) => !inputs.some((labels) => labels.includes(label)));
  return stray === undefined ? { inputs, output } : `the label \`${stray}\` of the result occurs in no operand`;
};

/** An axis of a rearrangement: one label, several in parentheses, none for `1`; `...` for leading axes, which may be
 *  merged on the right. */
export interface RearrangePattern {
  readonly left: readonly (readonly string[])[];
  readonly right: readonly (readonly string[])[];
}

export const LEADING = "...";

/** The axes of one side; a string says what is wrong. */
const parseSide = (text: string): readonly (readonly string[])[] | string => {
  const axes: (readonly string[])[] = [];
  const token = /\s*(?:\(([^()]*)\)|([^\s()]+))\s*/y;
  let end = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [, group, single] = match;
    axes.push(group === undefined ? (single === "1" ? [] : [single ?? ""]) : labelsOf(group));
    end = token.lastIndex;
  }
  if (end !== text.length && text.trim() !== "") return "parentheses do not match";
  const labels = axes.flat();
  const odd = labels.find((label) => label !== LEADING && !LABEL.test(label));
  if (odd !== undefined) return `\`${odd}\` is not a label: labels are words separated by blanks`;
  const twice = repeated(labels);
  return twice === undefined ? axes : `the label \`${twice}\` occurs twice on one side`;
};

/** The pattern; a string says what is wrong with it. */
export const parseRearrange = (text: string): RearrangePattern | string => {
  const [leftText, rightText, ...more] = text.split("->");
  if (leftText === undefined || rightText === undefined || more.length > 0) return "a pattern is `axes -> axes`, with one arrow";
  const [left, right] = [parseSide(leftText), parseSide(rightText)];
  if (typeof left === "string") return left;
  if (typeof right === "string") return right;
  const dots = left.findIndex((axis) => axis.includes(LEADING));
  if (dots > 0 || (dots === 0 && left[0]?.length !== 1)) return "`...` stands first on the left, alone";
  const [from, to] = [new Set(left.flat()), new Set(right.flat())];
  const lost = [...from].find((label) => !to.has(label));
  if (lost !== undefined) return `the label \`${lost}\` is missing on the right; reduce it with \`sum\` or \`mean\``;
  const stray = [...to].find((label) => !from.has(label));
  return stray === undefined ? { left, right } : `the label \`${stray}\` is missing on the left`;
};
