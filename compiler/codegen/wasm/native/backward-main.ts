/** @file The main phase of attention's gradient. An item is a chunk of keys of one key head; for each block of keys in it, and
 *  each block of queries that sees some of them: two products for scores (backward-products.ts), the weights and the gradients of the
 *  scores (backward-weights.ts), three products for gradients.
 *
 *  Keys and values are turned into panels once a block of keys; queries are read where they are, unless they have no whole
 *  panels of columns, or end within a tile: then a copy in scratch memory has. dk and dv of the block stay in scratch memory. */

import { FLOAT, TILE } from "./backward-plan.ts";
import type { BackwardPlan, ScratchPart } from "./backward-plan.ts";
import { productsOf } from "./backward-products.ts";
import type { Block } from "./backward-products.ts";
import { addToBias, finishScores, hasPrologue, weightsOfBlock } from "./backward-weights.ts";
import type { FunctionBuilder, LocalIndex } from "../builder.ts";
import type { FunctionTable } from "../function-table.ts";
import type { WasmFunction } from "../module.ts";
import { add, call, held, keep, less, max, min, modulo, of, or, over, stored, sub, times, up } from "./integers.ts";
import type { Int } from "./integers.ts";
import { dropoutBlock, dropoutTable } from "./dropout.ts";
import { moveRows, panelsOfRows } from "./row-moves.ts";

/** Queries that see any of the keys first <= j < end: whole blocks of them, from the first to before the last. */
export const queriesOf = ({ attrs: { causal, window }, sizes: { N, M }, rows }: BackwardPlan, first: Int, end: Int): { readonly first: Int; readonly end: Int } => {
  const ahead = M - N;
  const seen = window > 0 ? min(of(N), add(end, of(window - 1 - ahead))) : of(N);
  const whole = (row: Int): Int => times(over(row, rows), rows);
  return { first: causal ? whole(max(of(0), sub(first, of(ahead)))) : of(0), end: seen };
};

/** Bounds of a loop; `to` is pushed anew every turn. */
interface Range {
  readonly from: Int;
  readonly to: Int;
}

/** A key head of a sequence, some of whose keys are an item. */
interface KeyHead {
  readonly b: Int;
  readonly g: Int;
  /** Keys that the sequence has. */
  readonly length: Int;
  /** The chunk's sums of dq for a query head. */
  readonly partialAt: (h: Int) => Int;
}

interface KeyBlock extends KeyHead {
  readonly first: Int;
  readonly count: Int;
  /** Its rows of k, whole panels wide. */
  readonly k: Int;
}

/** The function of which `f` has the parameters: (dq, dk, dv[, dbias], delta, partials, q, k, v, o, lse, d_o, extras…, begin, end, scratch). */
export const emitBackwardMain = (plan: BackwardPlan, f: FunctionBuilder, table: FunctionTable): WasmFunction => new MainEmitter(plan, f, table).emit();

class MainEmitter {
  readonly #plan: BackwardPlan;
  readonly #f: FunctionBuilder;
  readonly #table: FunctionTable;

  constructor(plan: BackwardPlan, f: FunctionBuilder, table: FunctionTable) {
    this.#plan = plan;
    this.#f = f;
    this.#table = table;
  }

  emit(): WasmFunction {
    const { attrs, chunkKeys, sizes: { B, G, M }, sharedB, sharedH } = this.#plan;
    if (attrs.dropout > 0) call(this.#f, this.#table.shared(dropoutTable), this.#scratch("table"), this.#p("dropout_key"));
    const heads = sharedH ? 1 : G;
    const perChunk = (sharedB ? 1 : B) * heads;
    this.#loop("item", { from: this.#p("begin"), to: this.#p("end") }, 1, (item) => {
      const chunk = this.#keep("chunk", over(item, perChunk));
      const first = this.#keep("first", times(chunk, chunkKeys));
      const end = this.#keep("limit", min(add(first, of(chunkKeys)), of(M)));
      const rest = this.#keep("rest", modulo(item, perChunk));
      const only = (index: Int): Range => ({ from: index, to: add(index, of(1)) });
      const sequences = sharedB ? { from: of(0), to: of(B) } : only(over(rest, heads));
      const keyHeads = sharedH ? { from: of(0), to: of(G) } : only(modulo(rest, heads));
      if (this.#plan.has("bias")) this.#clearBias(sequences.from, keyHeads.from, first, end);
      this.#loop("b", sequences, 1, (b) => this.#loop("g", keyHeads, 1, (g) => this.#keyHead(chunk, b, g, first, end)));
    });
    return this.#f.finish(true);
  }

  #p(parameter: string): Int {
    return held(this.#f.parameter(parameter));
  }

