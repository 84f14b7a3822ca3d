/** @file Places as text: `loc("gpt.sq":7:11)`, `loc(fused<"cse">["gpt.sq":7:11])`, and MLIR's `loc(#loc3)`. */

import { UNKNOWN } from "../span.ts";
import type { Loc } from "../span.ts";
import { quote } from "./literal.ts";
import { Reader } from "./reader.ts";

/** ` loc(…)` with the space before it; "" for an unknown place. */
export const printLoc = (loc: Loc): string => (loc.kind === "unknown" ? "" : ` loc(${place(loc)})`);

// MLIR reads an empty fusion as one of an unknown place, so that is how it is written.
const place = (loc: Loc): string => {
  if (loc.kind === "unknown") return "unknown";
  if (loc.kind === "file") return `${quote(loc.file)}:${loc.line}:${loc.column}`;
  return `fused<${quote(loc.by)}>[${loc.from.map(place).join(", ") || "unknown"}]`;
};

/** Reads places, resolving the `#loc3 = loc(…)` lines that mlir-opt puts at the end of what it prints. */
export class LocReader {
  readonly #definitions = new Map<string, number>();
  readonly #resolved = new Map<string, Loc>();
  readonly #text: string;
  readonly #file: string;

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
    for (const match of text.matchAll(/^#(\w+) = loc/gm)) this.#definitions.set(match[1] ?? "", match.index);
  }

  /** `#loc3 = loc(…)` at the top level was found by the constructor: step over it. */
  skipDefinition(reader: Reader): void {
    reader.take("hash", "a location's alias");
    reader.expectPunct("=");
    this.readOptional(reader);
  }

  /** `loc(…)` if it is there. */
  readOptional(reader: Reader): Loc {
    if (!reader.acceptWord("loc")) return UNKNOWN;
    reader.expectPunct("(");
    const loc = this.#place(reader);
    reader.expectPunct(")");
    return loc;
  }

  #place(reader: Reader): Loc {
    if (reader.acceptWord("unknown")) return UNKNOWN;
    if (reader.kind === "hash") return this.#alias(reader);
    if (reader.kind === "string") {
      const file = reader.takeText("string", "a file");
      reader.expectPunct(":");
      const line = reader.takeInteger("a line number");
      reader.expectPunct(":");
      return { kind: "file", file, line, column: reader.takeInteger("a column number") };
    }
    if (!reader.acceptWord("fused")) reader.expected("a location");
    reader.expectPunct("<");
    const by = reader.takeText("string", "the name of what fused these places");
    reader.expectPunct(">");
    reader.expectPunct("[");
    const from = reader.list("]", () => this.#place(reader));
    return { kind: "fused", by, from: from.filter((loc) => loc.kind !== "unknown") };
  }

  #alias(reader: Reader): Loc {
    const name = reader.value;
    const at = this.#definitions.get(name);
    if (at === undefined) reader.fail("SQ0403", `location alias \`#${name}\` is not defined`);
    reader.next();
    const known = this.#resolved.get(name);
    if (known !== undefined) return known;
    this.#resolved.set(name, UNKNOWN); // a definition that reaches itself ends here
    const definition = new Reader(this.#text, this.#file);
    definition.seek(at);
    definition.next();
    definition.expectPunct("=");
    const loc = this.readOptional(definition);
    this.#resolved.set(name, loc);
    return loc;
  }
}
