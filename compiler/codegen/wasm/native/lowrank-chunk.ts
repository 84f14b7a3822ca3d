/** @file What is done with one chunk of positions: its rows fetched, states read and added to, gradients through monomials, pairs.
 *
 *      read          rows_i  += Σ_m a_m φ_m(x_i) S_m
 *      accumulate    S_m     += Σ_i φ_m(x_i) rows_i
 *      gradient      d_x_i   += Σ_m f_m (S_m · rows_i) dφ_m(x_i)
 *
 *  All three are products of the register tile; in the second the positions are the depth, in the others the monomials or the values.
 *  a and f are coefficients of polynomials by degree; what else a monomial counts is in the weighted monomials of the keys. */

import { rankOf } from "../../../../ir/approximation.ts";
import type { FunctionBuilder, LocalIndex } from "../builder.ts";
import type { FunctionTable } from "../function-table.ts";
import type { WasmFunction } from "../module.ts";
import { featuresRoutine, featuresVjpRoutine, fromColumnRoutine, intoColumnRoutine, scaledRoutine } from "./lowrank-features.ts";
import { blockRows, FLOAT, RECORD, stateBytes, tablesOf } from "./lowrank-plan.ts";
import type { LowRankPlan } from "./lowrank-plan.ts";
import { pairsRoutine, transposedRoutine } from "./lowrank-rows.ts";
import { columnsOf, rowsOf, tileProduct } from "./tile-product.ts";

/** Pushes one value. */
export type Push = () => void;

/** Byte offsets in a thread's own memory. */
export type Scratch = Readonly<Record<(typeof ROWS)[number] | "end", number>>;

const ROWS = [
  "k", "kT", "v", "vT", "q", "qT", "c", "cT", "phi", "scaled", "dPhi", "block", "dBlock", "dx", "o", "total", "dq", "dk", "dv",
  "scores", "weights", "dScores", "ones", "state",
] as const;

export const scratchOf = (plan: LowRankPlan): Scratch => {
  const { chunk, rowBytes, keyWidth, width, baseRows, states, summed } = plan;
  const [keys, values, pairs] = [chunk * keyWidth * FLOAT, chunk * width * FLOAT, chunk * rowBytes];
  const base = Math.ceil(baseRows / 4) * 4 * rowBytes;
  const block = blockRows(plan) * rowBytes;
  const sizes: Readonly<Record<(typeof ROWS)[number], number>> = {
    k: keys, q: keys, dq: keys, dk: keys, v: values, c: values, o: values, dv: values,
    kT: keyWidth * rowBytes, qT: keyWidth * rowBytes, dx: keyWidth * rowBytes, vT: width * rowBytes, cT: width * rowBytes,
    phi: base, scaled: base, dPhi: base, block, dBlock: block, total: rowBytes, ones: rowBytes,
    scores: pairs, weights: pairs, dScores: pairs, state: states && !summed ? stateBytes(plan) : 0,
  };
  let next = 0;
  const offsets = ROWS.map((name) => {
    const offset = next;
    next += Math.ceil(sizes[name] / 64) * 64;
    return [name, offset] as const;
  });
  return { ...Object.fromEntries(offsets), end: next } as Scratch;
};

/** Positions of a chunk as they go through monomials. */
export interface Features {
  /** Their variables as rows. */
  readonly x: Push;
  /** The monomial 1: 0 where there is no position. */
  readonly one: Push;
  /** Keys' monomials are weighted. */
  readonly weighted: boolean;
}

export class ChunkCode {
  readonly f: FunctionBuilder;
  readonly plan: LowRankPlan;
  readonly scratch: Scratch;
  /** Where the state is. */
  readonly state: LocalIndex;
  readonly #table: FunctionTable;
  readonly #block: LocalIndex;
  readonly #left: LocalIndex;

