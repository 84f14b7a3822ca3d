/** @file Attention by a polynomial, and its gradients, in time linear in the length and memory linear in a state
 *  (ir/ops/attention-lowrank-expand.ts has the formulas): no features of a whole sequence are ever in memory.
 *
 *  A sequence is walked in chunks. What lies before a chunk is in the state, S_m = Σ_j φ_m(k_j) [v_j, 1]; pairs within it go through
 *  their scores. The gradient walks forwards for dq and what pairs give to dk and dv, then backwards for the rest of those two, with
 *  the state R_m = Σ_i φ_m(q_i) c_i. Where the walk alone is too little work to share, sequences are cut into segments, whose
 *  sums are made and added up first; how many is fixed by the sizes, so that no result depends on threads. Without an order
 *  the same phases do, with the sum of all segments in the place of those before.
 *
 *      tables   the runs of monomials (lowrank-plan.ts)
 *      keys     S of each segment                     queries   R of each segment
 *      before   the sums of those before, or of all   behind    the sums of those behind, or of all
 *      (main)   forwards                              back      backwards */

import { lowRankOperands, potential, slope } from "../../../../ir/ops/attention-lowrank-attrs.ts";
import type { LowRankAttrs, LowRankVjpAttrs } from "../../../../ir/ops/attention-lowrank-attrs.ts";
import { FunctionBuilder } from "../builder.ts";
import type { FunctionTable } from "../function-table.ts";
import type { WasmFunction } from "../module.ts";
import { scratchOf } from "./lowrank-chunk.ts";
import { FLOAT, planOf, stateBytes, tablesOf } from "./lowrank-plan.ts";
import type { LowRankPlan } from "./lowrank-plan.ts";
import { columnRoutine, cotangentsAgainRoutine, cotangentsRoutine, dividedRoutine } from "./lowrank-rows.ts";
import { Walk } from "./lowrank-walk.ts";
import type { NativeEmitter, NativeKernel, NativePhase } from "./native.ts";

/** What all phases of a kernel know. */
interface Kernel {
  readonly plan: LowRankPlan;
  readonly attrs: LowRankAttrs;
  /** Only of the gradient. */
  readonly vjp: LowRankVjpAttrs | null;
  readonly names: readonly string[];
}

export const emitLowRank: NativeEmitter = ({ operands, attrs: given }) => {
  const attrs = given as LowRankAttrs;
  const plan = planOf(lowRankOperands(operands, attrs.extras), attrs, attrs.coefficients.length - 1);
  const names = ["o", ...temporaryNames(plan, false), "q", "k", "v", ...attrs.extras];
  const kernel: Kernel = { plan, attrs, vjp: null, names };
  return kernelOf(kernel, [...before(kernel), walkPhase(kernel, "", 3, forwards)]);
};

export const emitLowRankVjp: NativeEmitter = ({ operands, attrs: given }) => {
  const attrs = given as LowRankVjpAttrs;
  const plan = planOf(lowRankOperands(operands, attrs.extras), attrs, potential(attrs).length - 1);
  const names = ["dq", "dk", "dv", ...temporaryNames(plan, true), "q", "k", "v", "d_o", ...attrs.extras];
  const kernel: Kernel = { plan, attrs, vjp: attrs, names };
  const behind = plan.summed ? [walkPhase(kernel, "queries", 2, sumQueries), sumPhase(kernel, "behind", true)] : [];
  return kernelOf(kernel, [...before(kernel), walkPhase(kernel, "", 8, forwards), ...(plan.states ? [...behind, walkPhase(kernel, "back", 8, backwards)] : [])]);
};

const temporaryNames = ({ states, summed }: LowRankPlan, backward: boolean): readonly string[] =>
  [...(states ? ["table"] : []), ...(summed ? ["states"] : []), ...(states && backward ? ["factors", "lasts"] : [])];

const kernelOf = ({ plan, names }: Kernel, phases: readonly NativePhase[]): NativeKernel => {
  const { B, H, N } = plan.sizes;
  const sizes: Readonly<Record<string, number>> = {
    table: Math.max(1, tablesOf(plan).words.length), states: (plan.items * stateBytes(plan)) / FLOAT, factors: B * H * N, lasts: B * H * N,
  };
  return { temporaries: names.flatMap((name) => sizes[name] ?? []), phases };
};

const before = (kernel: Kernel): readonly NativePhase[] => {
  const { plan } = kernel;
  if (!plan.states) return [];
  const tables: NativePhase = { suffix: "tables", items: 1, grain: 1, work: 0, scratchBytes: 0, emit: (name) => emitTables(name, kernel) };
  return plan.summed ? [tables, walkPhase(kernel, "keys", 2, sumKeys), sumPhase(kernel, "before", false)] : [tables];
};

