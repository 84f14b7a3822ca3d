/** @file A line of memory from which pieces are taken and to which they return, in elements. Best fit: the smallest gap
 *  that is large enough; neighbouring gaps grow together. */

interface Gap {
  readonly offset: number;
  readonly length: number;
}

/** Pieces start at multiples of this many elements (64 bytes: a cache line, and every SIMD width). */
const ALIGNMENT = 16;

const aligned = (length: number): number => Math.max(1, Math.ceil(length / ALIGNMENT)) * ALIGNMENT;

export class Arena {
  /** Extent of everything ever taken, and the most that was taken at one time. */
  size = 0;
  peak = 0;
  #taken = 0;
  /** By offset; no two touch. */
  #gaps: Gap[] = [];

  take(length: number): number {
    const wanted = aligned(length);
    this.#taken += wanted;
    this.peak = Math.max(this.peak, this.#taken);
    let [best, smallest] = [-1, Number.POSITIVE_INFINITY];
    for (let i = 0; i < this.#gaps.length && smallest > wanted; i++) {
      const length = this.#gaps[i]?.length ?? 0;
      if (length >= wanted && length < smallest) [best, smallest] = [i, length];
    }
    const gap = this.#gaps[best];
    if (gap === undefined) return this.#grow(wanted);
    if (gap.length === wanted) this.#gaps.splice(best, 1);
    else this.#gaps[best] = { offset: gap.offset + wanted, length: gap.length - wanted };
    return gap.offset;
  }

  /** At the end; a gap that ends there is used as well. */
  #grow(wanted: number): number {
    const last = this.#gaps.at(-1);
    const start = last !== undefined && last.offset + last.length === this.size ? last.offset : this.size;
    if (start < this.size) this.#gaps.pop();
    this.size = start + wanted;
    return start;
  }

  give(offset: number, length: number): void {
    let [start, end] = [offset, offset + aligned(length)];
    this.#taken -= end - start;
    const at = this.#firstAfter(offset);
    const [before, after] = [this.#gaps[at - 1], this.#gaps[at]];
    let [from, count] = [at, 0];
    if (before !== undefined && before.offset + before.length === start) [start, from, count] = [before.offset, at - 1, 1];
    if (after !== undefined && after.offset === end) [end, count] = [after.offset + after.length, count + 1];
    this.#gaps.splice(from, count, { offset: start, length: end - start });
  }

  /** Index of the first gap behind `offset`. */
  #firstAfter(offset: number): number {
    let [low, high] = [0, this.#gaps.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#gaps[middle]?.offset ?? 0) > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