  constructor(f: FunctionBuilder, plan: LowRankPlan, table: FunctionTable) {
    this.f = f;
    this.plan = plan;
    this.scratch = scratchOf(plan);
    this.#table = table;
    [this.state, this.#block, this.#left] = f.locals("i32", "state", 3) as [number, number, number];
  }

  call(make: WasmFunction, ...args: readonly (Push | number)[]): void {
    for (const arg of args) {
      if (typeof arg === "number") this.f.i32(arg);
      else arg();
    }
    this.f.op("call", this.#table.shared(() => make));
  }

  own(name: keyof Scratch, offset = 0): Push {
    return () => void this.f.get(this.f.parameter("scratch")).i32(this.scratch[name] + offset).op("i32.add");
  }

  local(local: LocalIndex, offset = 0): Push {
    return () => void (offset === 0 ? this.f.get(local) : this.f.get(local).i32(offset).op("i32.add"));
  }

  gain(value: number): Push {
    return () => void this.f.f32(value);
  }

  fill(to: Push, bytes: number): void {
    to();
    this.f.i32(0).i32(bytes).op("memory.fill");
  }

  /** The element after the values, as a row of positions. */
  lastOf(name: "vT" | "cT"): Push {
    return this.own(name, this.plan.sizes.E * this.plan.rowBytes);
  }

  transpose(from: "k" | "q" | "v" | "c"): void {
    const { chunk, rowBytes, keyWidth, width } = this.plan;
    const columns = from === "k" || from === "q" ? keyWidth : width;
    this.call(transposedRoutine(chunk, columns, columns * FLOAT, rowBytes, false), this.own(`${from}T`), this.own(from));
  }

  /** The monomials of the base, for what follows. */
  base({ x, one, weighted }: Features): void {
    const { plan, plan: { rowBytes, baseRuns } } = this;
    this.own("phi")();
    one();
    this.f.i32(rowBytes).op("memory.copy");
    const runs = baseRuns.flat().length;
    if (runs > 0) this.call(featuresRoutine(plan, weighted), this.own("phi", rowBytes), this.own("phi"), x, this.#tableAt(0), runs, this.gain(1));
  }

  #tableAt(offset: number): Push {
    return this.local(this.f.parameter("table"), offset);
  }

  /** A word of the block's record. */
  #word(index: number): Push {
    return () => void this.f.get(this.#block).op("i32.load", 2, index * FLOAT);
  }

  #blockState(offset = 0): Push {
    return () => {
      this.f.get(this.state);
      this.#word(3)();
      this.f.op("i32.add");
      if (offset > 0) this.f.i32(offset).op("i32.add");
    };
  }

  #blockRun(): void {
    this.f.get(this.f.parameter("table"));
    this.#word(0)();
    this.f.op("i32.add");
  }

