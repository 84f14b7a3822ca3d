/** @file Places: where in a `.sq` file something was written, kept through every rewrite. */

/** Half-open range of UTF-16 offsets in one source file. */
export interface Span {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

/** Where an operation comes from. `line` and `column` count from 1, as editors do. */
export type Loc =
  | { readonly kind: "unknown" }
  | { readonly kind: "file"; readonly file: string; readonly line: number; readonly column: number }
  | { readonly kind: "fused"; readonly by: string; readonly from: readonly Loc[] };

export const UNKNOWN: Loc = { kind: "unknown" };

/** The location of an operation that the pass or rule `by` made out of operations at `from`.
 *  The original places are kept once each; how they were derived is kept only one level deep. */
export const fused = (by: string, from: readonly Loc[]): Loc => {
  const [first] = from;
  const places = from.length === 1 && first?.kind === "fused" ? first.from : from;
  if (places.length === 1 && places[0]?.kind === "file") return { kind: "fused", by, from: places };
  const leaves = from.flatMap((loc) => (loc.kind === "fused" ? loc.from : loc.kind === "file" ? [loc] : []));
  const seen = new Set<string>();
  const unique = leaves.filter((loc) => {
    if (loc.kind !== "file") return false;
    const key = `${loc.file}:${loc.line}:${loc.column}`;
    return seen.has(key) ? false : (seen.add(key), true);
  });
  return { kind: "fused", by, from: unique };
};

/** The first place in a file that a location knows, if any. */
export const fileLoc = (loc: Loc): (Loc & { readonly kind: "file" }) | null =>
  loc.kind === "file" ? loc : loc.kind === "fused" ? (loc.from.map(fileLoc).find((l) => l !== null) ?? null) : null;
