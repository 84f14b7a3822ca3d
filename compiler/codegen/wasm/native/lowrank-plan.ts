/** @file The shape of low-rank attention in WebAssembly: chunks and segments of the sequence, the order of the monomials, and where a
 *  state keeps them.
 *
 *  A monomial of degree p is one of degree p - 1 times a variable that is not before any of its own (ir/monomials.ts), so that
 *  the monomials which end in one variable are a run: as many neighbours of the degree below, each times that variable. With the
 *  head's exponent e of the variable also fixed, the multinomial p! / Π e! follows from the head's by one factor for the run,
 *  p / (e + 1): weighted monomials cost as much as bare ones.
 *
 *  Those of the highest degree are not heads of any others. They are computed in blocks that stay in the first-level cache, and
 *  are used at once; those below, the base, are kept for a whole chunk of positions. */

import { rankOf } from "../../../../ir/approximation.ts";
import { attentionSizes } from "../../../../ir/ops/attention-attrs.ts";
import type { AttentionSizes } from "../../../../ir/ops/attention-attrs.ts";
import { isOrdered } from "../../../../ir/ops/attention-lowrank-attrs.ts";
import type { LowRankAttrs, LowRankOperands } from "../../../../ir/ops/attention-lowrank-attrs.ts";
import type { TensorType } from "../../../../ir/core.ts";

/** `count` neighbours of the degree below, from `head` on in the base, times one variable. */
interface Run {
  readonly variable: number;
  readonly head: number;
  readonly count: number;
  /** What the product of the weighted head and the variable is multiplied with to be weighted. */
  readonly factor: number;
}

interface Block {
  readonly rows: number;
  readonly runs: readonly Run[];
  /** The row of the state where it starts. */
  readonly start: number;
}

export interface LowRankPlan {
  readonly sizes: AttentionSizes;
  readonly ordered: boolean;
  /** Positions of a chunk: 8, 16, 32 or 64. */
  readonly chunk: number;
  /** Positions: query i is at i + length - N, key j at j + length - M. */
  readonly length: number;
  readonly chunks: number;
  /** Parts of a sequence that are computed apart, of `perSegment` chunks, and these parts in all. */
  readonly segments: number;
  readonly perSegment: number;
  readonly items: number;
  /** Is there any pair of positions in different chunks, or no order? Else scores are all there is. */
  readonly states: boolean;
  /** Are sums of segments made first, for all of them to start from? */
  readonly summed: boolean;
  /** Bytes between rows of chunk positions. */
  readonly rowBytes: number;
  /** The highest degree of the monomials in a state. */
  readonly degree: number;
  readonly baseRows: number;
  /** By degree, from 1 to the last but one. */
  readonly baseRuns: readonly (readonly Run[])[];
  readonly blocks: readonly Block[];
  /** Rows of a state, among them some between blocks that mean nothing. */
  readonly stateRows: number;
  /** Floats of rows of q and k, padded. */
  readonly keyWidth: number;
  /** Floats of rows of [v, 1], of cotangents, of a state: E of the value, one more, padded. */
  readonly width: number;
  /** Panels of eight columns with the E columns of values. `folded`: and with the one after them. */
  readonly panels: number;
  readonly folded: boolean;
}

export const FLOAT = 4;
const LARGEST_CHUNK = 64;
/** Rows of a block: with as many of their gradients, four fifths of a first-level cache. */
const BLOCK_ROWS = 64;
/** Between rows of positions, so that rows do not all fall into the same sets of a cache. */
const GAP = 16;

/** Bytes of the states of all segments, unless sequences alone have more. */
const MOST_STATES = 2 ** 28;

const upTo = (size: number, multiple: number): number => Math.ceil(size / multiple) * multiple;

