/** @file WebAssembly instructions as data: one table from the names of the text format to opcodes and immediates
 *  (WebAssembly core specification 3.0, appendix "Index of Instructions"). The encoder and the printer both read it. */

export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128";

/** What follows an opcode.
 *  local, global, function, label: an index.   memory: alignment (log2) and offset.   lane: one byte.   memory-lane: both.
 *  shuffle: 16 lanes.   block: the type a block leaves ("" for none).   i32, f32, v128: a constant. */
export type Immediate =
  | "none" | "local" | "global" | "function" | "label" | "memory" | "lane" | "memory-lane" | "shuffle" | "block" | "i32" | "f32" | "v128" | "zero" | "two-zeros";

export interface Opcode {
  readonly bytes: readonly number[];
  readonly immediate: Immediate;
}

const plain = (byte: number, immediate: Immediate = "none"): Opcode => ({ bytes: [byte], immediate });

const leb = (value: number): readonly number[] => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)]);

const prefixed = (prefix: number, code: number, immediate: Immediate = "none"): Opcode => ({ bytes: [prefix, ...leb(code)], immediate });

const simd = (code: number, immediate: Immediate = "none"): Opcode => prefixed(0xfd, code, immediate);

const atomic = (code: number, immediate: Immediate = "memory"): Opcode => prefixed(0xfe, code, immediate);