const bodyOf = (name: string, { names }: Kernel, scratch: boolean): FunctionBuilder =>
  new FunctionBuilder(name, [...names, "begin", "end", ...(scratch ? ["scratch"] : [])].map((parameter) => ({ name: parameter, type: "i32" })));

const emitTables = (name: string, kernel: Kernel): WasmFunction => {
  const f = bodyOf(name, kernel, false);
  tablesOf(kernel.plan).words.forEach(({ float, value }, i) => {
    f.get(f.parameter("table"));
    if (float) f.f32(value).op("f32.store", 2, i * FLOAT);
    else f.i32(value).op("i32.store", 2, i * FLOAT);
  });
  return f.finish(true);
};

/** `products`: how many products of a state with all positions. */
const walkPhase = (kernel: Kernel, suffix: string, products: number, body: (walk: Walk, kernel: Kernel) => void): NativePhase => {
  const { plan, plan: { items, stateRows, width, sizes: { B, H, N } } } = kernel;
  return {
    suffix, items, grain: 1, work: 2 * products * B * H * N * stateRows * width, scratchBytes: scratchOf(plan).end,
    emit: (name: string, table: FunctionTable) => {
      const f = bodyOf(name, kernel, true);
      body(new Walk(f, plan, table), kernel);
      return f.finish(true);
    },
  };
};

/** The states of segments replaced by the sums of those before them, or behind; without an order by the sum of all. An item is four rows
 *  of the state of one key head. */
const sumPhase = (kernel: Kernel, suffix: string, reverse: boolean): NativePhase => {
  const { ordered, segments, stateRows, width, sizes: { B, G } } = kernel.plan;
  const bytes = stateBytes(kernel.plan);
  const pieces = stateRows / 4;
  const emit = (name: string): WasmFunction => {
    const f = bodyOf(name, kernel, false);
    const [item, offset, vector, at, segment] = f.locals("i32", "item", 5) as [number, number, number, number, number];
    const [sum, own] = f.locals("v128", "sum", 2) as [number, number];
    const eachSegment = (body: () => void): void => {
      f.get(offset).i32(reverse ? (segments - 1) * bytes : 0).op("i32.add").set(at);
      f.repeat(segment, segments, 1, () => {
        body();
        f.advance(at, reverse ? -bytes : bytes);
      });
    };
    f.get(f.parameter("begin")).set(item);
    f.while(item, () => f.get(f.parameter("end")), 1, () => {
      f.get(item).i32(pieces).op("i32.div_u").i32(segments * bytes).op("i32.mul").get(f.parameter("states")).op("i32.add");
      f.get(item).i32(pieces).op("i32.rem_u").i32(4 * width * FLOAT).op("i32.mul").op("i32.add").set(offset);
      f.repeat(vector, width, 1, () => {
        f.splat(0).set(sum);
        eachSegment(() => {
          f.get(at).op("v128.load", 2, 0).set(own);
          if (ordered) f.get(at).get(sum).op("v128.store", 2, 0);
          f.get(sum).get(own).op("f32x4.add").set(sum);
        });
        if (!ordered) eachSegment(() => f.get(at).get(sum).op("v128.store", 2, 0));
        f.advance(offset, 4 * FLOAT);
      });
    });
    return f.finish(true);
  };
  return { suffix, items: B * G * pieces, grain: 16, work: B * G * segments * stateRows * width, scratchBytes: 0, emit };
};

const isMasked = ({ attrs }: Kernel): boolean => attrs.extras.includes("lengths");

const sumKeys = (walk: Walk, kernel: Kernel): void => {
  const { code, keyFeatures } = walk;
  walk.items(isMasked(kernel), false, () => walk.clearState(), () =>
    walk.ifKeys(() => {
      walk.loadKeys();
      code.base(keyFeatures);
      code.accumulate(keyFeatures, "v");
    }));
};

const sumQueries = (walk: Walk, kernel: Kernel): void =>
  walk.items(isMasked(kernel), false, () => walk.clearState(), () => walk.eachHead(() => addQueries(walk)));

/** R += the queries of a chunk. */
const addQueries = (walk: Walk): void => {
  const { code, queries, queryFeatures, plan } = walk;
  walk.loadQueries();
  walk.loadCotangents();
  code.call(cotangentsAgainRoutine(plan), code.own("c"), walk.at("factors", queries, 1), walk.at("lasts", queries, 1), code.local(queries.first), code.local(queries.last));
  code.transpose("c");
  code.base(queryFeatures);
  code.accumulate(queryFeatures, "c");
};

