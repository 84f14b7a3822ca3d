/** @file Attention of a block of rows (attention-plan.ts), in two visits to the keys that it may see, in chunks that stay in a cache:
 *
 *      scores    s = q kᵀ · scale · log2 e, and the largest of each row; then masks and bias where there are any
 *      output    e = 2^(s - largest), total += e, o += e v
 *
 *  and o / total at the end. All scores of the rows are in scratch memory at once, so that nothing is ever rescaled and a
 *  sample can be drawn from the whole row. Tiles of keys that no row of a group may see are not visited. */

import type { FunctionBuilder, LocalIndex } from "../builder.ts";
import type { FunctionTable } from "../function-table.ts";
import { attentionEdges, headOffset, needsEdges, writeBounds } from "./attention-masks.ts";
import { RECORD } from "./attention-plan.ts";
import type { AttentionPlan, ScratchPart } from "./attention-plan.ts";
import { attentionDropped, attentionScores } from "./attention-steps.ts";
import { add, call, held, keep, max, min, modulo, of, over, stored, sub, times } from "./integers.ts";
import type { Int } from "./integers.ts";
import { rowsIn, rowsOut } from "./rows-lanes.ts";
import { FLOAT, LANE_BYTES, LANES, rowsProduct, TILE } from "./rows-product.ts";
import { rowsPower } from "./rows-softmax.ts";

/** Of one group of rows: its record, its parts of scratch memory, its first row. */
export interface Group {
  readonly record: LocalIndex;
  readonly i: LocalIndex;
  readonly part: (part: ScratchPart) => Int;
  readonly bound: (bound: keyof typeof RECORD) => Int;
}

export class Block {
  /** Index of the head over all sequences, and of its keys'. */
  readonly head: LocalIndex;
  readonly keyHead: LocalIndex;
  readonly #f: FunctionBuilder;
  readonly #plan: AttentionPlan;
  readonly #table: FunctionTable;
  readonly #k: LocalIndex;
  readonly #v: LocalIndex;
  readonly #start: LocalIndex;
  readonly #groups: LocalIndex;

  constructor(f: FunctionBuilder, plan: AttentionPlan, table: FunctionTable, item: LocalIndex) {
    const { sizes: { H, G, N, M, K, E }, blocks, groups, attrs } = plan;
    this.#f = f;
    this.#plan = plan;
    this.#table = table;
    this.head = keep(f, "head", over(held(item), blocks));
    const block = keep(f, "block", modulo(held(item), blocks));
    // The last rows have most keys.
    this.#start = keep(f, "start", times(attrs.causal ? sub(of(blocks - 1), held(block)) : held(block), groups * LANES));
    this.#groups = keep(f, "groups", min(of(groups), over(sub(of(N + LANES - 1), held(this.#start)), LANES)));
    this.keyHead = keep(f, "key_head", add(times(over(held(this.head), H), G), over(modulo(held(this.head), H), H / G)));
    this.#k = keep(f, "k_at", add(this.#parameter("k"), times(held(this.keyHead), M * K * FLOAT)));
    this.#v = keep(f, "v_at", add(this.#parameter("v"), times(held(this.keyHead), M * E * FLOAT)));
  }

