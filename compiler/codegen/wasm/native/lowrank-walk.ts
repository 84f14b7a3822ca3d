/** @file The walk over sequences, segments and chunks that every phase of low-rank attention makes. An item is a segment of the positions of
 *  one key head, with all query heads that read it. */

import type { FunctionBuilder, LocalIndex } from "../builder.ts";
import type { FunctionTable } from "../function-table.ts";
import { ChunkCode } from "./lowrank-chunk.ts";
import type { Features, Push } from "./lowrank-chunk.ts";
import { FLOAT, stateBytes } from "./lowrank-plan.ts";
import type { LowRankPlan } from "./lowrank-plan.ts";
import { loadRowsRoutine, storeRowsRoutine } from "./lowrank-rows.ts";

/** Rows first … last of a chunk that there are, and where the first of them is among all rows of the tensor. */
interface Span {
  readonly first: LocalIndex;
  readonly last: LocalIndex;
  readonly row: LocalIndex;
}

export class Walk {
  readonly f: FunctionBuilder;
  readonly plan: LowRankPlan;
  readonly code: ChunkCode;
  readonly queries: Span;
  /** `last` is where the masked keys begin, `end` where the keys end. */
  readonly keys: Span & { readonly end: LocalIndex };
  readonly queryFeatures: Features;
  readonly keyFeatures: Features;
  readonly #chunk: LocalIndex;
  readonly #head: LocalIndex;
  readonly #query: LocalIndex;
  /** Where the current sequence's keys end, as a position. */
  readonly #seen: LocalIndex;

