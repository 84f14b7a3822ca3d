/** @file `node dist/bench/wasm-product.js`: how fast contractions are in WebAssembly, on one thread, beside a loop that only
 *  multiplies and adds in registers in the same engine.
 *
 *  Rates are of processor time, so that other work on the machine disturbs less; each round measures the peak and every
 *  product once, and the ratio of a product is the median over rounds of its rate to that round's peak. */

import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { median } from "../compiler/bench/statistics.ts";
import { buildKernel } from "../compiler/codegen/build-kernel.ts";
import { encodeModule } from "../compiler/codegen/wasm/encode.ts";
import { FunctionTable } from "../compiler/codegen/wasm/function-table.ts";
import { emitProduct, scratchBytes } from "../compiler/codegen/wasm/product-code.ts";
import { fusedProduct } from "../compiler/codegen/wasm/product-plan.ts";
import { countOf, productOf } from "../compiler/codegen/wasm/product.ts";
import type { Product } from "../compiler/codegen/wasm/product.ts";
import { isOwn } from "../runtime/backends.ts";
import { makeWide } from "../runtime/node/wide.ts";
import { AUTO, resolveBackend } from "../compiler/node/execute.ts";
import * as sq from "../ir/ops/index.ts";
import { parseEinsum } from "../ir/ops/einsum-spec.ts";
import { UNKNOWN } from "../ir/span.ts";
import { tensor } from "../ir/types.ts";
import { inRegisters, secondsOf } from "./processor-time.ts";
import type { Timed } from "./processor-time.ts";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "9" }, only: { type: "string", default: "" }, milliseconds: { type: "string", default: "60" }, backend: { type: "string", default: AUTO } } });
const name = resolveBackend(values.backend);
const backend = isOwn(name) ? name : "wasm";
if (backend === "wasm:wide") await makeWide();

interface Shape {
  readonly name: string;
  readonly spec: string;
  readonly sizes: Readonly<Record<string, number>>;
}

const SHAPES: readonly Shape[] = [
  ...[512, 1024, 2048].map((n) => ({ name: `${n}^3`, spec: "m k, k n -> m n", sizes: { m: n, n, k: n } })),
  { name: "512^3, A transposed", spec: "k m, k n -> m n", sizes: { m: 512, n: 512, k: 512 } },
  { name: "512^3, B transposed", spec: "m k, n k -> m n", sizes: { m: 512, n: 512, k: 512 } },
  ...[64, 256].map((d) => ({ name: `[512,${d}] [${d},${4 * d}]`, spec: "t d, d e -> t e", sizes: { t: 512, d, e: 4 * d } })),
  ...[16, 64].flatMap((k) => {
    const sizes = { b: 1, h: 4, t: 512, s: 512, k };
    return [
      { name: `q kT, width ${k}`, spec: "b h t k, b h s k -> b h t s", sizes },
      { name: `w v, width ${k}`, spec: "b h t s, b h s k -> b h t k", sizes },
      { name: `wT d_o, width ${k}`, spec: "b h t s, b h t k -> b h s k", sizes },
    ];
  }),
  { name: "heads of q, width 16", spec: "b t d, d h k -> b h t k", sizes: { b: 8, t: 64, d: 64, h: 4, k: 16 } },
  { name: "outer, depth 4", spec: "m k, k n -> m n", sizes: { m: 512, n: 512, k: 4 } },
  { name: "257 columns", spec: "t d, v d -> t v", sizes: { t: 512, d: 64, v: 257 } },
  { name: "3 rows", spec: "m k, k n -> m n", sizes: { m: 3, n: 1024, k: 1024 } },
  { name: "5 columns", spec: "m k, k n -> m n", sizes: { m: 1024, n: 5, k: 1024 } },
  { name: "matrix vector", spec: "m k, k -> m", sizes: { m: 1024, k: 1024 } },
  { name: "vector matrix", spec: "k, k n -> n", sizes: { n: 1024, k: 1024 } },
];

const productFor = ({ spec, sizes }: Shape): Product | null => {
  const parsed = parseEinsum(spec);
  if ("constraint" in parsed) throw new Error(parsed.message);
  const typeOf = (labels: readonly string[]): ReturnType<typeof tensor> => tensor("f32", labels.map((label) => sizes[label] ?? 1));
  const [a, b, y] = [parsed.a, parsed.b, parsed.result].map((labels, i) => ({ name: "aby"[i] ?? "", type: typeOf(labels) }));
  if (a === undefined || b === undefined || y === undefined) throw new Error(spec);
  const operation = { op: sq.einsum, operands: [a, b], attrs: { spec }, results: [y], path: "", loc: UNKNOWN, inline: false };
  return productOf(buildKernel(operation, [a, b], () => undefined, "product").kernel)?.product ?? null;
};

const PAGES = 2048;
const REGION = 24 * 1024 * 1024;

const subjects = (): readonly Timed[] => {
  const table = new FunctionTable(backend === "wasm:relaxed");
  const shapes = SHAPES.filter(({ name }) => name.includes(values.only)).flatMap((shape, i) => {
    const found = productFor(shape);
    const product = found !== null && table.fused ? fusedProduct(found) : found;
    if (product === null) process.stdout.write(`${shape.name}: left to plain loops\n`);
    else table.add(emitProduct(`product_${i}`, product, 2, table.shared));
    return product === null ? [] : [{ name: shape.name, product, export: `product_${i}` }];
  });
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
  const bytes = encodeModule({ memory: { from: "env", name: "memory", initial: PAGES, maximum: PAGES, shared: false }, functions: table.functions });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  new Float32Array(memory.buffer).forEach((_, i, all) => (all[i] = (i % 17) / 17 - 0.5));
  const call = (name: string): ((...args: readonly number[]) => void) => exports[name] as (...args: readonly number[]) => void;
  return [inRegisters(backend), ...shapes.map(({ name, product, export: exported }): Timed => {
    if (scratchBytes(product) > REGION) throw new Error(`${name}: ${scratchBytes(product)} bytes of scratch`);
    const { batch, rows, columns, depth } = product;
    return { name, work: 2 * [batch, rows, columns, depth].map(countOf).reduce((x, y) => x * y, 1), run: () => call(exported)(0, REGION, 2 * REGION, 0, product.items, 3 * REGION) };
  })];
};

/** Billions of operations a second of processor time. */
const rate = ({ work, run }: Timed): number => work / secondsOf(run, Number(values.milliseconds)) / 1e9;

const all = subjects();
for (const subject of all) for (let i = 0; i < 3; i++) rate(subject);
const rounds = Array.from({ length: Number(values.rounds) }, () => all.map(rate));
all.forEach((subject, i) => {
  const rates = rounds.map((round) => round[i] ?? 0);
  const ratio = median(rounds.map((round) => (round[i] ?? 0) / (round[0] ?? 1)));
  process.stdout.write(`${subject.name.padEnd(28)}${median(rates).toFixed(1).padStart(8)} GFLOP/s, best ${Math.max(...rates).toFixed(1)}${(100 * ratio).toFixed(0).padStart(6)} %\n`);
});
process.stdout.write(`load ${loadavg().map((load) => load.toFixed(1)).join(" ")}\n`);
