/** @file Tensor types as text. The model's spelling of every axis is kept: as an array attribute in the tensor's encoding
 *  (`tensor<1x512xi32, ["B", "T"]>`), abbreviated by an alias named from it (`!BxT_i32`).
 *  A type whose axes are spelled by their sizes needs neither. */

import type { DType, TensorType } from "../core.ts";
import * as poly from "../poly.ts";
import type { Poly } from "../poly.ts";
import type { Reader } from "./reader.ts";

/** Prints types, giving each encoded one an alias; `definitions` are the lines that explain the aliases used so far. */
export class TypePrinter {
  readonly #byType = new Map<TensorType, string>();
  readonly #byText = new Map<string, string>();
  readonly #spelling = new Map<Poly, string>();
  readonly #aliases = new Map<string, string>();

  print(type: TensorType): string {
    let text = this.#byType.get(type);
    if (text === undefined) {
      text = this.#abbreviate(type);
      this.#byType.set(type, text);
    }
    return text;
  }

  definitions(): string[] {
    return [...this.#aliases].map(([alias, text]) => `!${alias} = ${text}`);
  }

  #abbreviate(type: TensorType): string {
    const dims = type.dims.map((dim) => this.#spell(dim));
    const shape = type.shape.map((size) => `${size}x`).join("");
    const plain = dims.every((dim, i) => dim === `${type.shape[i]}`);
    if (plain && dims.length > 0) return `tensor<${shape}${type.dtype}>`;
    const encoding = plain ? "" : `, [${dims.map((dim) => `"${dim}"`).join(", ")}]`;
    const full = `tensor<${shape}${type.dtype}${encoding}>`;
    let alias = this.#byText.get(full);
    if (alias === undefined) {
      alias = this.#unused(aliasName(dims, type.dtype));
      this.#byText.set(full, alias);
      this.#aliases.set(alias, full);
    }
    return `!${alias}`;
  }

  #spell(dim: Poly): string {
    let text = this.#spelling.get(dim);
    if (text === undefined) {
      text = poly.print(dim);
      this.#spelling.set(dim, text);
    }
    return text;
  }

  #unused(name: string): string {
    if (!this.#aliases.has(name)) return name;
    let n = 1;
    while (this.#aliases.has(`${name}_${n}`)) n++;
    return `${name}_${n}`;
  }
}

/** `["B", "T", "4*D"]` of i32 -> `BxTx4D_i32`; MLIR wants a letter or `_` first and knows no other punctuation. */
const aliasName = (dims: readonly string[], dtype: DType): string => {
  const words = dims.map((dim) =>
    dim.replace(/\*(\w+)\^-1/g, "_$1").replace(/ \+ /g, "p").replace(/ - /g, "m").replace(/[*^]/g, "").replace(/\W/g, "_"),
  );
  const shape = dims.length === 0 ? "scalar" : words.join("x");
  const suffix = dtype === "f32" ? "" : `_${dtype}`;
  return `${/^\d/.test(shape) ? "_" : ""}${shape}${suffix}`;
};

const TENSOR = /tensor\s*<\s*((?:\d+x)*)(\w+)\s*(?:,\s*\[([^\]]*)\]\s*)?>/y;

/** Reads types, resolving aliases; the same text gives the same object. */
export class TypeReader {
  readonly #aliases = new Map<string, TensorType>();
  readonly #byText = new Map<string, TensorType>();

  /** `!BxT = tensor<…>` */
  define(reader: Reader): void {
    const at = reader.span;
    const alias = reader.take("alias", "a type alias");
    if (this.#aliases.has(alias)) reader.fail("SQ0403", `type alias \`!${alias}\` is defined twice`, at);
    reader.expectPunct("=");
    this.#aliases.set(alias, this.read(reader));
  }

  read(reader: Reader): TensorType {
    if (reader.kind !== "alias") return this.#tensor(reader);
    const type = this.#aliases.get(reader.value);
    if (type === undefined) reader.fail("SQ0403", `type alias \`!${reader.value}\` is not defined`);
    reader.next();
    return type;
  }

  #tensor(reader: Reader): TensorType {
    if (!reader.isWord("tensor")) reader.expected("a tensor type or its alias");
    TENSOR.lastIndex = reader.start;
    const match = TENSOR.exec(reader.text);
    if (match === null) reader.fail("SQ0401", 'malformed tensor type: write `tensor<4x8xf32>` or `tensor<4x8xf32, ["T", "D"]>`');
    const end = TENSOR.lastIndex;
    let type = this.#byText.get(match[0]);
    if (type === undefined) {
      type = build(reader, match[1] ?? "", match[2] ?? "", match[3]);
      this.#byText.set(match[0], type);
    }
    reader.seek(end);
    return type;
  }
}

const build = (reader: Reader, sizes: string, dtype: string, encoding: string | undefined): TensorType => {
  if (dtype !== "f32" && dtype !== "i32" && dtype !== "i1")
    reader.fail("SQ0401", `element type \`${dtype}\` is not one of f32, i32, i1`);
  const shape = sizes.split("x").slice(0, -1).map(Number);
  if (encoding === undefined) return { dtype, shape, dims: shape.map(poly.constant) };
  const spelled = encoding.trim() === "" ? [] : encoding.split(",").map((text) => /^\s*"(.*)"\s*$/.exec(text)?.[1] ?? "");
  const dims = spelled.map((text) => poly.parse(text) ?? reader.fail("SQ0401", `\`${text}\` does not spell an axis`));
  if (dims.length !== shape.length) reader.fail("SQ0401", `${dims.length} axes are spelled, the shape has ${shape.length}`);
  return { dtype, shape, dims };
};