  constructor(f: FunctionBuilder, plan: LowRankPlan, table: FunctionTable) {
    this.f = f;
    this.plan = plan;
    this.code = new ChunkCode(f, plan, table);
    const local = (name: string): LocalIndex => f.local("i32", name);
    this.queries = { first: local("q_first"), last: local("q_last"), row: local("q_row") };
    this.keys = { first: local("k_first"), last: local("k_last"), row: local("k_row"), end: local("k_end") };
    [this.#chunk, this.#head, this.#query, this.#seen] = ["chunk", "head", "query", "seen"].map(local) as [number, number, number, number];
    this.queryFeatures = { x: this.code.own("qT"), one: this.code.own("ones"), weighted: false };
    this.keyFeatures = { x: this.code.own("kT"), one: this.code.lastOf("vT"), weighted: true };
  }

  /** For each item from begin to end, `start`, then each of its chunks, from the last on where `reverse`. `masked`: by the operand lengths. */
  items(masked: boolean, reverse: boolean, start: () => void, chunk: () => void): void {
    const { f, code, plan, plan: { segments, perSegment, chunks, sizes: { G, M } } } = this;
    const [item, turn, limit] = f.locals("i32", "item", 3) as [number, number, number];
    code.own("ones")();
    f.set(item);
    for (let i = 0; i < plan.chunk; i++) f.get(item).f32(1).op("f32.store", 2, i * FLOAT);
    f.get(f.parameter("begin")).set(item);
    f.while(item, () => f.get(f.parameter("end")), 1, () => {
      f.get(item).i32(segments).op("i32.div_u").set(this.#head);
      if (masked) {
        f.get(f.parameter("lengths")).get(this.#head).i32(G).op("i32.div_u").i32(FLOAT).op("i32.mul").op("i32.add");
        f.op("f32.load", 2, 0).op("i32.trunc_sat_f32_s").i32(plan.length - M).op("i32.add").set(this.#seen);
      } else f.i32(plan.length).set(this.#seen);
      if (plan.summed) f.get(f.parameter("states")).get(item).i32(stateBytes(plan)).op("i32.mul").op("i32.add").set(code.state);
      else void (code.own("state")(), f.set(code.state));
      start();
      f.get(item).i32(segments).op("i32.rem_u").i32(perSegment).op("i32.mul").set(this.#chunk);
      f.get(this.#chunk).i32(perSegment).op("i32.add").set(limit);
      f.get(limit).i32(chunks).get(limit).i32(chunks).op("i32.lt_s").op("select").set(limit);
      f.get(this.#chunk).set(turn);
      if (reverse) f.get(limit).i32(1).op("i32.sub").set(this.#chunk);
      f.while(turn, () => f.get(limit), 1, () => {
        this.#bounds();
        chunk();
        f.advance(this.#chunk, reverse ? -1 : 1);
      });
    });
  }

  /** value := min(max(0, value), chunk) */
  #clip(value: LocalIndex): void {
    const { f, plan: { chunk } } = this;
    f.get(value).i32(0).get(value).i32(0).op("i32.gt_s").op("select").set(value);
    f.get(value).i32(chunk).get(value).i32(chunk).op("i32.lt_s").op("select").set(value);
  }

  #bounds(): void {
    const { f, plan: { chunk, length, sizes: { N, M } }, keys, queries } = this;
    f.get(this.#chunk).i32(chunk).op("i32.mul").set(keys.row);
    const bound = (to: LocalIndex, value: Push): void => {
      value();
      f.get(keys.row).op("i32.sub").set(to);
      this.#clip(to);
    };
    bound(keys.first, () => f.i32(length - M));
    bound(keys.end, () => f.i32(length));
    bound(keys.last, () => f.get(this.#seen));
    f.get(keys.last).get(keys.first).get(keys.last).get(keys.first).op("i32.gt_s").op("select").set(keys.last);
    bound(queries.first, () => f.i32(length - N));
    f.get(keys.end).set(queries.last);
    f.get(this.#head).i32(M).op("i32.mul").get(keys.row).op("i32.add").get(keys.first).op("i32.add").i32(length - M).op("i32.sub").set(keys.row);
  }

  /** For each query head that reads the key head, if the chunk has queries. */
  eachHead(body: () => void): void {
    const { f, plan: { chunk, length, sizes: { H, G, N } }, queries } = this;
    f.get(queries.last).get(queries.first).op("i32.gt_s");
    f.block("if", () =>
      f.repeat(this.#query, H / G, 1, () => {
        f.get(this.#head).i32(H / G).op("i32.mul").get(this.#query).op("i32.add").i32(N).op("i32.mul");
        f.get(this.#chunk).i32(chunk).op("i32.mul").op("i32.add").get(queries.first).op("i32.add").i32(length - N).op("i32.sub").set(queries.row);
        body();
      }));
  }

  ifKeys(body: () => void): void {
    const { f, keys } = this;
    f.get(keys.last).get(keys.first).op("i32.gt_s");
    f.block("if", body);
  }

  /** Where row `span.row` of a parameter is. */
  at(parameter: string, span: Span, width: number): Push {
    return () => void this.f.get(this.f.parameter(parameter)).get(span.row).i32(width * FLOAT).op("i32.mul").op("i32.add");
  }

  loadKeys(): void {
    const { code, plan: { sizes: { K, E }, keyWidth, width }, keys } = this;
    const { first, last } = keys;
    code.call(loadRowsRoutine(this.plan, K, keyWidth, false), code.own("k"), this.at("k", keys, K), code.local(first), code.local(last));
    code.call(loadRowsRoutine(this.plan, E, width, true), code.own("v"), this.at("v", keys, E), code.local(first), code.local(last));
    code.transpose("k");
    code.transpose("v");
  }

  loadQueries(): void {
    const { code, plan: { sizes: { K }, keyWidth }, queries } = this;
    code.call(loadRowsRoutine(this.plan, K, keyWidth, false), code.own("q"), this.at("q", queries, K), code.local(queries.first), code.local(queries.last));
    code.transpose("q");
  }

  /** d_o as rows of cotangents to be. */
  loadCotangents(): void {
    const { code, plan: { sizes: { E }, width }, queries } = this;
    code.call(loadRowsRoutine(this.plan, E, width, false), code.own("c"), this.at("d_o", queries, E), code.local(queries.first), code.local(queries.last));
  }

  /** Gradients of keys that another phase has stored. */
  loadKeyGradients(): void {
    const { code, plan: { sizes: { K, E }, keyWidth, width }, keys } = this;
    code.call(loadRowsRoutine(this.plan, K, keyWidth, false), code.own("dk"), this.at("dk", keys, K), code.local(keys.first), code.local(keys.end));
    code.call(loadRowsRoutine(this.plan, E, width, false), code.own("dv"), this.at("dv", keys, E), code.local(keys.first), code.local(keys.end));
  }

  storeKeyGradients(): void {
    const { code, plan: { sizes: { K, E }, keyWidth, width }, keys } = this;
    code.call(storeRowsRoutine(K, keyWidth), this.at("dk", keys, K), code.own("dk"), code.local(keys.first), code.local(keys.end));
    code.call(storeRowsRoutine(E, width), this.at("dv", keys, E), code.own("dv"), code.local(keys.first), code.local(keys.end));
  }

  /** Rows of queries. */
  store(parameter: "o" | "dq"): void {
    const { code, plan: { sizes: { K, E }, keyWidth, width }, queries } = this;
    const [size, padded] = parameter === "o" ? [E, width] : [K, keyWidth];
    code.call(storeRowsRoutine(size, padded), this.at(parameter, queries, size), code.own(parameter), code.local(queries.first), code.local(queries.last));
  }

  clearState(): void {
    this.code.fill(this.code.local(this.code.state), stateBytes(this.plan));
  }
}
