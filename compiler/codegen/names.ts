/** @file Identifiers out of the model's names: paths, values and ops, made unique and safe for JavaScript. */

const RESERVED: ReadonlySet<string> = new Set(
  ("arguments await break case catch class const constants continue debugger default delete do else enum eval export " +
    "extends false finally for function if implements import in instanceof interface let new null package private " +
    "protected public return static super switch this thread throw true try typeof undefined var void while with yield " +
    "Infinity Math NaN").split(" "),
);

/** Letters, digits and underscores of `text`, never a reserved word; "" if nothing is left. */
export const identifier = (text: string): string => {
  const clean = text.replace(/\W+/g, "_").replace(/^_+|_+$/g, "");
  return clean === "" ? "" : RESERVED.has(clean) || /^\d/.test(clean) ? `_${clean}` : clean;
};

/** `Block.2.SelfAttention` says which layer; identical layers share kernels, so only the layer's own name is kept. */
export const layerName = (path: string): string =>
  path.split(".").filter((part) => !/^\d+$/.test(part)).at(-1) ?? "";

/** `Mlp_up_einsum`: the layer, the value as the model calls it, and what computes it. */
export const kernelName = (path: string, value: string, mnemonic: string): string =>
  [layerName(path), identifier(value), mnemonic].filter((part) => part !== "").join("_");

/** Gives every wanted name once: `name`, `name_2`, `name_3`, … */
export class Namer {
  readonly #taken = new Set<string>();

  unique(wanted: string): string {
    const stem = identifier(wanted) || "kernel";
    let name = stem;
    for (let i = 2; this.#taken.has(name); i++) name = `${stem}_${i}`;
    this.#taken.add(name);
    return name;
  }
}
