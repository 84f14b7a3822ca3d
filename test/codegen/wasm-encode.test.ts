/** @file Modules as bytes and as text: numbers at the edges of LEB128, every instruction of the table before the engine's
 *  validator, and a small function printed. */

import { describe, expect, it } from "vitest";
import { FunctionBuilder } from "../../compiler/codegen/wasm/builder.ts";
import { encodeModule } from "../../compiler/codegen/wasm/encode.ts";
import { OPCODES } from "../../compiler/codegen/wasm/instructions.ts";
import type { ValueType } from "../../compiler/codegen/wasm/instructions.ts";
import type { MemoryImport, WasmFunction, WasmModule } from "../../compiler/codegen/wasm/module.ts";
import { printWat } from "../../compiler/codegen/wasm/print-wat.ts";
import { functionsOfAll } from "./wasm-opcodes.ts";

const MEMORY: MemoryImport = { from: "env", name: "memory", initial: 1, maximum: 2, shared: true };

const moduleOf = (...functions: readonly WasmFunction[]): WasmModule => ({ memory: MEMORY, functions });

/** An exported function without parameters. */
const written = (name: string, results: readonly ValueType[], write: (f: FunctionBuilder) => void): WasmFunction => {
  const f = new FunctionBuilder(name, []);
  write(f);
  return f.finish(true, results);
};

const run = (...functions: readonly WasmFunction[]): unknown[] => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(encodeModule(moduleOf(...functions))), { env: { memory } });
  return functions.filter(({ exported }) => exported).map(({ name }) => (exports[name] as () => unknown)());
};

/** The bytes of a body that pushes constants: after the count of locals, before `end`. */
const bodyOf = (write: (f: FunctionBuilder) => void): readonly number[] => {
  const nothing = encodeModule(moduleOf(written("f", ["i32"], () => undefined)));
  return Array.from(encodeModule(moduleOf(written("f", ["i32"], write)))).slice(nothing.length - 1, -1);
};

describe("LEB128", () => {
  const SIGNED: readonly (readonly [number, readonly number[]])[] = [
    [0, [0x00]], [-1, [0x7f]], [63, [0x3f]], [64, [0xc0, 0x00]], [-64, [0x40]], [-65, [0xbf, 0x7f]], [127, [0xff, 0x00]], [128, [0x80, 0x01]],
    [8191, [0xff, 0x3f]], [8192, [0x80, 0xc0, 0x00]], [-8192, [0x80, 0x40]], [-8193, [0xff, 0xbf, 0x7f]],
    [2 ** 31 - 1, [0xff, 0xff, 0xff, 0xff, 0x07]], [-(2 ** 31), [0x80, 0x80, 0x80, 0x80, 0x78]],
  ];

  it("signed: shortest, and read back", () => {
    for (const [value, bytes] of SIGNED) expect(bodyOf((f) => f.i32(value)), `${value}`).toEqual([0x41, ...bytes]);
    expect(run(...SIGNED.map(([value], i) => written(`f${i}`, ["i32"], (f) => f.i32(value))))).toEqual(SIGNED.map(([value]) => value));
  });

  it("signed: 2^32 - 1 is -1", () => {
    expect(bodyOf((f) => f.i32(2 ** 32 - 1))).toEqual([0x41, 0x7f]);
  });

  it("unsigned: shortest", () => {
    const offsets: readonly (readonly [number, readonly number[]])[] = [
      [0, [0x00]], [127, [0x7f]], [128, [0x80, 0x01]], [16383, [0xff, 0x7f]], [16384, [0x80, 0x80, 0x01]], [2 ** 31, [0x80, 0x80, 0x80, 0x80, 0x08]],
      [2 ** 32 - 1, [0xff, 0xff, 0xff, 0xff, 0x0f]],
    ];
    for (const [offset, bytes] of offsets) {
      expect(bodyOf((f) => f.i32(0).op("i32.load", 2, offset)), `${offset}`).toEqual([0x41, 0x00, 0x28, 0x02, ...bytes]);
      expect(WebAssembly.validate(encodeModule(moduleOf(written("f", ["i32"], (f) => f.i32(0).op("i32.load", 2, offset))))), `${offset}`).toBe(true);
    }
  });

  it("prefixed opcodes above 127 have two bytes after the prefix", () => {
    expect(OPCODES["v128.load"].bytes).toEqual([0xfd, 0x00]);
    expect(OPCODES["f32x4.add"].bytes).toEqual([0xfd, 0xe4, 0x01]);
    expect(OPCODES["f32x4.relaxed_madd"].bytes).toEqual([0xfd, 0x85, 0x02]);
    expect(OPCODES["i32.atomic.rmw.add"].bytes).toEqual([0xfe, 0x1e]);
  });
});