/** `degree` is that of the monomials, which is one more than that of P in a plugin gradient. */
export const planOf = (types: LowRankOperands<TensorType>, attrs: LowRankAttrs, degree: number): LowRankPlan => {
  const sizes = attentionSizes(types);
  const { B, G, N, M, K, E } = sizes;
  const ordered = isOrdered(attrs, sizes);
  const length = Math.max(N, M);
  const chunk = [8, 16, 32].find((size) => size >= length) ?? LARGEST_CHUNK;
  const chunks = Math.ceil(length / chunk);
  const states = !ordered || chunks > 1;
  const baseRows = degree === 0 ? 1 : rankOf(K, degree - 1);
  const blocks = blocksOf(degree === 0 ? [] : runsOf(K, degree, attrs.scale), upTo(baseRows, 4));
  const last = blocks.at(-1);
  const stateRows = last === undefined ? upTo(baseRows, 4) : last.start + upTo(last.rows, 4);
  const folded = E % 8 !== 0;
  const width = folded ? upTo(E + 1, 8) : E + 4;
  const perSegment = Math.ceil(chunks / wantedSegments(ordered, B * G, Math.min(chunks, Math.floor(MOST_STATES / (B * G * stateRows * width * FLOAT)))));
  const segments = Math.ceil(chunks / perSegment);
  return {
    sizes, ordered, chunk, length, chunks, segments, perSegment, items: B * G * segments, states,
    summed: states && (!ordered || segments > 1),
    rowBytes: FLOAT * (chunk + GAP),
    degree, baseRows, blocks,
    baseRuns: Array.from({ length: Math.max(0, degree - 1) }, (_, p) => runsOf(K, p + 1, attrs.scale)),
    stateRows, keyWidth: upTo(K, 8), width, panels: Math.ceil(E / 8), folded,
  };
};

/** Segments cost a pass more over an ordered sequence, so there are only as many as make work for four threads; without an order they
 *  cost nothing but memory. */
const wantedSegments = (ordered: boolean, sequences: number, most: number): number =>
  Math.max(1, Math.min(most, Math.ceil((ordered ? 4 : 16) / sequences)));

/** The monomials of one degree, by variable, then by its exponent e in the head. */
const runsOf = (width: number, degree: number, scale: number): readonly Run[] => {
  const runs: Run[] = [];
  const first = degree === 1 ? 0 : rankOf(width, degree - 2);
  for (let variable = 0; variable < width; variable++) {
    let head = first;
    for (let e = 0; e < degree; e++) {
      const count = headsOf(variable, degree - 1 - e);
      if (count > 0) runs.push({ variable, head, count, factor: (scale * degree) / (e + 1) });
      head += count;
    }
  }
  return runs;
};

/** Monomials of exactly a degree in the variables before `variable`. */
const headsOf = (variable: number, degree: number): number => (variable === 0 ? (degree === 0 ? 1 : 0) : rankOf(variable - 1, degree));

const blocksOf = (runs: readonly Run[], start: number): readonly Block[] => {
  const total = runs.reduce((sum, { count }) => sum + count, 0);
  const size = total === 0 ? BLOCK_ROWS : upTo(total / Math.ceil(total / BLOCK_ROWS), 4);
  const blocks: Block[] = [];
  let open: Run[] = [];
  let rows = 0;
  const close = (): void => {
    blocks.push({ rows, runs: open, start: start + blocks.length * size });
    [open, rows] = [[], 0];
  };
  for (const run of runs) {
    for (let done = 0; done < run.count; ) {
      const count = Math.min(run.count - done, size - rows);
      open.push({ ...run, head: run.head + done, count });
      rows += count;
      done += count;
      if (rows === size) close();
    }
  }
  if (rows > 0) close();
  return blocks;
};

export const blockRows = ({ blocks }: LowRankPlan): number => upTo(blocks[0]?.rows ?? 0, 4);

export const stateBytes = ({ stateRows, width }: LowRankPlan): number => stateRows * width * FLOAT;

/** Words of a run in the table: offset of the variable's row, of the head's, count, factor.
 *  Of a block: offset of its first run, number of runs, rows, offset of its rows in a state. */
export const RECORD = 16;

interface Tables {
  /** Words in order; factors are float32 numbers. */
  readonly words: readonly { readonly float: boolean; readonly value: number }[];
  readonly blocks: number;
}

/** The runs of the base, of the blocks, then the blocks. */
export const tablesOf = ({ baseRuns, blocks, rowBytes, width }: LowRankPlan): Tables => {
  const whole = (value: number): Tables["words"][number] => ({ float: false, value });
  const runs = [...baseRuns.flat(), ...blocks.flatMap((block) => block.runs)];
  let next = baseRuns.flat().length;
  const blockWords = blocks.flatMap((block) => {
    const first = next;
    next += block.runs.length;
    return [first * RECORD, block.runs.length, block.rows, block.start * width * FLOAT].map(whole);
  });
  const runWords = runs.flatMap(({ variable, head, count, factor }) =>
    [whole(variable * rowBytes), whole(head * rowBytes), whole(count), { float: true, value: factor }]);
  return { words: [...runWords, ...blockWords], blocks: runs.length * RECORD };
};
