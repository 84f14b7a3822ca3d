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

/** Counts of the block in units of the register tile, and how its products are called. */
interface Context {
  readonly f: FunctionBuilder;
  readonly block: Block;
  /** Bytes of a row of the block. */
  readonly blockRow: number;
  readonly panels: Int;
  readonly keyTiles: Int;
  readonly rowTiles: Int;
  readonly product: (strides: TileStrides, sum: boolean) => (a: Int, b: Int, c: Int, panels: Int, tiles: Int, depth: Int) => void;
}

export interface BlockProducts {
  readonly scores: (onDiagonal: boolean) => void;
  readonly gradients: (onDiagonal: boolean) => void;
}

/** Writes the counts now, the products when asked. */
export const productsOf = ({ keys, queryWidth, valueWidth, sizes: { K, E } }: BackwardPlan, f: FunctionBuilder, table: FunctionTable, block: Block): BlockProducts => {
  const whole = (count: Int, unit: number): Int => held(keep(f, "units", over(add(count, of(unit - 1)), unit)));
  const context: Context = {
    f, block, blockRow: keys * FLOAT,
    panels: whole(block.columns, PANEL), keyTiles: whole(block.columns, TILE), rowTiles: whole(block.rows, TILE),
    product: (strides, sum) => {
      const index = table.shared(() => tileProduct(strides, sum));
      return (...operands) => call(f, index, ...operands);
    },
  };
  return {
    scores: (onDiagonal) => {
      toScores(context, onDiagonal, [block.q, block.keyPanels, block.weights], K, queryWidth);
      toScores(context, onDiagonal, [block.dO, block.valuePanels, block.scores], E, valueWidth);
    },
    gradients: (onDiagonal) => {
      toKeys(context, onDiagonal, [block.weights, block.dO, block.dv], valueWidth);
      toKeys(context, onDiagonal, [block.scores, block.q, block.dk], queryWidth);
      toQueries(context, onDiagonal, [block.scores, block.k, block.dq], queryWidth);
    },
  };
};

type Matrices = readonly [a: Int, b: Int, c: Int];

const each = ({ f }: Context, hint: string, count: Int, body: (index: Int) => void): void => {
  const index = keep(f, hint, of(0));
  f.while(index, () => count(f), 1, () => body(held(index)));
};

const ifAny = ({ f }: Context, count: Int, body: () => void): void => {
  less(of(0), count)(f);
  f.block("if", body);
};

/** C = A B^T, rows the queries, columns the keys: B in panels of `width`, A in rows of `padded`. */
const toScores = (context: Context, onDiagonal: boolean, [a, b, c]: Matrices, width: number, padded: number): void => {
  const { f, block: { diagonal }, blockRow, panels, rowTiles } = context;
  const product = context.product({ ...rowsOf(padded * FLOAT), bStep: PANEL_BYTES, bPanel: width * PANEL_BYTES, cRow: blockRow }, false);
  if (!onDiagonal) return product(a, b, c, panels, rowTiles, of(width));
  each(context, "panel", panels, (panel) => {
    const above = held(keep(f, "above", over(max(of(0), sub(times(panel, PANEL), diagonal)), TILE)));
    const below = sub(rowTiles, above);
    const target = add(add(c, times(above, TILE * blockRow)), times(panel, PANEL_BYTES));
    ifAny(context, below, () => product(add(a, times(above, TILE * padded * FLOAT)), add(b, times(panel, width * PANEL_BYTES)), target, of(1), below, of(width)));
  });
};

/** Strides of B and C where both are rows of `width`. */
const ofRows = (width: number): Pick<TileStrides, "bStep" | "bPanel" | "cRow"> => ({ bStep: width * FLOAT, bPanel: PANEL_BYTES, cRow: width * FLOAT });

/** C += A^T B, rows the keys. */
const toKeys = (context: Context, onDiagonal: boolean, [a, b, c]: Matrices, width: number): void => {
  const { f, block: { rows, diagonal }, blockRow, keyTiles } = context;
  const product = context.product({ ...columnsOf(blockRow), ...ofRows(width) }, true);
  const panels = of(width / PANEL);
  if (!onDiagonal) return product(a, b, c, panels, keyTiles, rows);
  each(context, "tile", keyTiles, (tile) => {
    const above = held(keep(f, "above", max(of(0), sub(times(tile, TILE), diagonal))));
    const source = add(add(a, times(tile, TILE * FLOAT)), times(above, blockRow));
    ifAny(context, sub(rows, above), () => product(source, add(b, times(above, width * FLOAT)), add(c, times(tile, TILE * width * FLOAT)), panels, of(1), sub(rows, above)));
  });
};

/** C += A B, rows the queries. */
const toQueries = (context: Context, onDiagonal: boolean, [a, b, c]: Matrices, width: number): void => {
  const { f, block: { columns, diagonal }, blockRow, rowTiles } = context;
  const product = context.product({ ...rowsOf(blockRow), ...ofRows(width) }, true);
  const panels = of(width / PANEL);
  if (!onDiagonal) return product(a, b, c, panels, rowTiles, columns);
  each(context, "tile", rowTiles, (tile) => {
    const depth = held(keep(f, "depth", min(columns, add(times(tile, TILE), add(diagonal, of(TILE))))));
    ifAny(context, depth, () => product(add(a, times(tile, TILE * blockRow)), b, add(c, times(tile, TILE * width * FLOAT)), panels, of(1), depth));
  });
};
