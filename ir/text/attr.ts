/** @file Attribute values as text: `1 : i64`, `0.125 : f64`, `"causal"`, `[1, 0]`, `unit`, a type. */

import type { AttrNode } from "../attrs.ts";
import { floatOfBits, floatText, keyText, quote } from "./literal.ts";
import type { Reader } from "./reader.ts";
import type { TypePrinter, TypeReader } from "./type.ts";

/** A value. Inside an array MLIR leaves out the types that literals have anyway; so do we. */
export const printNode = (node: AttrNode, types: TypePrinter, typed = true): string => {
  switch (node.kind) {
    case "int":
      return typed ? `${node.value} : i64` : `${node.value}`;
    case "float":
      return typed || !Number.isFinite(node.value) ? `${floatText(node.value)} : f64` : floatText(node.value);
    case "string":
      return quote(node.value);
    case "bool":
      return `${node.value}`;
    case "unit":
      return "unit";
    case "type":
      return types.print(node.value);
    case "array":
      return `[${node.items.map((item) => printNode(item, types, false)).join(", ")}]`;
  }
};

/** ` {a = 1 : i64, b}`, keys sorted, with the space before it; "" without entries. */
export const printDictionary = (entries: readonly (readonly [key: string, node: AttrNode])[], types: TypePrinter): string => {
  if (entries.length === 0) return "";
  const sorted = isSorted(entries) ? entries : [...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  let text = "";
  for (const entry of sorted) text += (text === "" ? "" : ", ") + printEntry(entry, types);
  return ` {${text}}`;
};

const isSorted = (entries: readonly (readonly [key: string, node: AttrNode])[]): boolean => {
  for (let i = 1; i < entries.length; i++) if ((entries[i - 1]?.[0] ?? "") > (entries[i]?.[0] ?? "")) return false;
  return true;
};

export const printEntry = ([key, node]: readonly [string, AttrNode], types: TypePrinter): string =>
  node.kind === "unit" ? keyText(key) : `${keyText(key)} = ${printNode(node, types)}`;

/** `{key = value, key, …}` if there is one; `value` reads a value that this file does not know (nested dictionaries). */
export const readDictionary = <T>(reader: Reader, value: (key: string) => T, unit: T): Map<string, T> => {
  const entries = new Map<string, T>();
  if (!reader.acceptPunct("{")) return entries;
  reader.list("}", () => {
    const at = reader.span;
    const key = reader.kind === "string" ? reader.takeText("string", "a key") : reader.take("word", "an attribute's name");
    if (entries.has(key)) reader.fail("SQ0407", `attribute \`${key}\` is given twice`, at);
    entries.set(key, reader.acceptPunct("=") ? value(key) : unit);
  });
  return entries;
};

export const UNIT: AttrNode = { kind: "unit" };

export const readNode = (reader: Reader, types: TypeReader): AttrNode => {
  switch (reader.kind) {
    case "string":
      return { kind: "string", value: reader.takeText("string", "a string") };
    case "number":
      return readNumber(reader, 1);
    case "alias":
      return { kind: "type", value: types.read(reader) };
    case "word":
      return readWord(reader, types);
    default:
      if (reader.acceptPunct("-")) return readNumber(reader, -1);
      if (reader.acceptPunct("[")) return { kind: "array", items: reader.list("]", () => readNode(reader, types)) };
      return reader.expected("an attribute's value");
  }
};

const readWord = (reader: Reader, types: TypeReader): AttrNode => {
  if (reader.acceptWord("true")) return { kind: "bool", value: true };
  if (reader.acceptWord("false")) return { kind: "bool", value: false };
  if (reader.acceptWord("unit")) return UNIT;
  if (reader.isWord("tensor")) return { kind: "type", value: types.read(reader) };
  return reader.expected("an attribute's value");
};

const readNumber = (reader: Reader, sign: 1 | -1): AttrNode => {
  const at = reader.span;
  const text = reader.take("number", "a number");
  const type = reader.acceptPunct(":") ? reader.take("word", "a number's type") : text.includes(".") ? "f64" : "i64";
  if (type === "f64" || type === "f32")
    return { kind: "float", value: sign * (text.startsWith("0x") ? floatOfBits(text, type) : Number(text)) };
  if (!/^(i\d+|index)$/.test(type) || text.includes(".")) reader.fail("SQ0401", `\`${text}\` is not a number of type ${type}`, at);
  const value = sign * Number(text);
  if (!Number.isSafeInteger(value)) reader.fail("SQ0401", `${text} is too large for an integer attribute`, at);
  return { kind: "int", value: value === 0 ? 0 : value };
};
