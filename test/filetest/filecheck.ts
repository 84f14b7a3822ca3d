/** @file The part of LLVM's FileCheck that our tests use, in process: CHECK, -NEXT, -SAME, -NOT, -LABEL, -DAG, `{{regex}}`,
 *  `[[NAME:regex]]` and `[[NAME]]`. As in FileCheck, runs of spaces and tabs count as one space. */

type Kind = "CHECK" | "NEXT" | "SAME" | "NOT" | "LABEL" | "DAG";

interface Directive {
  readonly kind: Kind;
  readonly pattern: string;
  /** Line of the check file, from 1. */
  readonly line: number;
}

type Variables = Map<string, string>;

interface Match {
  readonly start: number;
  readonly end: number;
}

/** Why a check failed. */
export class CheckFailure extends Error {}

const DIRECTIVE = /(?:^|[^\w-])CHECK(?:-(NEXT|SAME|NOT|LABEL|DAG))?:(.*)$/;

/** The first check in `checks` that `output` does not satisfy, in words; null if it satisfies all. */
export const fileCheck = (output: string, checks: string): string | null => {
  const directives = parseDirectives(checks);
  if (directives.length === 0) return "there are no CHECK lines";
  try {
    checkAll(canonical(output), directives);
    return null;
  } catch (error) {
    if (error instanceof CheckFailure) return error.message;
    throw error;
  }
};

export const hasChecks = (text: string): boolean => parseDirectives(text).length > 0;

const canonical = (text: string): string => text.replace(/[ \t]+/g, " ");

const parseDirectives = (text: string): Directive[] =>
  text.split("\n").flatMap((source, i): Directive[] => {
    const match = DIRECTIVE.exec(source);
    if (match === null) return [];
    return [{ kind: (match[1] as Kind | undefined) ?? "CHECK", pattern: canonical(match[2] ?? "").trim(), line: i + 1 }];
  });

/** Labels first: they cut the output into blocks, and no other check looks beyond its block. */
const checkAll = (output: string, directives: readonly Directive[]): void => {
  const variables: Variables = new Map();
  let at = 0;
  let block: Directive[] = [];
  let blockStart = 0;
  for (const directive of directives) {
    if (directive.kind !== "LABEL") {
      block.push(directive);
      continue;
    }
    const label = search(output, directive, at, output.length, variables);
    if (label === null) throw failure(directive, "label not found", output, at);
    checkBlock(output, block, blockStart, label.start, variables);
    block = [];
    at = blockStart = label.end;
  }
  checkBlock(output, block, blockStart, output.length, variables);
};

const checkBlock = (output: string, directives: readonly Directive[], start: number, end: number, variables: Variables): void => {
  let at = start;
  let nots: Directive[] = [];
  let dags: Directive[] = [];
  const flushDags = (): void => {
    if (dags.length > 0) at = checkDags(output, dags, at, end, variables);
    dags = [];
  };
  for (const directive of directives) {
    if (directive.kind === "DAG") {
      dags.push(directive);
      continue;
    }
    flushDags();
    if (directive.kind === "NOT") {
      nots.push(directive);
      continue;
    }
    const match = search(output, directive, at, end, variables);
    if (match === null) throw failure(directive, "not found", output, at);
    checkLine(output, directive, at, match);
    forbid(output, nots, at, match.start, variables);
    nots = [];
    at = match.end;
  }
  const from = at;
  flushDags();
  forbid(output, nots, from, end, variables);
};

/** CHECK-NEXT and CHECK-SAME say on which line the match must be, counted from where the last one ended. */
const checkLine = (output: string, directive: Directive, at: number, match: Match): void => {
  const lines = output.slice(at, match.start).split("\n").length - 1;
  if (directive.kind === "NEXT" && lines !== 1) throw failure(directive, `is ${lines} lines on, not on the next`, output, at);
  if (directive.kind === "SAME" && lines !== 0) throw failure(directive, "is not on the same line", output, at);
};