  #keep(hint: string, value: Int): Int {
    return held(keep(this.#f, hint, value));
  }

  #loop(hint: string, { from, to }: Range, step: number, body: (index: Int) => void): void {
    const index = keep(this.#f, hint, from);
    this.#f.while(index, () => to(this.#f), step, () => body(held(index)));
  }

  #scratch(part: ScratchPart): Int {
    return add(this.#p("scratch"), of(this.#plan.at[part]));
  }

  #clear(address: Int, bytes: Int): void {
    address(this.#f);
    this.#f.i32(0);
    bytes(this.#f);
    this.#f.op("memory.fill");
  }

  #if(condition: Int, body: () => void, otherwise?: () => void): void {
    condition(this.#f);
    this.#f.block("if", body, otherwise);
  }

  #heads(g: Int): Range {
    const { G, H } = this.#plan.sizes;
    return { from: times(g, H / G), to: times(add(g, of(1)), H / G) };
  }

  /** Row (b, h, i) of a bias or mask of `heads` heads and `sequences` sequences, its element j. */
  #pairAt(base: string, [sequences, heads]: readonly [number, number], [b, h, i, j]: readonly [Int, Int, Int, Int]): Int {
    const { N, M } = this.#plan.sizes;
    const matrix = add(sequences === 1 ? of(0) : times(b, heads), heads === 1 ? of(0) : h);
    return add(this.#p(base), times(add(times(add(times(matrix, N), i), M), j), FLOAT));
  }

  #clearBias(b: Int, g: Int, first: Int, end: Int): void {
    const { biasB, biasH, sizes: { N } } = this.#plan;
    const heads = biasH === 1 ? { from: of(0), to: of(1) } : this.#heads(g);
    this.#loop("h", heads, 1, (h) =>
      this.#loop("i", { from: of(0), to: of(N) }, 1, (i) =>
        this.#clear(this.#pairAt("dbias", [biasB, biasH], [b, h, i, first]), times(sub(end, first), FLOAT))));
  }

