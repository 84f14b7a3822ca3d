/** @file Builds `step`, one whole training step, from the gradient and the module's optimizer:
 *
 *      step(parameters, states, inputs, lr, step[, key]) -> loss, grad_norm, parameters', states'[, guarded.<site>…]
 *
 *  1. n2 = ((0 + sum g1²) + sum g2²) + …, a left fold over the parameters: every link of the chain is the same
 *     computation, so the number of different kernels does not depend on the number of layers. grad_norm = sqrt(n2).
 *  2. With `clip` c > 0 every gradient is multiplied by min(1, c / (grad_norm + 1e-6)).
 *  3. One optimizer op a parameter. Weight decay applies to parameters of rank 2 and more: gains and biases are scales
 *     of what a matrix produces, and pulling them to zero does not regularise anything.
 *
 *  State of parameter `Mlp.up` is `m.Mlp.up` (and `v.Mlp.up` for adamw); all `m` come before all `v`.
 *  Before  gradient; the function `of` exists.  After  gradient; the function `step` exists, if the module has an optimizer. */

import { Builder } from "../ir/builder.ts";
import type { Func, Module, Param, ParamRole, Result, TensorType, Value } from "../ir/core.ts";
import { InternalError } from "../ir/diagnostic.ts";
import { adamw, add, broadcast, constant, div, min, mul, reduceSum, sgd, sqrt } from "../ir/ops/index.ts";
import { optimizerOf, stateOf } from "../ir/optimizer-spec.ts";
import type { OptimizerConfig } from "../ir/optimizer-spec.ts";
import { scalar } from "../ir/types.ts";
import { liveOps, withFunc } from "./edit.ts";
import { fail } from "./fail.ts";
import { definePass, option } from "./pass.ts";

export const makeStep = definePass({
  name: "make-step",
  summary: "adds the training step: gradient, clipping by global norm, optimizer",
  before: "gradient",
  after: "gradient",
  options: {
    of: option.string("grad", "the gradient function"),
    to: option.string("step", "name of the new function"),
  },
  run: (module, { of, to }, ctx) => {
    const config = optimizerOf(module);
    if (config === null) return module;
    if (typeof config === "string") return fail("SQ0507", `make-step: ${config}`);
    const step = stepOf(gradientFunc(module, of), to, config);
    ctx.count("operations added", step.ops.length);
    return withFunc(module, step);
  },
});

const gradientFunc = (module: Module, of: string): Func => {
  const grad = module.funcs.find((func) => func.name === of);
  return grad ?? fail("SQ0508", `make-step: there is no function \`${of}\``, ["run `differentiate` first"]);
};

const withRole = (func: Func, role: ParamRole): readonly Param[] => func.params.filter((param) => param.role === role);

const makeParam = (name: string, type: TensorType, role: ParamRole): Param => ({
  name,
  role,
  init: "",
  value: { type, name: name.replaceAll(".", "_") },
});

const stepOf = (grad: Func, to: string, config: OptimizerConfig): Func => {
  const parameters = withRole(grad, "parameter");
  const states = stateOf(config).map((prefix) =>
    parameters.map((p) => makeParam(`${prefix}.${p.name}`, p.value.type, "state")),
  );
  const lr = makeParam("lr", scalar("f32"), "scalar");
  const step = makeParam("step", scalar("f32"), "scalar");
  const taken = withRole(grad, "input").find(({ name }) => name === lr.name || name === step.name);
  if (taken !== undefined) return fail("SQ0508", `make-step: the input \`${taken.name}\` has the name of a scalar of the training step`);
  const b = new Builder();
  for (const operation of grad.ops) b.keep(operation);
  const gradients = gradientsOf(grad, parameters);
  const norm = globalNorm(b, gradients);
  const clipped = clipGradients(b, gradients, norm, config.clip);
  const updates = parameters.map((p, i) =>
    update(b, config, { p, g: must(clipped[i]), state: states.map((list) => must(list[i]).value), lr: lr.value, step: step.value }),
  );
  const updated = (list: readonly Param[], part: number): Result[] =>
    list.map((param, i) => ({ name: param.name, value: must(updates[i]?.[part]) }));
  const results: Result[] = [
    must(grad.results[0]),
    { name: "grad_norm", value: norm },
    ...updated(parameters, 0),
    ...states.flatMap((list, k) => updated(list, k + 1)),
    ...grad.results.filter(({ name }) => isReport(name)),
  ];
  const params = [...parameters, ...states.flat(), ...withRole(grad, "input"), lr, step, ...withRole(grad, "key")];
  return { name: to, params, ops: liveOps(b.ops, results.map((result) => result.value)), results };
};

/** What a rewritten gradient tells about itself is passed on. */
const isReport = (name: string): boolean => name.startsWith("guarded.");

const must = <T>(value: T | undefined): T => {
  if (value === undefined) throw new InternalError("make-step: a list is too short");
  return value;
};

const gradientsOf = (grad: Func, parameters: readonly Param[]): readonly Value[] => {
  const results = new Map(grad.results.map(({ name, value }) => [name, value]));
  const missing = (name: string): never => fail("SQ0508", `make-step: \`${grad.name}\` has no result \`${name}\``);
  return parameters.map(({ name }) => results.get(`grad.${name}`) ?? missing(`grad.${name}`));
};

const globalNorm = (b: Builder, gradients: readonly Value[]): Value => {
  let total = b.one(constant, [], { value: 0, type: scalar("f32") });
  for (const g of gradients) {
    const square = b.one(mul, [g, g], {});
    const axes = g.type.shape.map((_, axis) => axis);
    const sum = axes.length === 0 ? square : b.one(reduceSum, [square], { axes });
    total = b.one(add, [total, sum], {});
  }
  return b.one(sqrt, [total], {}, "grad_norm");
};

const clipGradients = (b: Builder, gradients: readonly Value[], norm: Value, clip: number): readonly Value[] => {
  if (clip === 0) return gradients;
  const number = (value: number): Value => b.one(constant, [], { value, type: scalar("f32") });
  const ratio = b.one(div, [number(clip), b.one(add, [norm, number(1e-6)], {})], {});
  const factor = b.one(min, [number(1), ratio], {}, "clip");
  return gradients.map((g) => {
    const spread = g.type.shape.length === 0 ? factor : b.one(broadcast, [factor], { axes: [], type: g.type });
    return b.one(mul, [g, spread], {});
  });
};

interface Update {
  readonly p: Param;
  readonly g: Value;
  readonly state: readonly Value[];
  readonly lr: Value;
  readonly step: Value;
}

/** The new parameter, then its new state. */
const update = (b: Builder, config: OptimizerConfig, { p, g, state, lr, step }: Update): readonly Value[] => {
  const name = p.value.name;
  const weight_decay = p.value.type.shape.length >= 2 ? config.weight_decay : 0;
  const origin = { path: p.name.slice(0, Math.max(p.name.lastIndexOf("."), 0)), loc: b.origin.loc };
  return b.at(origin, () => {
    if (config.name === "sgd") {
      const { momentum, nesterov } = config;
      return b.all(sgd, [p.value, g, must(state[0]), lr], { momentum, weight_decay, nesterov }, [`${name}_new`, `m_${name}_new`]);
    }
    const [beta1, beta2] = config.betas;
    const operands: [Value, Value, Value, Value, Value, Value] = [p.value, g, must(state[0]), must(state[1]), lr, step];
    const names = [`${name}_new`, `m_${name}_new`, `v_${name}_new`];
    return b.all(adamw, operands, { beta1, beta2, eps: config.eps, weight_decay }, names);
  });
};
