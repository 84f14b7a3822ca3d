/** @file The random generator of the IR: counter-based, so any element can be drawn alone and in any order, and made of
 *  arithmetic that a float32 kernel does exactly (every intermediate is a non-negative integer below 2^24).
 *
 *  A Feistel network on four words of 12 bits (type 2 of Zheng, Matsumoto and Imai, 1989) whose round function is the
 *  middle of a square (Widynski, "Middle-square Weyl sequence RNG", 2017), which fits 24 bits. A round maps
 *      (x0, x1, x2, x3)  to  (x1 + mid(x0 + p), x2, x3 + mid(x2 + q), x0),   mid(t) = floor(t^2 / 64), t modulo 4096,
 *  sums modulo 4096; p and q are slices of the key's four 16-bit words plus a constant that changes with the round. The
 *  state starts as the element's counter and the site. Eight rounds pass the tests of random.test.ts; there are twelve.
 *  (Philox's multiply-high is no substitute: with addition for its exclusive or it is all but linear at this width.) */

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
const ROUNDS = 12;
const MIDDLE = 64;
/** 4096 over the golden ratio and over the square root of 3, odd: their multiples visit all residues. */
const WEYL = [2531, 2365] as const;

/** A key word has 16 bits, a subkey uses 12: rounds 0, 1, 4, 5, … the low ones, the others the high ones. */
const subkey = <T>(n: Arithmetic<T>, key: Words<T>, round: number, half: 0 | 1): T => {
  const word = round % 2 === 0 ? key[half] : key[half === 0 ? 2 : 3];
  const slice = round % 4 < 2 ? word : n.idiv(word, 16);
  return n.add(slice, n.constant((WEYL[half] * (round + 1)) % WORD));
};

/** y + mid(x + p), handed to `body`. */
const mix = <T>(n: Arithmetic<T>, x: T, y: T, p: T, body: (mixed: T) => T): T =>
  n.share(n.mod(n.add(x, p), WORD), (t) =>
    n.share(n.mod(n.add(y, n.idiv(n.mul(t, t), MIDDLE)), WORD), body),
  );

const rounds = <T>(n: Arithmetic<T>, [x0, x1, x2, x3]: Words<T>, key: Words<T>, round: number): T => {
  if (round === ROUNDS) return n.add(n.mul(x0, n.constant(WORD)), x2);
  return mix(n, x0, x1, subkey(n, key, round, 0), (left) =>
    mix(n, x2, x3, subkey(n, key, round, 1), (right) => rounds(n, [left, x2, right, x0], key, round + 1)),
  );
};

/** A whole number, uniform on [0, 2^24). `high` < 2^12 and `low` < 2^24 count the elements of one `site` (< 2^12). */
export const draw = <T>(n: Arithmetic<T>, key: Words<T>, site: number, high: T, low: T): T =>
  n.share(low, (counter) =>
    n.share(n.mod(counter, WORD), (x0) => rounds(n, [x0, n.idiv(counter, WORD), high, n.constant(site)], key, 0)),
  );

export const NUMBERS: Arithmetic<number> = {
  constant: (value) => value,
  add: (a, b) => a + b,
  mul: (a, b) => a * b,
  mod: (a, divisor) => a % divisor,
  idiv: (a, divisor) => Math.floor(a / divisor),
  share: (value, body) => body(value),
};

/** The words of a key. Throws `RangeError` where they are not four numbers of 16 bits. */
export const keyWords = (key: ArrayLike<number>): Words<number> => {
  const [a = -1, b = -1, c = -1, d = -1] = Array.from(key);
  const words: Words<number> = [a, b, c, d];
  if (key.length === 4 && words.every((word) => Number.isInteger(word) && word >= 0 && word < KEY_WORD_LIMIT)) return words;
  throw new RangeError(`a key is four whole numbers below ${KEY_WORD_LIMIT}, given [${Array.from(key).join(", ")}]`);
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