  #keyHead(chunk: Int, b: Int, g: Int, first: Int, end: Int): void {
    const { has, keys, paddedRows, queryWidth, valueWidth, sizes: { B, H, M } } = this.#plan;
    const length = has("lengths") ? this.#keep("length", stored(add(this.#p("lengths"), times(b, FLOAT)))) : of(M);
    const partialAt = (h: Int): Int => add(this.#p("partials"), times(add(times(add(times(chunk, B), b), H), h), paddedRows * queryWidth * FLOAT));
    const head: KeyHead = { b, g, length, partialAt };
    this.#clearPartials(head, first, end);
    this.#loop("j", { from: first, to: end }, keys, (j) => {
      const count = this.#keep("keys", min(sub(of(M), j), of(keys)));
      this.#clear(this.#scratch("dk"), of(keys * queryWidth * FLOAT));
      this.#clear(this.#scratch("dv"), of(keys * valueWidth * FLOAT));
      this.#if(less(j, length), () => this.#keyBlock(head, j, count));
      this.#storeKeys(head, j, count);
    });
  }

  #clearPartials({ g, partialAt }: KeyHead, first: Int, end: Int): void {
    const { rows, paddedRows, queryWidth } = this.#plan;
    const seen = queriesOf(this.#plan, first, end);
    const from = this.#keep("seen", seen.first);
    const to = this.#keep("seen", min(times(over(add(max(seen.end, of(0)), of(rows - 1)), rows), rows), of(paddedRows)));
    const bytes = queryWidth * FLOAT;
    this.#if(less(from, to), () => this.#loop("h", this.#heads(g), 1, (h) => this.#clear(add(partialAt(h), times(from, bytes)), times(sub(to, from), bytes))));
  }

  /** Address of row `row` of key head (b, g) in an operand or a result of rows `width` wide. */
  #keyRow(base: string, { b, g }: KeyHead, row: Int, width: number): Int {
    const { G, M } = this.#plan.sizes;
    return add(this.#p(base), times(add(times(add(times(b, G), g), M), row), width * FLOAT));
  }

  #storeKeys(head: KeyHead, first: Int, count: Int): void {
    const { attrs, queryWidth, valueWidth, sizes: { K, E } } = this.#plan;
    const scaled = this.#table.shared(() => moveRows({ factor: attrs.scale }, K, K * FLOAT, queryWidth * FLOAT));
    const copied = this.#table.shared(() => moveRows("copy", E, E * FLOAT, valueWidth * FLOAT));
    call(this.#f, scaled, this.#keyRow("dk", head, first, K), this.#scratch("dk"), count);
    call(this.#f, copied, this.#keyRow("dv", head, first, E), this.#scratch("dv"), count);
  }

  #keyBlock(head: KeyHead, first: Int, count: Int): void {
    const { has, rows, queryWidth, sizes: { H, K, E } } = this.#plan;
    const f = this.#f;
    call(f, this.#table.shared(() => panelsOfRows(K, K * FLOAT)), this.#scratch("keyPanels"), this.#keyRow("k", head, first, K), count);
    call(f, this.#table.shared(() => panelsOfRows(E, E * FLOAT)), this.#scratch("valuePanels"), this.#keyRow("v", head, first, E), count);
    const k = this.#keep("k_", K === queryWidth ? this.#keyRow("k", head, first, K) : this.#scratch("k"));
    if (K < queryWidth) call(f, this.#table.shared(() => moveRows("copy", K, queryWidth * FLOAT, K * FLOAT)), k, this.#keyRow("k", head, first, K), count);
    const seen = queriesOf(this.#plan, first, add(first, count));
    const block: KeyBlock = { ...head, first, count, k };
    this.#loop("h", this.#heads(head.g), 1, (h) => {
      const each = (): void => this.#loop("i", { from: seen.first, to: seen.end }, rows, (i) => this.#block(block, h, i));
      if (has("active")) this.#if(stored(add(this.#p("active"), times(add(times(head.b, H), h), FLOAT))), each);
      else each();
    });
  }

  /** The address of rows from `query` on, whole panels wide and whole tiles many. */
  #queries(base: "q" | "d_o", part: "q" | "dO", query: Int, count: Int, width: number, padded: number): Int {
    const { N } = this.#plan.sizes;
    const f = this.#f;
    const inPlace = add(this.#p(base), times(query, width * FLOAT));
    const copy = (to: LocalIndex): void => {
      this.#scratch(part)(f);
      call(f.tee(to), this.#table.shared(() => moveRows("copy", width, padded * FLOAT, width * FLOAT)), inPlace, count);
    };
    const address = keep(f, `${base}_`, inPlace);
    if (width < padded) copy(address);
    else if (N % TILE !== 0) this.#if(modulo(count, TILE), () => copy(address));
    return held(address);
  }

  #block(keyBlock: KeyBlock, h: Int, i: Int): void {
    const { attrs, has, queryWidth, valueWidth, rows, sizes: { H, N, M, K, E } } = this.#plan;
    const { b, count, first, k, partialAt } = keyBlock;
    const height = this.#keep("rows", min(sub(of(N), i), of(rows)));
    const query = this.#keep("query", add(times(add(times(b, H), h), N), i));
    const block: Block = {
      q: this.#queries("q", "q", query, height, K, queryWidth),
      dO: this.#queries("d_o", "dO", query, height, E, valueWidth),
      k, keyPanels: this.#scratch("keyPanels"), valuePanels: this.#scratch("valuePanels"),
      weights: this.#scratch("weights"), scores: this.#scratch("scores"),
      dq: this.#keep("partial", add(partialAt(h), times(i, queryWidth * FLOAT))), dk: this.#scratch("dk"), dv: this.#scratch("dv"),
      rows: height, columns: count, diagonal: this.#keep("diagonal", sub(add(i, of(M - N)), first)),
    };
    const products = productsOf(this.#plan, this.#f, this.#table, block);
    const eitherWay = (write: (onDiagonal: boolean) => void): void => {
      if (attrs.causal) this.#if(less(block.diagonal, sub(count, of(1))), () => write(true), () => write(false));
      else write(false);
    };
    eitherWay(products.scores);
    this.#weights(keyBlock, h, i, query, block);
    if (has("bias")) call(this.#f, this.#table.shared(() => addToBias(this.#plan)), block.scores, this.#biasAt("dbias", keyBlock, h, i), height, count);
    eitherWay(products.gradients);
  }

  #biasAt(base: "bias" | "dbias", { b, first }: KeyBlock, h: Int, i: Int): Int {
    return this.#pairAt(base, [this.#plan.biasB, this.#plan.biasH], [b, h, i, first]);
  }

  #weights(keyBlock: KeyBlock, h: Int, i: Int, query: Int, { weights, scores, rows, columns, diagonal }: Block): void {
    const { has, attrs, keys, maskB, maskH, sizes: { H, N, M } } = this.#plan;
    const { b, first, length } = keyBlock;
    const f = this.#f;
    if (hasPrologue(this.#plan)) {
      const beside = [...(has("bias") ? [this.#biasAt("bias", keyBlock, h, i)] : []), ...(has("mask") ? [this.#pairAt("mask", [maskB, maskH], [b, h, i, first])] : [])];
      call(f, this.#table.shared(() => finishScores(this.#plan)), weights, ...beside, rows, columns);
    }
    const kept = attrs.dropout > 0 ? [this.#scratch("kept")] : [];
    for (const z of kept) {
      const draws = this.#table.shared(() => dropoutBlock({ N, M, rate: attrs.dropout, stride: keys * FLOAT }));
      call(f, draws, z, this.#scratch("table"), add(times(b, H), h), i, first, rows, columns);
    }
    const ofQuery = (base: string): Int => add(this.#p(base), times(query, FLOAT));
    const operands = [weights, scores, ofQuery("lse"), ofQuery("delta"), ...kept, rows, up(columns, TILE)];
    const limit = sub(length, first);
    const masks = [
      ...(attrs.causal ? [less(diagonal, sub(columns, of(1)))] : []),
      ...(attrs.window > 0 ? [less(of(attrs.window), add(diagonal, rows))] : []),
      ...(has("lengths") ? [less(limit, columns)] : []),
    ];
    const whole = (): void => call(f, this.#table.shared(() => weightsOfBlock(this.#plan, false)), ...operands);
    const some = (): void => call(f, this.#table.shared(() => weightsOfBlock(this.#plan, true)), ...operands, diagonal, limit);
    if (masks.length === 0) whole();
    else this.#if(masks.reduce(or), some, whole);
  }
}