  /** `sample`: what is done with a group's powers once they are complete. */
  emit(sample: ((group: Group) => void) | null): void {
    const f = this.#f;
    const { sizes: { M }, scoreKeys, mixKeys, has } = this.#plan;
    const [least, most, limit] = f.locals("i32", "keys", 3) as [number, number, number];
    f.i32(M).set(least).i32(0).set(most).i32(M).set(limit);
    if (has("lengths")) {
      const length = keep(f, "length", stored(add(this.#parameter("lengths"), times(over(held(this.head), this.#plan.sizes.H), FLOAT))));
      max(of(0), held(length))(f);
      f.set(length);
      min(held(length), of(M))(f);
      f.set(limit);
    }
    this.#eachGroup((group) => {
      this.#prepare(group, limit);
      min(held(least), group.bound("first"))(f);
      f.set(least);
      max(held(most), group.bound("end"))(f);
      f.set(most);
    });
    this.#eachChunk(least, most, scoreKeys, (from, to) => this.#eachGroup((group) => this.#scores(group, from, to)));
    this.#eachGroup((group) => this.#finishScores(group));
    this.#eachChunk(least, most, mixKeys, (from, to) => this.#eachGroup((group) => this.#mix(group, from, to)));
    this.#eachGroup((group) => {
      sample?.(group);
      this.#write(group);
    });
  }

  #parameter(name: string): Int {
    return held(this.#f.parameter(name));
  }

  #eachGroup(body: (group: Group) => void): void {
    const f = this.#f;
    const { at, bytes } = this.#plan;
    const [g, record, i] = f.locals("i32", "group", 3) as [number, number, number];
    const part = (name: ScratchPart): Int => add(this.#parameter("scratch"), add(times(held(g), bytes[name]), of(at[name])));
    const bound = (name: keyof typeof RECORD): Int => (b) => void b.get(record).op("i32.load", 2, RECORD[name]);
    f.i32(0).set(g);
    f.while(g, () => f.get(this.#groups), 1, () => {
      part("record")(f);
      f.set(record);
      add(held(this.#start), times(held(g), LANES))(f);
      f.set(i);
      body({ record, i, part, bound });
    });
  }

  #eachChunk(least: LocalIndex, most: LocalIndex, size: number, body: (from: LocalIndex, to: LocalIndex) => void): void {
    const f = this.#f;
    const [from, to] = f.locals("i32", "chunk", 2) as [number, number];
    f.get(least).set(from);
    f.while(from, () => f.get(most), size, () => {
      add(held(from), of(size))(f);
      f.set(to);
      body(from, to);
    });
  }

  #prepare({ record, i, part }: Group, limit: LocalIndex): void {
    const f = this.#f;
    const { sizes: { N, K, E }, attrs } = this.#plan;
    writeBounds(f, this.#plan, record, i, limit);
    const q = add(this.#parameter("q"), times(held(this.head), N * K * FLOAT));
    call(f, this.#table.shared(() => rowsIn({ rows: N, width: K }, attrs.scale * Math.LOG2E)), part("q"), q, held(i));
    for (const [name, value] of [["top", -Infinity], ["total", 0]] as const)
      for (const byte of [0, 16]) f.get(record).splat(value).op("v128.store", 2, RECORD[name] + byte);
    part("o")(f);
    f.i32(0).i32(E * LANE_BYTES).op("memory.fill", 0);
  }

  /** Scores of the keys of a chunk: those before `open`, those that every row sees, those from `shut` on. */
  #scores({ record, part, bound }: Group, from: LocalIndex, to: LocalIndex): void {
    const f = this.#f;
    const scores = this.#table.shared(() => attentionScores(this.#plan, this.#table));
    const between = (first: Int, end: Int, top: "top" | "nowhere"): void =>
      call(f, scores, held(this.#k), part("q"), part("s"), max(held(from), first), min(held(to), end), add(held(record), of(RECORD[top])));
    between(bound("open"), bound("shut"), "top");
    if (!needsEdges(this.#plan)) return;
    between(bound("first"), bound("open"), "nowhere");
    between(bound("shut"), bound("end"), "nowhere");
  }

  #finishScores({ record, i, part, bound }: Group): void {
    const f = this.#f;
    const { has, maskOf, biasOf } = this.#plan;
    if (needsEdges(this.#plan)) {
      const edges = this.#table.shared(() => attentionEdges(this.#plan));
      const extras = (["mask", "bias"] as const).filter(has).map((extra) => keep(f, extra, add(this.#parameter(extra), headOffset(this.#plan, extra === "mask" ? maskOf : biasOf, this.head))));
      for (const [first, end] of [["first", "open"], ["shut", "end"]] as const)
        call(f, edges, part("s"), add(held(record), of(RECORD.top)), held(i), bound(first), bound(end), ...extras.map(held));
    }
    for (const byte of [0, 16]) {
      // A row without any key: 2^(-infinity - 0) is 0.
      const top = f.local("v128", "top");
      f.get(record).get(record).op("v128.load", 2, RECORD.top + byte).tee(top);
      f.get(top).splat(-Infinity).op("f32x4.ne").op("v128.and").op("v128.store", 2, RECORD.top + byte);
    }
  }

  #mix(group: Group, from: LocalIndex, to: LocalIndex): void {
    const f = this.#f;
    const { record, part, bound } = group;
    const { sizes: { E }, attrs } = this.#plan;
    const first = keep(f, "from", max(held(from), bound("first")));
    const count = keep(f, "count", sub(min(held(to), bound("end")), held(first)));
    const whole = E - (E % TILE);
    f.get(count).i32(0).op("i32.gt_s");
    f.block("if", () => {
      const row = times(held(first), LANE_BYTES);
      const e = keep(f, "e_at", add(part(powersIn(this.#plan)), row));
      const v = keep(f, "v_from", add(held(this.#v), times(held(first), E * FLOAT)));
      call(f, this.#table.shared(rowsPower), add(part("s"), row), held(e), held(count), add(held(record), of(RECORD.top)), add(held(record), of(RECORD.total)));
      const dropped = attrs.dropout === 0 ? held(e) : this.#dropped(group, e, first, count);
      const mixed = (size: 1 | typeof TILE, column: number, tiles: number): void =>
        call(f, this.#table.shared(() => rowsProduct(size, { across: FLOAT, along: E * FLOAT }, "sum")),
          add(held(v), of(column * FLOAT)), dropped, add(part("o"), of(column * LANE_BYTES)), of(tiles), held(count));
      if (whole > 0) mixed(TILE, 0, whole / TILE);
      if (whole < E) mixed(1, whole, E - whole);
    });
  }

  #dropped({ i, part }: Group, e: LocalIndex, first: LocalIndex, count: LocalIndex): Int {
    const drop = this.#table.shared(() => attentionDropped(this.#plan, this.#table));
    call(this.#f, drop, held(e), part("dropped"), held(first), held(count), this.#parameter("dropout_key"), held(this.head), held(i));
    return part("dropped");
  }

  #write({ record, i, part }: Group): void {
    const { N, E } = this.#plan.sizes;
    const rows = times(held(this.head), N);
    call(this.#f, this.#table.shared(() => rowsOut({ rows: N, width: E })), part("o"), add(held(record), of(RECORD.top)),
      add(this.#parameter("o"), times(rows, E * FLOAT)), add(this.#parameter("lse"), times(rows, FLOAT)), held(i));
  }
}

/** Where a group's powers are. */
export const powersIn = ({ bytes }: AttentionPlan): "e" | "s" => (bytes.e > 0 ? "e" : "s");
