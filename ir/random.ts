/** @file The random generator of the IR: counter-based, so any element can be drawn alone and in any order, and made of
 *  arithmetic that a float32 kernel does exactly (every intermediate is a non-negative integer below 2^24).
 *
 *  A block cipher in the manner of Philox (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) with words
 *  of 12 bits, products of which fit 24: a round maps (x0, x1, x2, x3) with subkeys p, q to
 *      (hi(A x0) + x1 + p,  lo(A x0),  hi(B x2) + x3 + q,  lo(B x2))   rotated by one,   sums modulo 4096.
 *  The addition takes the place of Philox's exclusive or, which kernels lack. The state starts as the element's counter
 *  and the site; the subkeys are slices of the key's four 16-bit words plus a constant that changes with the round. */

/** Arithmetic on non-negative integers: numbers in evaluation, expressions in code generation. */
export interface Arithmetic<T> {
  readonly constant: (value: number) => T;
  readonly add: (a: T, b: T) => T;
  readonly mul: (a: T, b: T) => T;
  readonly mod: (a: T, divisor: number) => T;
  /** floor(a / divisor) */
  readonly idiv: (a: T, divisor: number) => T;
  /** Names a value that `body` uses more than once. */
  readonly share: (value: T, body: (shared: T) => T) => T;
}

export type Words<T> = readonly [T, T, T, T];

export const KEY_WORD_LIMIT = 2 ** 16;
export const SITE_LIMIT = 2 ** 12;
export const COUNTER_LOW_LIMIT = 2 ** 24;
export const COUNTER_HIGH_LIMIT = 2 ** 12;
/** What an integer from `draw` is multiplied by to lie in [0, 1): exact in float32. */
export const UNIT = 2 ** -24;

const WORD = 4096;
const ROUNDS = 10;
const MULTIPLIERS = [3373, 2861] as const;
/** 4096 over the golden ratio and over the square root of 3, odd: they walk through all residues. */
const WEYL = [2531, 2365] as const;

/** A key word has 16 bits, a subkey 12: even pairs of rounds take the low ones, odd pairs the high ones. */
const subkey = <T>(n: Arithmetic<T>, key: Words<T>, round: number, half: 0 | 1): T => {
  const word = round % 2 === 0 ? key[half] : key[half === 0 ? 2 : 3];
  const slice = round % 4 < 2 ? word : n.idiv(word, 16);
  return n.add(n.mod(slice, WORD), n.constant((WEYL[half] * (round + 1)) % WORD));
};

const rounds = <T>(n: Arithmetic<T>, [x0, x1, x2, x3]: Words<T>, key: Words<T>, round: number): T => {
  if (round === ROUNDS) return n.add(n.mul(x0, n.constant(WORD)), x2);
  return n.share(n.mul(x0, n.constant(MULTIPLIERS[0])), (a) =>
    n.share(n.mul(x2, n.constant(MULTIPLIERS[1])), (b) =>
      n.share(n.mod(n.add(n.add(n.idiv(a, WORD), x1), subkey(n, key, round, 0)), WORD), (left) =>
        n.share(n.mod(n.add(n.add(n.idiv(b, WORD), x3), subkey(n, key, round, 1)), WORD), (right) =>
          rounds(n, [right, n.mod(a, WORD), left, n.mod(b, WORD)], key, round + 1),
        ),
      ),
    ),
  );
};

/** A whole number, uniform on [0, 2^24). `high` < 2^12 and `low` < 2^24 count the elements of one `site` (< 2^12). */
export const draw = <T>(n: Arithmetic<T>, key: Words<T>, site: number, high: T, low: T): T =>
  n.share(low, (counter) =>
    rounds(n, [n.mod(counter, WORD), n.idiv(counter, WORD), high, n.constant(site)], key, 0),
  );

export const NUMBERS: Arithmetic<number> = {
  constant: (value) => value,
  add: (a, b) => a + b,
  mul: (a, b) => a * b,
  mod: (a, divisor) => a % divisor,
  idiv: (a, divisor) => Math.floor(a / divisor),
  share: (value, body) => body(value),
};

/** How many leading axes count in the high word: the others' product, the range of the low word, stays within 2^24. */
export const highAxes = (shape: readonly number[]): number => {
  let product = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    product *= shape[axis] ?? 1;
    if (product > COUNTER_LOW_LIMIT) return axis + 1;
  }
  return 0;
};