export const OPCODES = {
  unreachable: plain(0x00),
  block: plain(0x02, "block"),
  loop: plain(0x03, "block"),
  if: plain(0x04, "block"),
  else: plain(0x05),
  end: plain(0x0b),
  br: plain(0x0c, "label"),
  br_if: plain(0x0d, "label"),
  return: plain(0x0f),
  call: plain(0x10, "function"),
  drop: plain(0x1a),
  select: plain(0x1b),
  "local.get": plain(0x20, "local"),
  "local.set": plain(0x21, "local"),
  "local.tee": plain(0x22, "local"),
  "global.get": plain(0x23, "global"),
  "global.set": plain(0x24, "global"),
  "i32.load": plain(0x28, "memory"),
  "f32.load": plain(0x2a, "memory"),
  "f64.load": plain(0x2b, "memory"),
  "i32.store": plain(0x36, "memory"),
  "f32.store": plain(0x38, "memory"),
  "f64.store": plain(0x39, "memory"),
  "i32.const": plain(0x41, "i32"),
  "f32.const": plain(0x43, "f32"),
  "i32.eqz": plain(0x45),
  "i32.eq": plain(0x46),
  "i32.ne": plain(0x47),
  "i32.lt_s": plain(0x48),
  "i32.lt_u": plain(0x49),
  "i32.gt_s": plain(0x4a),
  "i32.gt_u": plain(0x4b),
  "i32.le_s": plain(0x4c),
  "i32.le_u": plain(0x4d),
  "i32.ge_s": plain(0x4e),
  "i32.ge_u": plain(0x4f),
  "f32.eq": plain(0x5b),
  "f32.ne": plain(0x5c),
  "f32.lt": plain(0x5d),
  "f32.gt": plain(0x5e),
  "f32.le": plain(0x5f),
  "f32.ge": plain(0x60),
  "i32.add": plain(0x6a),
  "i32.sub": plain(0x6b),
  "i32.mul": plain(0x6c),
  "i32.div_s": plain(0x6d),
  "i32.div_u": plain(0x6e),
  "i32.rem_s": plain(0x6f),
  "i32.rem_u": plain(0x70),
  "i32.and": plain(0x71),
  "i32.or": plain(0x72),
  "i32.xor": plain(0x73),
  "i32.shl": plain(0x74),
  "i32.shr_s": plain(0x75),
  "i32.shr_u": plain(0x76),
  "f32.abs": plain(0x8b),
  "f32.neg": plain(0x8c),
  "f32.ceil": plain(0x8d),
  "f32.floor": plain(0x8e),
  "f32.trunc": plain(0x8f),
  "f32.nearest": plain(0x90),
  "f32.sqrt": plain(0x91),
  "f32.add": plain(0x92),
  "f32.sub": plain(0x93),
  "f32.mul": plain(0x94),
  "f32.div": plain(0x95),
  "f32.min": plain(0x96),
  "f32.max": plain(0x97),
  "f32.copysign": plain(0x98),
  "i32.trunc_f32_s": plain(0xa8),
  "f32.convert_i32_s": plain(0xb2),
  "i32.reinterpret_f32": plain(0xbc),
  "f32.reinterpret_i32": plain(0xbe),
  "i32.trunc_sat_f32_s": prefixed(0xfc, 0),
  "memory.copy": prefixed(0xfc, 10, "two-zeros"),
  "memory.fill": prefixed(0xfc, 11, "zero"),
  "v128.load": simd(0, "memory"),
  "v128.load32_splat": simd(9, "memory"),
  "v128.store": simd(11, "memory"),
  "v128.const": simd(12, "v128"),
  "i8x16.shuffle": simd(13, "shuffle"),
  "i32x4.splat": simd(17),
  "f32x4.splat": simd(19),
  "i32x4.extract_lane": simd(27, "lane"),
  "i32x4.replace_lane": simd(28, "lane"),
  "f32x4.extract_lane": simd(31, "lane"),
  "f32x4.replace_lane": simd(32, "lane"),
  "i32x4.eq": simd(55),
  "i32x4.lt_s": simd(57),
  "i32x4.gt_s": simd(59),
  "f32x4.eq": simd(65),
  "f32x4.ne": simd(66),
  "f32x4.lt": simd(67),
  "f32x4.gt": simd(68),
  "f32x4.le": simd(69),
  "f32x4.ge": simd(70),
  "v128.not": simd(77),
  "v128.and": simd(78),
  "v128.andnot": simd(79),
  "v128.or": simd(80),
  "v128.xor": simd(81),
  "v128.bitselect": simd(82),
  "v128.any_true": simd(83),
  "v128.load32_zero": simd(92, "memory"),
  "v128.store32_lane": simd(90, "memory-lane"),
  "f32x4.ceil": simd(103),
  "f32x4.floor": simd(104),
  "f32x4.trunc": simd(105),
  "f32x4.nearest": simd(106),
  "i32x4.all_true": simd(163),
  "i32x4.shl": simd(171),
  "i32x4.shr_s": simd(172),
  "i32x4.shr_u": simd(173),
  "i32x4.add": simd(174),
  "i32x4.sub": simd(177),
  "i32x4.mul": simd(181),
  "f32x4.abs": simd(224),
  "f32x4.neg": simd(225),
  "f32x4.sqrt": simd(227),
  "f32x4.add": simd(228),
  "f32x4.sub": simd(229),
  "f32x4.mul": simd(230),
  "f32x4.div": simd(231),
  "f32x4.min": simd(232),
  "f32x4.max": simd(233),
  "f32x4.pmin": simd(234),
  "f32x4.pmax": simd(235),
  "i32x4.trunc_sat_f32x4_s": simd(248),
  "f32x4.convert_i32x4_s": simd(250),
  "f32x4.relaxed_madd": simd(261),
  "f32x4.relaxed_nmadd": simd(262),
  "memory.atomic.notify": atomic(0x00),
  "memory.atomic.wait32": atomic(0x01),
  "i32.atomic.load": atomic(0x10),
  "i32.atomic.store": atomic(0x17),
  "i32.atomic.rmw.add": atomic(0x1e),
} as const satisfies Readonly<Record<string, Opcode>>;

export type OpcodeName = keyof typeof OPCODES;

/** One instruction: its name and what its immediates are. */
export interface Instruction {
  readonly op: OpcodeName;
  readonly values: readonly number[];
  /** Only of block, loop, if: what the block leaves on the stack. */
  readonly type?: ValueType | "";
}