/** In any order, without overlaps; returns where the last of them ends. */
const checkDags = (output: string, dags: readonly Directive[], start: number, end: number, variables: Variables): number => {
  const taken: Match[] = [];
  for (const directive of dags) {
    let from = start;
    let match = search(output, directive, from, end, variables);
    while (match !== null) {
      const { start: s, end: e } = match;
      const clash = taken.find((other) => s < other.end && other.start < e);
      if (clash === undefined) break;
      from = clash.end;
      match = search(output, directive, from, end, variables);
    }
    if (match === null) throw failure(directive, "not found", output, start);
    taken.push(match);
  }
  return Math.max(...taken.map((match) => match.end));
};

const forbid = (output: string, nots: readonly Directive[], start: number, end: number, variables: Variables): void => {
  for (const directive of nots)
    if (search(output, directive, start, end, new Map(variables)) !== null)
      throw failure(directive, "is there but must not be", output, start);
};

/** The first match between `start` and `end`; binds the variables of the pattern. */
const search = (output: string, directive: Directive, start: number, end: number, variables: Variables): Match | null => {
  const names: string[] = [];
  const pattern = new RegExp(regexOf(directive, variables, names), "gm");
  pattern.lastIndex = 0;
  const found = pattern.exec(output.slice(start, end));
  if (found === null) return null;
  names.forEach((name, i) => variables.set(name, found.groups?.[`v${i}`] ?? ""));
  return { start: start + found.index, end: start + found.index + found[0].length };
};

const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

const OPENING = /\{\{|\[\[(?=[A-Za-z_]\w*(?::|\]\]))/g;

const regexOf = (directive: Directive, variables: Variables, names: string[]): string => {
  const { pattern } = directive;
  let regex = "";
  let at = 0;
  for (;;) {
    OPENING.lastIndex = at;
    const opening = OPENING.exec(pattern);
    if (opening === null) return regex + escape(pattern.slice(at));
    const start = opening.index + 2;
    const end = opening[0] === "{{" ? pattern.indexOf("}}", start) : endOfVariable(pattern, start);
    if (end < 0) throw new CheckFailure(`line ${directive.line}: ${opening[0]} is not closed`);
    const body = pattern.slice(start, end);
    regex += escape(pattern.slice(at, opening.index));
    regex += opening[0] === "{{" ? `(?:${body})` : variable(directive, body, variables, names);
    at = end + 2;
  }
};

/** The `]]` that closes a variable: brackets of its own regex are skipped. */
const endOfVariable = (pattern: string, start: number): number => {
  let depth = 0;
  for (let i = start; i < pattern.length; i++) {
    if (depth === 0 && pattern.startsWith("]]", i)) return i;
    if (pattern[i] === "\\") i++;
    else if (pattern[i] === "[") depth++;
    else if (pattern[i] === "]") depth--;
  }
  return -1;
};

/** `NAME:regex` binds, `NAME` recalls: from its own line, or from an earlier one. */
const variable = (directive: Directive, body: string, variables: Variables, names: string[]): string => {
  const colon = body.indexOf(":");
  const name = colon < 0 ? body : body.slice(0, colon);
  if (colon >= 0) return `(?<v${names.push(name) - 1}>${body.slice(colon + 1)})`;
  const own = names.lastIndexOf(name);
  if (own >= 0) return `\\k<v${own}>`;
  const value = variables.get(name);
  if (value === undefined) throw new CheckFailure(`line ${directive.line}: variable ${name} has no value here`);
  return escape(value);
};

const failure = (directive: Directive, why: string, output: string, at: number): CheckFailure => {
  const suffix = directive.kind === "CHECK" ? "" : `-${directive.kind}`;
  const rest = output.slice(at).split("\n").slice(0, 12).map((line) => `  | ${line}`);
  return new CheckFailure(`line ${directive.line}: CHECK${suffix}: ${directive.pattern}\n${why}; looking from\n${rest.join("\n")}`);
};
