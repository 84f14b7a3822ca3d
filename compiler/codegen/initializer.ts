/** @file How a parameter starts, out of the language's spelling: `normal(std: 0.02)` → numbers for the runtime. */

import { InternalError } from "../../ir/diagnostic.ts";
import type { Initializer } from "../../runtime/abi.ts";

type Settings = ReadonlyMap<string, number>;

const KINDS: Readonly<Record<string, (settings: Settings) => Initializer>> = {
  normal: (s) => ({ kind: "normal", mean: s.get("mean") ?? 0, std: s.get("std") ?? 1 }),
  uniform: (s) => ({ kind: "uniform", low: s.get("low") ?? 0, high: s.get("high") ?? 1 }),
  constant: (s) => ({ kind: "constant", value: s.get("value") ?? 0 }),
  zeros: () => ({ kind: "constant", value: 0 }),
  ones: () => ({ kind: "constant", value: 1 }),
};

/** Lowering writes initialisers canonically (every setting a number with its name), so anything else is our fault. */
export const parseInitializer = (text: string): Initializer => {
  const call = /^(\w+)(?:\((.*)\))?$/.exec(text.trim());
  const make = KINDS[call?.[1] ?? ""];
  if (call === null || make === undefined) throw new InternalError(`cannot read the initialiser \`${text}\``);
  const settings = (call[2] ?? "").split(",").filter((part) => part.trim() !== "");
  return make(new Map(settings.map((setting) => parseSetting(setting, text))));
};

const parseSetting = (setting: string, text: string): readonly [string, number] => {
  const [name = "", value = ""] = setting.split(":").map((part) => part.trim());
  if (name === "" || value === "" || !Number.isFinite(Number(value))) throw new InternalError(`cannot read the initialiser \`${text}\``);
  return [name, Number(value)];
};