  #blockTiles(): void {
    this.#word(2)();
    this.f.i32(3).op("i32.add").i32(2).op("i32.shr_u");
  }

  #eachBlock(body: () => void): void {
    const { f, plan } = this;
    if (plan.blocks.length === 0) return;
    this.#tableAt(tablesOf(plan).blocks)();
    f.set(this.#block).i32(plan.blocks.length).set(this.#left);
    f.block("loop", () => {
      body();
      f.advance(this.#block, RECORD).advance(this.#left, -1).get(this.#left).op("br_if", 0);
    });
  }

  #blockFeatures({ x, weighted }: Features, gain: number): void {
    this.call(featuresRoutine(this.plan, weighted), this.own("block"), this.own("phi"), x, () => this.#blockRun(), this.#word(1), this.gain(gain));
  }

  /** Rows of the base of degree p, at most those of `degrees`. */
  #eachDegree(degrees: number, body: (degree: number, first: number, rows: number) => void): void {
    const { degree, sizes: { K } } = this.plan;
    const last = Math.min(degrees, Math.max(degree - 1, 0));
    for (let p = 0; p <= last; p++) {
      const first = p === 0 ? 0 : rankOf(K, p - 1);
      body(p, first, rankOf(K, p) - first);
    }
  }

  /** rows (+)= Σ_m a_m φ_m S_m; `total`: the element after the values, one for each position. The base is made. */
  read(features: Features, coefficients: readonly number[], rows: "o" | "dv" | null, total: Push | null, add: boolean): void {
    const { plan: { rowBytes, width, panels, folded, degree, chunk, sizes: { E, K } } } = this;
    const strides = { ...columnsOf(rowBytes), bStep: width * FLOAT, bPanel: 32, cRow: width * FLOAT };
    const highest = coefficients.length - 1;
    const use = (phi: Push, state: (offset?: number) => Push, count: Push | number, more: boolean): void => {
      if (rows !== null) this.call(tileProduct(strides, more), phi, state(), this.own(rows), panels, chunk / 4, count);
      if (total !== null && !folded) this.call(fromColumnRoutine(this.plan), total, phi, state(E * FLOAT), count);
    };
    this.#eachDegree(highest, (p, first, count) =>
      this.call(scaledRoutine(this.plan), this.own("scaled", first * rowBytes), this.own("phi", first * rowBytes), count, this.gain(coefficients[p] ?? 0)));
    use(this.own("scaled"), (offset) => this.local(this.state, offset), rankOf(K, Math.min(highest, Math.max(degree - 1, 0))), add);
    if (highest < degree || degree === 0) return;
    this.#eachBlock(() => {
      this.#blockFeatures(features, coefficients[highest] ?? 0);
      use(this.own("block"), (offset) => this.#blockState(offset), this.#word(2), true);
    });
  }

  /** S_m += Σ_i φ_m(x_i) rows_i. The base is made. */
  accumulate(features: Features, rows: "v" | "c"): void {
    const { plan, plan: { rowBytes, width, panels, folded, baseRows, chunk, sizes: { E } } } = this;
    const strides = { ...rowsOf(rowBytes), bStep: width * FLOAT, bPanel: 32, cRow: width * FLOAT };
    const use = (phi: Push, state: (offset?: number) => Push, count: Push | number, tiles: Push | number): void => {
      this.call(tileProduct(strides, true), phi, this.own(rows), state(), panels, tiles, chunk);
      if (!folded) this.call(intoColumnRoutine(plan), state(E * FLOAT), phi, this.lastOf(`${rows}T`), count);
    };
    use(this.own("phi"), (offset) => this.local(this.state, offset), baseRows, Math.ceil(baseRows / 4));
    this.#eachBlock(() => {
      this.#blockFeatures(features, 1);
      use(this.own("block"), (offset) => this.#blockState(offset), this.#word(2), () => this.#blockTiles());
    });
  }

  /** d += gradient of Σ_m f_m φ_m(x_i) (S_m · [values, last]_i) with respect to x_i. The base is made. */
  gradient({ x, weighted }: Features, coefficients: readonly number[], values: "vT" | "cT", d: "dq" | "dk"): void {
    const { plan, plan: { rowBytes, keyWidth, width, baseRows, baseRuns, degree, chunk, sizes: { E } } } = this;
    if (degree === 0) return;
    const strides = { ...rowsOf(width * FLOAT), bStep: rowBytes, bPanel: 32, cRow: rowBytes };
    const vjp = featuresVjpRoutine(plan, weighted);
    this.fill(this.own("dx"), keyWidth * rowBytes);
    this.call(tileProduct(strides, false), this.local(this.state), this.own(values), this.own("dPhi"), chunk / 8, Math.ceil(baseRows / 4), E + 1);
    this.#eachDegree(degree, (p, first, count) =>
      this.call(scaledRoutine(plan), this.own("dPhi", first * rowBytes), this.own("dPhi", first * rowBytes), count, this.gain(coefficients[p] ?? 0)));
    this.#eachBlock(() => {
      this.call(tileProduct(strides, false), this.#blockState(), this.own(values), this.own("dBlock"), chunk / 8, () => this.#blockTiles(), E + 1);
      this.call(vjp, this.own("dBlock"), this.own("phi"), this.own("dPhi"), x, this.own("dx"), () => this.#blockRun(), this.#word(1), this.gain(coefficients[degree] ?? 0));
    });
    let run = baseRuns.flat().length;
    this.#eachDegreeDown((p, first) => {
      const runs = baseRuns[p - 1]?.length ?? 0;
      run -= runs;
      this.call(vjp, this.own("dPhi", first * rowBytes), this.own("phi"), this.own("dPhi"), x, this.own("dx"), this.#tableAt(run * RECORD), runs, this.gain(1));
    });
    this.call(transposedRoutine(keyWidth, chunk, rowBytes, keyWidth * FLOAT, true), this.own(d), this.own("dx"));
  }

  #eachDegreeDown(body: (degree: number, first: number) => void): void {
    const steps: (readonly [number, number])[] = [];
    this.#eachDegree(this.plan.degree, (p, first) => p > 0 && steps.push([p, first]));
    for (const [p, first] of steps.toReversed()) body(p, first);
  }

  /** Groups of rows, so that what lies above the diagonal is left out. */
  #groups(body: (first: number, rows: number) => void): void {
    const rows = Math.min(16, this.plan.chunk);
    for (let first = 0; first < this.plan.chunk; first += rows) body(first, rows);
  }

  /** out[i][j] = a_i · b_j, at least for j <= i: scores, or c_i · [v_j, 1]. */
  pairProducts(a: "q" | "c", b: "kT" | "vT", out: "scores" | "dScores"): void {
    const { rowBytes, keyWidth, width, sizes: { K, E } } = this.plan;
    const stride = FLOAT * (a === "q" ? keyWidth : width);
    const strides = { ...rowsOf(stride), bStep: rowBytes, bPanel: 32, cRow: rowBytes };
    this.#groups((first, rows) =>
      this.call(tileProduct(strides, false), this.own(a, first * stride), this.own(b), this.own(out, first * rowBytes), (first + rows) / 8, rows / 4, a === "q" ? K : E + 1));
  }

  /** P of the scores of those who see each other; sums added to `total` unless they come with the values. */
  pairWeights(coefficients: readonly number[], scale: number): void {
    const sums = !this.plan.folded;
    this.call(pairsRoutine(this.plan, { coefficients, scale, times: false, sums }), this.own("weights"), this.own("scores"), this.lastOf("vT"), this.own("total"));
  }

  /** dScores, which hold c_i · [v_j, 1], times scale F'(s). */
  pairSlopes(coefficients: readonly number[], scale: number): void {
    this.call(pairsRoutine(this.plan, { coefficients, scale, times: true, sums: false }), this.own("dScores"), this.own("scores"), this.lastOf("vT"), this.own("total"));
  }

  /** to_i += Σ_j pairs[i][j] from_j */
  overKeys(pairs: "weights" | "dScores", from: "v" | "k", to: "o" | "dq"): void {
    const { rowBytes, keyWidth, width, panels } = this.plan;
    const stride = FLOAT * (from === "k" ? keyWidth : width);
    const strides = { ...rowsOf(rowBytes), bStep: stride, bPanel: 32, cRow: stride };
    this.#groups((first, rows) =>
      this.call(tileProduct(strides, true), this.own(pairs, first * rowBytes), this.own(from), this.own(to, first * stride), from === "k" ? keyWidth / 8 : panels, rows / 4, first + rows));
  }

  /** to_j += Σ_i pairs[i][j] from_i */
  overQueries(pairs: "weights" | "dScores", from: "c" | "q", to: "dv" | "dk"): void {
    const { rowBytes, keyWidth, width, panels, chunk } = this.plan;
    const stride = FLOAT * (from === "q" ? keyWidth : width);
    const strides = { ...columnsOf(rowBytes), bStep: stride, bPanel: 32, cRow: stride };
    this.#groups((first, rows) =>
      this.call(tileProduct(strides, true), this.own(pairs, first * rowBytes + first * FLOAT), this.own(from, first * stride), this.own(to, first * stride), from === "q" ? keyWidth / 8 : panels, rows / 4, chunk - first));
  }
}
