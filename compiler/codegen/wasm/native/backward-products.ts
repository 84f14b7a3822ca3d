/** @file The five products of a block of queries and a block of keys:
 *
 *      s = q k^T    t = d_o v^T        dv += p^T d_o    dk += dS^T q    dq of the chunk += dS k
 *
 *  Where the diagonal crosses the block, row r sees columns c <= diagonal + r: then each panel of columns has the tiles of rows that see
 *  some of it, and each tile of a gradient the depth that is not masked for all of it. What is left out are additions of 0,
 *  so bits do not tell; without this a causal problem of 512 queries would multiply an eighth more than it needs. */

import { FLOAT, PANEL, TILE } from "./backward-plan.ts";
import type { BackwardPlan } from "./backward-plan.ts";
import type { FunctionBuilder } from "../builder.ts";
import type { FunctionTable } from "../function-table.ts";
import { add, call, held, keep, less, max, min, of, over, sub, times } from "./integers.ts";
import type { Int } from "./integers.ts";
import { columnsOf, rowsOf, tileProduct } from "./tile-product.ts";
import type { TileStrides } from "./tile-product.ts";

/** Bytes of eight columns. */
const PANEL_BYTES = PANEL * FLOAT;

/** Addresses, and how many there are. */
export interface Block {
  /** Rows of queries, whole panels wide. */
  readonly q: Int;
  readonly dO: Int;
  /** Rows of keys likewise, and panels of keys and values. */
  readonly k: Int;
  readonly keyPanels: Int;
  readonly valuePanels: Int;
  /** Scores, then weights; d_o·v, then gradients of scores. */
  readonly weights: Int;
  readonly scores: Int;
  readonly dq: Int;
  readonly dk: Int;
  readonly dv: Int;
  readonly rows: Int;
  readonly columns: Int;
  readonly diagonal: Int;
}

type Product = (a: Int, b: Int, c: Int, panels: Int, tiles: Int, depth: Int) => void;

export const emitProducts = (plan: BackwardPlan, f: FunctionBuilder, table: FunctionTable, block: Block): { readonly scores: (onDiagonal: boolean) => void; readonly gradients: (onDiagonal: boolean) => void } => {
  const { keys, queryWidth, valueWidth, sizes: { K, E } } = plan;
  const blockRow = keys * FLOAT;
  const product = (strides: TileStrides, sum: boolean): Product => {
    const index = table.shared(() => tileProduct(strides, sum));
    return (...operands) => call(f, index, ...operands);
  };
  const panels = held(keep(f, "panels", over(add(block.columns, of(PANEL - 1)), PANEL)));
  const keyTiles = held(keep(f, "tiles", over(add(block.columns, of(TILE - 1)), TILE)));
  const rowTiles = held(keep(f, "tiles", over(add(block.rows, of(TILE - 1)), TILE)));
  const each = (hint: string, count: Int, body: (index: Int) => void): void => {
    const index = keep(f, hint, of(0));
    f.while(index, () => count(f), 1, () => body(held(index)));
  };
  const positive = (count: Int, body: () => void): void => {
    less(of(0), count)(f);
    f.block("if", body);
  };
  /** C = A B^T, its columns the keys. */
  const toScores = (onDiagonal: boolean, a: Int, b: Int, c: Int, width: number, padded: number): void => {
    const run = product({ ...rowsOf(padded * FLOAT), bStep: PANEL_BYTES, bPanel: width * PANEL_BYTES, cRow: blockRow }, false);
    if (!onDiagonal) return run(a, b, c, panels, rowTiles, of(width));
    each("panel", panels, (panel) => {
      const skipped = held(keep(f, "skipped", over(max(of(0), sub(times(panel, PANEL), block.diagonal)), TILE)));
      const [aSkipped, cSkipped] = [padded, keys].map((row) => times(skipped, TILE * row * FLOAT)) as [Int, Int];
      positive(sub(rowTiles, skipped), () =>
        run(add(a, aSkipped), add(b, times(panel, width * PANEL_BYTES)), add(add(c, cSkipped), times(panel, PANEL_BYTES)), of(1), sub(rowTiles, skipped), of(width)));
    });
  };
  const rowsAsB = (width: number): Pick<TileStrides, "bStep" | "bPanel" | "cRow"> => ({ bStep: width * FLOAT, bPanel: PANEL_BYTES, cRow: width * FLOAT });
  /** C += A^T B, its rows the keys. */
  const toKeys = (onDiagonal: boolean, a: Int, b: Int, c: Int, width: number): void => {
    const run = product({ ...columnsOf(blockRow), ...rowsAsB(width) }, true);
    if (!onDiagonal) return run(a, b, c, of(width / PANEL), keyTiles, block.rows);
    each("tile", keyTiles, (tile) => {
      const skipped = held(keep(f, "skipped", max(of(0), sub(times(tile, TILE), block.diagonal))));
      const at = add(add(a, times(tile, TILE * FLOAT)), times(skipped, blockRow));
      positive(sub(block.rows, skipped), () =>
        run(at, add(b, times(skipped, width * FLOAT)), add(c, times(tile, TILE * width * FLOAT)), of(width / PANEL), of(1), sub(block.rows, skipped)));
    });
  };
  /** C += A B, its rows the queries. */
  const toQueries = (onDiagonal: boolean, a: Int, b: Int, c: Int, width: number): void => {
    const run = product({ ...rowsOf(blockRow), ...rowsAsB(width) }, true);
    if (!onDiagonal) return run(a, b, c, of(width / PANEL), rowTiles, block.columns);
    each("tile", rowTiles, (tile) => {
      const depth = held(keep(f, "depth", min(block.columns, add(times(tile, TILE), add(block.diagonal, of(TILE))))));
      positive(depth, () => run(add(a, times(tile, TILE * blockRow)), b, add(c, times(tile, TILE * width * FLOAT)), of(width / PANEL), of(1), depth));
    });
  };
  return {
    scores: (onDiagonal) => {
      toScores(onDiagonal, block.q, block.keyPanels, block.weights, K, queryWidth);
      toScores(onDiagonal, block.dO, block.valuePanels, block.scores, E, valueWidth);
    },
    gradients: (onDiagonal) => {
      toKeys(onDiagonal, block.weights, block.dO, block.dv, valueWidth);
      toKeys(onDiagonal, block.scores, block.q, block.dk, queryWidth);
      toQueries(onDiagonal, block.scores, block.k, block.dq, queryWidth);
    },
  };
};