describe("modules", () => {
  it("bodies of more than 2^14 bytes, functions and locals past 128", () => {
    const many = Array.from({ length: 200 }, (_, i) => written(`f${i}`, ["i32"], (f) => (i === 0 ? f.i32(7) : f.op("call", i - 1))));
    const long = written("long", ["i32"], (f) => {
      const locals = f.locals("i32", "x", 300);
      locals.forEach((local, i) => f.i32(i).set(local));
      for (let i = 0; i < 10000; i++) f.i32(i).op("drop");
      for (const local of locals) f.get(local);
      for (let i = 1; i < locals.length; i++) f.op("i32.add");
    });
    expect(run(...many, long)).toEqual([...many.map(() => 7), (299 * 300) / 2]);
  });

  it("locals of changing types, in runs", () => {
    const mixed = written("mixed", ["f32"], (f) => {
      const [a, b, c] = [f.local("i32", "a"), f.local("f32", "b"), f.local("i32", "c")];
      f.i32(3).set(a).f32(0.5).set(b).i32(4).set(c);
      f.get(a).get(c).op("i32.add").op("f32.convert_i32_s").get(b).op("f32.add");
    });
    expect(run(mixed)).toEqual([7.5]);
  });

  it("names in UTF-8; only what is exported", () => {
    const hidden = { ...written("hidden", [], () => undefined), exported: false };
    const exports = WebAssembly.Module.exports(new WebAssembly.Module(encodeModule(moduleOf(hidden, written("größe", [], () => undefined)))));
    expect(exports).toEqual([{ name: "größe", kind: "function" }]);
  });

  it("the memory as it is declared: a smaller one, or one not shared, is refused", () => {
    const module = new WebAssembly.Module(encodeModule({ memory: { ...MEMORY, initial: 2, maximum: 3 }, functions: [] }));
    const link = (memory: WebAssembly.Memory) => (): unknown => new WebAssembly.Instance(module, { env: { memory } });
    expect(link(new WebAssembly.Memory({ initial: 2, maximum: 3, shared: true }))).not.toThrow();
    expect(link(new WebAssembly.Memory({ initial: 1, maximum: 3, shared: true }))).toThrow(WebAssembly.LinkError);
    expect(link(new WebAssembly.Memory({ initial: 2, maximum: 3 }))).toThrow(WebAssembly.LinkError);
  });
});

describe("immediates", () => {
  it("floats keep their bits", () => {
    const values = [0, -0, 1.5, Math.fround(0.1), 2 ** -149, Infinity, -Infinity, Number.NaN];
    const bits = new Int32Array(Float32Array.from(values).buffer);
    const read = values.map((value, i) => written(`f${i}`, ["i32"], (f) => f.f32(value).op("i32.reinterpret_f32")));
    expect(run(...read)).toEqual(Array.from(bits));
  });

  it("lanes, splats and shuffles", () => {
    const lane = (name: string, index: number, write: (f: FunctionBuilder) => void): WasmFunction =>
      written(name, ["i32"], (f) => (write(f), f.op("i32x4.extract_lane", index)));
    const order = [4, 5, 6, 7, 16, 17, 18, 19, 0, 1, 2, 3, 28, 29, 30, 31];
    const shuffled = (f: FunctionBuilder): unknown => f.splatBits(9).i32(5).op("i32x4.replace_lane", 1).splatBits(2 ** 32 - 3).op("i8x16.shuffle", ...order);
    expect(run(...[0, 1, 2, 3].map((index) => lane(`shuffle${index}`, index, shuffled)))).toEqual([5, -3, 9, -3]);
    expect(run(lane("splat", 3, (f) => f.splat(1)))).toEqual([0x3f800000]);
  });

  it("offsets and alignments of loads and stores", () => {
    const stored = written("stored", ["f32"], (f) => {
      f.i32(4).splat(2.5).op("v128.store", 0, 300);
      f.i32(0).op("f32.load", 2, 316);
    });
    const oneLane = written("one", ["f32"], (f) => {
      f.i32(0).splat(8).f32(6).op("f32x4.replace_lane", 2).op("v128.store32_lane", 2, 400, 2);
      f.i32(400).op("v128.load32_splat", 2, 0).op("f32x4.extract_lane", 3);
    });
    expect(run(stored, oneLane)).toEqual([2.5, 6]);
  });

  it("loops and conditions by the builder", () => {
    const sum = written("sum", ["i32"], (f) => {
      const [i, total] = [f.local("i32", "i"), f.local("i32", "total")];
      f.while(i, () => f.i32(10), 3, () => f.get(total).get(i).op("i32.add").set(total));
      f.get(total).i32(18).op("i32.eq");
      f.block("if", () => f.i32(1), () => f.i32(0), "i32");
    });
    expect(run(sum)).toEqual([1]);
  });
});