/** Every query's row: o, or dq and what is kept of it; of keys what pairs give them. */
const forwards = (walk: Walk, kernel: Kernel): void => {
  const { code, keyFeatures, plan } = walk;
  const { states, summed, ordered, chunk, keyWidth, width } = plan;
  const clear = (): void => {
    if (states && !summed) walk.clearState();
  };
  walk.items(isMasked(kernel), false, clear, () => {
    if (ordered) walk.loadKeys();
    if (kernel.vjp !== null && ordered) {
      code.fill(code.own("dk"), chunk * keyWidth * FLOAT);
      code.fill(code.own("dv"), chunk * width * FLOAT);
    }
    walk.eachHead(() => {
      walk.loadQueries();
      numerators(walk, kernel);
      if (kernel.vjp === null) {
        code.call(dividedRoutine(plan), code.own("o"), code.own("total"), code.local(walk.queries.first), code.local(walk.queries.last));
        walk.store("o");
      } else queryGradients(walk, kernel, kernel.vjp);
    });
    if (!ordered) return;
    if (kernel.vjp !== null) walk.storeKeyGradients();
    if (states)
      walk.ifKeys(() => {
        code.base(keyFeatures);
        code.accumulate(keyFeatures, "v");
      });
  });
};

const givesDelta = ({ attrs }: Kernel): boolean => attrs.extras.includes("delta");

/** Σ_j P(s_ij) [v_j, 1] of a chunk's queries: rows o unless the gradient does without, and totals. */
const numerators = (walk: Walk, kernel: Kernel): void => {
  const { code, queryFeatures, plan } = walk;
  const { states, ordered, folded, chunk, rowBytes, width } = plan;
  const { coefficients, scale } = kernel.attrs;
  const rows = kernel.vjp === null || folded || !givesDelta(kernel);
  code.fill(code.own("total"), rowBytes);
  if (states) {
    code.base(queryFeatures);
    code.read(queryFeatures, coefficients, rows ? "o" : null, code.own("total"), false);
  } else code.fill(code.own("o"), chunk * width * FLOAT);
  if (ordered) {
    code.pairProducts("q", "kT", "scores");
    code.pairWeights(coefficients, scale);
    if (rows) code.overKeys("weights", "v", "o");
  }
  if (folded) code.call(columnRoutine(plan), code.own("total"), code.own("o"));
};

/** c_i, kept for the way back; dq through the state and through pairs; dk and dv through pairs. */
const queryGradients = (walk: Walk, kernel: Kernel, vjp: LowRankVjpAttrs): void => {
  const { code, queries, queryFeatures, plan } = walk;
  const { states, ordered, chunk, keyWidth } = plan;
  const extra = (name: "gate" | "delta"): ReturnType<Walk["at"]> => walk.at(vjp.extras.includes(name) ? name : "d_o", queries, 1);
  const [factors, lasts] = states ? [walk.at("factors", queries, 1), walk.at("lasts", queries, 1)] : [code.own("dx"), code.own("scaled")];
  walk.loadCotangents();
  code.call(
    cotangentsRoutine(plan, vjp.extras.includes("gate"), givesDelta(kernel)),
    code.own("c"), code.own("o"), code.own("total"), extra("gate"), extra("delta"), factors, lasts, code.local(queries.first), code.local(queries.last),
  );
  code.transpose("c");
  code.fill(code.own("dq"), chunk * keyWidth * FLOAT);
  if (states) code.gradient(queryFeatures, potential(vjp), "cT", "dq");
  if (ordered) {
    code.pairProducts("c", "vT", "dScores");
    code.pairSlopes(slope(vjp), vjp.scale);
    code.overKeys("dScores", "k", "dq");
    code.overQueries("dScores", "q", "dk");
    code.overQueries("weights", "c", "dv");
  }
  walk.store("dq");
};

/** dk and dv from the queries behind. */
const backwards = (walk: Walk, kernel: Kernel): void => {
  const { code, keyFeatures, plan } = walk;
  const { summed, ordered, chunk, keyWidth, width } = plan;
  const { coefficients } = kernel.attrs;
  const clear = (): void => {
    if (!summed) walk.clearState();
  };
  walk.items(isMasked(kernel), true, clear, () => {
    walk.loadKeys();
    if (ordered) walk.loadKeyGradients();
    else {
      code.fill(code.own("dk"), chunk * keyWidth * FLOAT);
      code.fill(code.own("dv"), chunk * width * FLOAT);
    }
    code.base(keyFeatures);
    code.read(keyFeatures, coefficients, "dv", null, true);
    if (kernel.vjp !== null) code.gradient(keyFeatures, potential(kernel.vjp), "vT", "dk");
    walk.storeKeyGradients();
    if (ordered) walk.eachHead(() => addQueries(walk));
  });
};
