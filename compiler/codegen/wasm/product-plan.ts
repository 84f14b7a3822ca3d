/** @file How a product is cut and read: sizes of blocks, where they lie in the scratch region, what is copied and how. */

import { edgeBytes, FUSED } from "./gemm.ts";
import type { Rows } from "./gemm.ts";
import type { Neighbours } from "./pack.ts";
import { countOf, withItems } from "./product.ts";
import type { Axis, Product } from "./product.ts";

const FLOAT = 4;

/** 512 steps of eight columns of B are 16 KiB, of 128 rows of A 256 KiB: half of the first and second caches of today. */
const LARGEST = { depth: 512, rows: 128, columns: 1024 } as const;

/** The packed B of so many columns is read from the third cache; what remains to be done wants whole rows. */
const WHOLE_ROWS = 4096;

export const hasWholeRows = ({ columns }: Product): boolean => countOf(columns) <= WHOLE_ROWS;

const roundUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;

/** About equal blocks, none larger than the limit. */
const blockOf = (count: number, limit: number, unit: number): number => roundUp(Math.ceil(count / Math.ceil(count / limit)), unit);

export interface Plan {
  readonly depth: number;
  readonly rows: number;
  readonly columns: number;
  /** Byte offsets in the scratch region. */
  readonly at: Readonly<Record<"rowsA" | "rowsOut" | "tiles" | "columnsB" | "columnsOut" | "depthA" | "depthB" | "tile" | "a" | "b" | "end", number>>;
}

/** `whole`: rows are not cut. */
export const planOf = (product: Product, whole = false): Plan => {
  const depth = blockOf(countOf(product.depth), LARGEST.depth, 4);
  const rows = blockOf(countOf(product.rows), LARGEST.rows, product.tile.rows);
  const columns = blockOf(countOf(product.columns), whole ? WHOLE_ROWS : LARGEST.columns, product.tile.columns);
  let next = 0;
  const take = (bytes: number): number => {
    const start = next;
    next += roundUp(bytes, 16);
    return start;
  };
  const [rowsA, rowsOut, tiles] = [take(rows * FLOAT), take(rows * FLOAT), take(rows * FLOAT)];
  const [columnsB, columnsOut] = [take(columns * FLOAT), take(columns * FLOAT)];
  const [depthA, depthB] = [take(depth * FLOAT), take(depth * FLOAT)];
  const tile = take(edgeBytes(product.tile));
  const [a, b] = [take(rows * depth * FLOAT), take(columns * depth * FLOAT)];
  return { depth, rows, columns, at: { rowsA, rowsOut, tiles, columnsB, columnsOut, depthA, depthB, tile, a, b, end: next } };
};

/** Copying a pays if it is then read for many panels. Until then it is read where it is, if one number says where the next step
 *  of the depth lies; rows that are read together must all exist. */
const FEW_COLUMNS = 64;

export const directRows = ({ rows, columns, depth, tile }: Product): Rows | null => {
  const [only] = depth;
  if (countOf(columns) > FEW_COLUMNS || only === undefined || depth.length > 1) return null;
  if (only.a === 1) return "apart";
  return neighboursOf(rows, [], "a", tile.rows) === "lanes" && countOf(rows) % tile.rows === 0 ? "together" : null;
};

/** Fewer rows leave too much of the last tile empty. */
const MANY_ROWS = 64;

/** The product with multiplication and addition in one instruction, unless its larger tile costs more than that gains. */
export const fusedProduct = (product: Product): Product => {
  const fused = withItems({ ...product, tile: FUSED });
  const kind = ({ rows, depth, tile }: Product): Neighbours => neighboursOf(rows, depth, "a", tile.rows);
  const alike = kind(fused) === kind(product) && directRows(fused) === directRows(product);
  return alike && countOf(product.rows) >= MANY_ROWS ? fused : product;
};

/** Which neighbours every group of `width` lanes, or every four steps of the depth, surely are in memory. Groups of lanes
 *  start at multiples of `width`. */
export const neighboursOf = (lanes: readonly Axis[], depth: readonly Axis[], factor: "a" | "b", width: number): Neighbours => {
  const runs = (axes: readonly Axis[], together: number): boolean => {
    const inner = axes.at(-1);
    return inner !== undefined && inner[factor] === 1 && (axes.length === 1 || inner.extent % together === 0);
  };
  if (runs(lanes, width)) return "lanes";
  return runs(depth, 4) ? "depth" : "neither";
};