/** Engines before V8 11.4 do not have them. */
const isRelaxed = ({ name }: WasmFunction): boolean => name.includes("relaxed");

describe("every instruction", () => {
  const all = functionsOfAll();

  it("is in one of the functions", () => {
    const used = new Set(all.flatMap(({ body }) => body.map(({ op }) => op)));
    expect(Object.keys(OPCODES).filter((op) => !used.has(op as keyof typeof OPCODES))).toEqual([]);
  });

  it("validates", () => {
    const [callee] = all;
    if (callee === undefined) throw new RangeError("no functions");
    const invalid = all.filter((func) => !isRelaxed(func) && !WebAssembly.validate(encodeModule(moduleOf(callee, func))));
    expect(invalid.map(({ name }) => name)).toEqual([]);
  });

  it("has an opcode of its own", () => {
    const spelled = Object.values(OPCODES).map(({ bytes }) => bytes.join());
    expect(new Set(spelled).size).toBe(spelled.length);
  });

  it("is printed under its name", () => {
    const text = printWat(moduleOf(...all));
    for (const op of Object.keys(OPCODES)) expect(text.split(/\s+/), op).toContain(op);
  });
});

const GOLDEN = `(module
  (import "env" "memory" (memory 1 2 shared))
  (func $scale (export "scale") (param $at i32) (param $count i32) (result i32)
    (local $i i32)
    (local $x v128)
    (local $x2 v128)
    block
      loop
        local.get $i
        local.get $count
        i32.ge_s
        br_if 1
        local.get $at
        v128.load offset=16 align=4
        local.tee $x
        v128.const i32x4 0x3f000000 0x3f000000 0x3f000000 0x3f000000
        f32x4.mul
        local.set $x2
        local.get $at
        local.get $x2
        v128.store32_lane offset=8 align=4 3
        local.get $i
        i32.const 4
        i32.add
        local.set $i
        br 0
      end
    end
    local.get $i
    f32.const -0
    f32.const inf
    f32.lt
    if (result i32)
      i32.const -1
    else
      i32.const 1
    end
    call $add
  )
  (func $add (param $a i32) (param $b i32) (result i32)
    local.get $a
    local.get $b
    i32.add
  )
)
`;

describe("text", () => {
  it("of a small module", () => {
    const i32 = (name: string): { readonly name: string; readonly type: "i32" } => ({ name, type: "i32" });
    const f = new FunctionBuilder("scale", [i32("at"), i32("count")]);
    const [at, count] = [f.parameter("at"), f.parameter("count")];
    const i = f.local("i32", "i");
    const [x = 0, y = 0] = f.locals("v128", "x", 2);
    f.while(i, () => f.get(count), 4, () => {
      f.get(at).op("v128.load", 2, 16).tee(x).splat(0.5).op("f32x4.mul").set(y);
      f.get(at).get(y).op("v128.store32_lane", 2, 8, 3);
    });
    f.get(i).f32(-0).f32(Infinity).op("f32.lt");
    f.block("if", () => f.i32(-1), () => f.i32(1), "i32").op("call", 1);
    const add = new FunctionBuilder("add", [i32("a"), i32("b")]);
    add.get(0).get(1).op("i32.add");
    const module = moduleOf(f.finish(true, ["i32"]), add.finish(false, ["i32"]));
    expect(printWat(module)).toBe(GOLDEN);
    expect(WebAssembly.validate(encodeModule(module))).toBe(true);
  });
});
