/** @file The optimizer of a model as data, and its one-line spelling: `adamw(lr: 0.0003, betas: (0.9, 0.95), clip: 1)`.
 *
 *  A module carries that line as its attribute `optimizer`: lowering prints it, `make-step` and the runtime read it. */

import type { Module } from "./core.ts";

export interface Adamw {
  readonly name: "adamw";
  readonly lr: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  /** Decoupled decay, applied to parameters of rank 2 and more. */
  readonly weight_decay: number;
  /** Largest global norm of the gradient; 0: not clipped. */
  readonly clip: number;
}

export interface Sgd {
  readonly name: "sgd";
  readonly lr: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weight_decay: number;
  readonly clip: number;
}

export type OptimizerConfig = Adamw | Sgd;

/** What is not written has these values. */
export const OPTIMIZERS: { readonly [N in OptimizerConfig["name"]]: Extract<OptimizerConfig, { name: N }> } = {
  adamw: { name: "adamw", lr: 3e-4, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01, clip: 0 },
  sgd: { name: "sgd", lr: 1e-2, momentum: 0, nesterov: false, weight_decay: 0, clip: 0 },
};

type Field = number | boolean | readonly [number, number];

const printField = (value: Field): string =>
  typeof value === "object" ? `(${value[0]}, ${value[1]})` : `${value}`;

/** Canonical text, every field written: `sgd(lr: 0.01, momentum: 0, nesterov: false, weight_decay: 0, clip: 0)`. */
export const printOptimizer = (config: OptimizerConfig): string => {
  const fields = Object.entries(config).filter(([key]) => key !== "name");
  return `${config.name}(${fields.map(([key, value]) => `${key}: ${printField(value as Field)}`).join(", ")})`;
};

const NUMBER = String.raw`[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?`;
const FIELD = new RegExp(String.raw`\s*(\w+)\s*:\s*(?:(${NUMBER})|(true|false)|\(\s*(${NUMBER})\s*,\s*(${NUMBER})\s*\))\s*(,|$)`, "y");

const readField = (match: RegExpExecArray): Field => {
  if (match[2] !== undefined) return Number(match[2]);
  if (match[3] !== undefined) return match[3] === "true";
  return [Number(match[4]), Number(match[5])];
};

const kindOf = (value: Field): string => (typeof value === "object" ? "a pair of numbers" : `a ${typeof value}`);

/** Fields the optimizer does not have, or of another kind, or out of range; "" where all is well. */
const objection = (name: OptimizerConfig["name"], key: string, value: Field): string => {
  const known: Readonly<Record<string, unknown>> = { ...OPTIMIZERS[name] };
  const fallback = key === "name" ? undefined : known[key];
  if (fallback === undefined) {
    const names = Object.keys(known).filter((k) => k !== "name");
    return `${name} has no \`${key}\`; it has ${names.join(", ")}`;
  }
  if (kindOf(value) !== kindOf(fallback as Field)) return `\`${key}\` is ${kindOf(fallback as Field)}`;
  const numbers = typeof value === "object" ? value : [Number(value)];
  if (numbers.some((n) => !Number.isFinite(n) || n < 0)) return `\`${key}\` must be finite and not negative`;
  if ((key === "betas" || key === "momentum") && numbers.some((n) => n >= 1)) return `\`${key}\` must be below 1`;
  return "";
};

/** The optimizer a line spells; a string says what is wrong with it. */
export const parseOptimizer = (text: string): OptimizerConfig | string => {
  const call = /^\s*(\w+)\s*\((.*)\)\s*$/s.exec(text) ?? /^\s*(\w+)\s*()$/.exec(text);
  const name = call?.[1];
  if (call === null || (name !== "adamw" && name !== "sgd"))
    return `expected one of ${Object.keys(OPTIMIZERS).join(", ")} with its settings in parentheses`;
  const fields = call[2] ?? "";
  const given = new Map<string, Field>();
  let end = 0;
  FIELD.lastIndex = 0;
  for (let match = FIELD.exec(fields); match !== null; match = FIELD.exec(fields)) {
    const [key, value] = [match[1] ?? "", readField(match)];
    const wrong = given.has(key) ? `\`${key}\` is given twice` : objection(name, key, value);
    if (wrong !== "") return wrong;
    given.set(key, value);
    end = FIELD.lastIndex;
    if (end === fields.length) break;
  }
  if (fields.slice(end).trim() !== "") return `cannot read \`${fields.slice(end).trim()}\`: expected \`name: value\``;
  // Every given key was checked to be a field of this optimizer and of its kind.
  return { ...OPTIMIZERS[name], ...Object.fromEntries(given) } as OptimizerConfig;
};

/** The optimizer a module says it is trained with; null where it says none. A string says what is wrong with it. */
export const optimizerOf = (module: Module): OptimizerConfig | string | null => {
  const node = module.attrs["optimizer"];
  if (node === undefined) return null;
  return node.kind === "string" ? parseOptimizer(node.value) : "the attribute `optimizer` is not a string";
};

/** State tensors the optimizer keeps for every parameter, by prefix: the state of `Mlp.up` is `m.Mlp.up`. */
export const stateOf = (config: OptimizerConfig): readonly string[] => (config.name === "adamw" ? ["m", "v"] : ["m"]);
