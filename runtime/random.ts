/** @file Random numbers of the host: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2,
 *  3", SC 2011), counter based. A stream is named by (seed, name), so what one parameter draws depends on no other; only
 *  operations that IEEE 754 defines to the bit are used, so every engine draws the same. */

const MULTIPLIER = [0xd2511f53, 0xcd9e8d57] as const;
const WEYL = [0x9e3779b9, 0xbb67ae85] as const;
const ROUNDS = 10;

/** Four words below 2^32. */
export type Words = readonly [number, number, number, number];

/** Philox 4x32-10: 4 counter words and 2 key words to 4 random words. */
export function philox(counter: Words, key: readonly [number, number]): Words {
  let [a, b, c, d] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round += 1) {
    const [high0, low0] = multiply(MULTIPLIER[0], a);
    const [high1, low1] = multiply(MULTIPLIER[1], c);
    [a, b, c, d] = [(high1 ^ b ^ k0) >>> 0, low1, (high0 ^ d ^ k1) >>> 0, low0];
    k0 = (k0 + WEYL[0]) >>> 0;
    k1 = (k1 + WEYL[1]) >>> 0;
  }
  return [a, b, c, d];
}

/** x · y as two words, in halves because a double holds 53 bits only. */
function multiply(x: number, y: number): readonly [high: number, low: number] {
  const low = Math.imul(x, y) >>> 0;
  const [x1, x0, y1, y0] = [x >>> 16, x & 0xffff, y >>> 16, y & 0xffff];
  const middle = x1 * y0 + ((x0 * y0) >>> 16);
  const carry = (middle & 0xffff) + x0 * y1;
  const high = x1 * y1 + Math.floor(middle / 65536) + Math.floor(carry / 65536);
  return [high >>> 0, low];
}

export interface RandomStream {
  /** Below 2^32. */
  word(): number;
  /** In [0, 1), 53 random bits. */
  uniform(): number;
  /** An integer in [0, limit). */
  below(limit: number): number;
  /** Standard normal. */
  normal(): number;
}

/** Draws named by `seed` (an integer in [0, 2^53)) and `name`. */
export function randomStream(seed: number, name: string): RandomStream {
  const key = [seed >>> 0, hash(name, 0x811c9dc5)] as const;
  const [high, second] = [Math.floor(seed / 2 ** 32) >>> 0, hash(name, 0x9747b28c)];
  let block = 0;
  let ready: readonly number[] = [];
  let at = 0;
  let spare: number | null = null;

  const word = (): number => {
    if (at === ready.length) {
      ready = philox([block >>> 0, Math.floor(block / 2 ** 32), second, high], key);
      block += 1;
      at = 0;
    }
    at += 1;
    return ready[at - 1] as number;
  };
  const uniform = (): number => ((word() >>> 5) * 2 ** 26 + (word() >>> 6)) / 2 ** 53;
  const normal = (): number => {
    if (spare !== null) {
      const value = spare;
      spare = null;
      return value;
    }
    const [first, other] = normalPair(uniform);
    spare = other;
    return first;
  };
  return { word, uniform, below: (limit) => Math.floor(uniform() * limit), normal };
}

/** The key of the dropout of one training step: four words below 2^16, which a float32 lane holds exactly. */
export function keyFor(seed: number, step: number): Int32Array {
  const stream = randomStream(seed, `key.${step}`);
  return Int32Array.from({ length: 4 }, () => stream.word() >>> 16);
}

/** Two normals by the polar method (Marsaglia and Bray, 1964). */
function normalPair(uniform: () => number): readonly [number, number] {
  for (;;) {
    const [x, y] = [2 * uniform() - 1, 2 * uniform() - 1];
    const square = x * x + y * y;
    if (square >= 1 || square === 0) continue;
    const scale = Math.sqrt((-2 * exactLog(square)) / square);
    return [x * scale, y * scale];
  }
}

/** ln x for 0 < x < 1 from +, -, ·, / alone: `Math.log` may differ between engines in its last bit.
 *  x = m · 2^-e with m in [√½, √2), ln m = 2 artanh((m - 1) / (m + 1)) by its series. */
function exactLog(x: number): number {
  let [mantissa, exponent] = [x, 0];
  while (mantissa < Math.SQRT1_2) {
    mantissa *= 2;
    exponent -= 1;
  }
  const ratio = (mantissa - 1) / (mantissa + 1);
  const square = ratio * ratio;
  let sum = 0;
  for (let power = 25; power >= 1; power -= 2) sum = sum * square + 1 / power;
  return 2 * ratio * sum + exponent * Math.LN2;
}

/** FNV-1a over UTF-16 units, from a given basis. */
function hash(text: string, basis: number): number {
  let value = basis;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value >>> 0;
}
